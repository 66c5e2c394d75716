"""Keys, webhooks, retain sets and figures in the console."""

import json
from typing import Any

from shared.domain.photos import read_data_url
from tests.support.api import People
from tests.support.console import Browser
from tests.support.pictures import png

KEYS, WEBHOOKS, SETS = "/console/keys", "/console/webhooks", "/console/retain-sets"


def test_new_key_is_shown_once_and_works(people: People) -> None:
    rosa = Browser(people).sign_in("rosa")
    opened = rosa.open(KEYS)
    fields: dict[str, Any] = {"owner": "rosa", "roles": ["admin"], "scopes": ["tickets:read"], "label": "script"}
    page = rosa.send(opened, KEYS, **fields)
    assert page.status == 200, page.words
    key = next(word for word in page.words.split() if word.startswith("lk_"))
    answer = people.app.get("/v1/tickets", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200
    assert key not in rosa.send(opened, KEYS, **fields).text  # the same form again: a replay
    assert key not in rosa.open(KEYS).text


def test_key_is_revoked_by_administrators_only(people: People) -> None:
    rosa, ada = Browser(people).sign_in("rosa"), Browser(people).sign_in("ada")
    adams = next(key["id"] for key in people["rosa"].get("/v1/keys").json()["items"] if key["owner"] == "adam")
    action = f"{KEYS}/{adams}/revoke"
    assert not ada.open(KEYS).offers(action)
    assert ada.post(action, ada.open(KEYS).form("/console/sign-out").fields | {"etag": ['"valid"']}).status == 403
    page = rosa.send(rosa.open(KEYS), action)
    assert "revoked" in page.words
    people.forget_keys()
    assert people["adam"].get("/v1/tickets").status_code == 401


def test_webhook_is_added_tested_and_disabled(people: People) -> None:
    rosa = Browser(people).sign_in("rosa")
    page = rosa.send(rosa.open(WEBHOOKS), WEBHOOKS, url="https://hooks.example.org/lacuna", events=["ticket.completed"])
    assert "whsec_" in page.words
    assert "whsec_" not in rosa.open(WEBHOOKS).words
    hook = next(link for link in page.links if link.startswith(f"{WEBHOOKS}/"))
    page = rosa.send(rosa.open(hook), f"{hook}/test")
    assert "webhook.test" in page.words
    page = rosa.send(page, f"{hook}/disable")
    assert "Disabled" in page.words
    assert not page.offers(f"{hook}/test")
    refused = rosa.send(rosa.open(WEBHOOKS), WEBHOOKS, url="http://10.0.0.1/x", events=["*"])
    assert refused.status == 422


def lines(*rows: dict[str, Any]) -> tuple[str, bytes, str]:
    return ("people.jsonl", "\n".join(json.dumps(row) for row in rows).encode(), "application/x-ndjson")


def person(name: str, **more: Any) -> dict[str, Any]:
    return {"names": [name], "facts": [{"attribute": "city", "value": f"{name}-by"}], **more}


def test_retain_set_is_checked_then_added_and_left(people: People) -> None:
    olivia = Browser(people).sign_in("olivia")
    rows = [person(f"Person {n}", split="fit") for n in range(4)]
    rows[0]["photos"] = ["face.png"]
    picture = ("face.png", read_data_url(png()), "image/png")
    sent = [("rows", lines(*rows)), ("pictures", picture)]
    page = olivia.send(olivia.open(SETS), SETS, files=sent, do="check")
    assert "Nothing was kept" in page.words, page.words
    assert people["olivia"].get("/v1/retain-sets").json()["items"] == []
    page = olivia.send(olivia.open(SETS), SETS, files=sent, do="add")
    assert "The retain set is added" in page.words, page.words
    assert "Person 0" not in page.text
    page = olivia.send(olivia.open(SETS), f"{SETS}/0/use")
    assert people["olivia"].get("/v1/retain-sets").json()["active"] is None


def test_retain_set_with_a_forgotten_person_or_a_bad_line_is_refused_by_its_row(
    people: People, ticket_body: dict[str, Any]
) -> None:
    ticket = people["olivia"].post("/v1/tickets", ticket_body).json()["id"]
    people["adam"].post(f"/v1/tickets/{ticket}/approve", {"ground": "objection", "names": ["Mara Lindqvist"]})
    olivia = Browser(people).sign_in("olivia")
    rows = [person("Ida", split="fit"), person("Jon", split="fit"), person("Mara Lindqvist"), {"nonsense": 1}]
    page = olivia.send(olivia.open(SETS), SETS, files=[("rows", lines(*rows))], do="add")
    assert page.status == 422
    assert ticket in page.words
    assert "Lindqvist" not in page.text
    for raw in (b"not json", b"[1]", b'{"names": ["/etc/passwd"], "photos": ["/etc/passwd"]}', b"", b"[" * 100_000):
        page = olivia.send(olivia.open(SETS), SETS, files=[("rows", ("x.jsonl", raw, "text/plain"))], do="add")
        assert page.status == 422, raw[:40]


def test_figures_count_and_are_files_too(people: People, ticket_body: dict[str, Any]) -> None:
    ticket = people["olivia"].post("/v1/tickets", ticket_body).json()["id"]
    people["olivia"].post(f"/v1/tickets/{ticket}/reject", {"code": "no_match", "note": "Nobody."})
    ada = Browser(people).sign_in("ada")
    assert "nobody found" in ada.open("/console/figures").words
    assert "nobody found" not in ada.open("/console/figures?since=2999-01-01").words
    assert "days to completion, 95th percentile" in ada.open("/console/figures").words
    answer = ada.client.get("/console/figures/requests.csv")
    assert ticket in answer.text
    assert "attachment" in answer.headers["content-disposition"]
    assert ada.open("/console/figures?since=yesterday").status == 422
    assert Browser(people).sign_in("oscar").open("/console/figures").status == 403
