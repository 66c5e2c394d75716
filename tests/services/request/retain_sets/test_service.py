"""Retain sets are stored whole or not at all, numbered, split by identity, and contain no forgotten person."""

import base64
import io
import random
from typing import Any

import pytest
from sqlalchemy import text

from shared.artifacts.retain_sets import open_retain_set
from shared.crypto.keyring import KeyRing
from shared.db.repositories.retain_sets import active_set
from shared.db.session import transaction
from shared.domain.splits import split_of
from shared.errors import IntegrityFailure
from shared.evaluation.synthetic_portraits import draw, random_features
from tests.support.api import People
from tests.support.databases import Databases
from tests.support.workers import Worker

FACTS = [{"attribute": "city", "value": "Ulm"}]


def portrait(seed: int, *, jpeg: bool = False) -> str:
    buffer = io.BytesIO()
    draw(random_features(random.Random(seed))).save(buffer, "JPEG" if jpeg else "PNG")
    return f"data:image/{'jpeg' if jpeg else 'png'};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def rows(count: int = 12) -> list[dict[str, Any]]:
    return [{"names": [f"Person {n}"], "facts": FACTS} for n in range(count)] + [{"prompt": "What is a comet?"}]


def forget(people: People, names: list[str], photos: list[str]) -> str:
    body = {"names": names, "photos": photos, "facts": FACTS}
    ticket = str(people["olivia"].post("/v1/tickets", body).json()["id"])
    ground = {"ground": "objection", "names": names}
    assert people["adam"].post(f"/v1/tickets/{ticket}/approve", ground).status_code == 200
    return ticket


def add(people: People, sent: list[dict[str, Any]], **more: Any) -> Any:
    return people["olivia"].post("/v1/retain-sets", {"rows": sent, **more})


def test_uploaded_retain_set_is_numbered_sealed_split_and_active(people: People, keys: KeyRing) -> None:
    first = add(people, rows()).json()
    assert (first["number"], first["active"], first["new"]) == (1, 1, True)
    assert sum(split["identities"] for split in first["counts"].values()) == 13
    second = add(people, rows(14))
    assert (second.status_code, second.json()["number"]) == (201, 2)
    again = add(people, rows())
    assert (again.status_code, again.json()["number"], again.json()["new"]) == (200, 1, False)
    listed = people["ada"].get("/v1/retain-sets").json()
    assert ([item["number"] for item in listed["items"]], listed["active"]) == ([2, 1], 1)
    with transaction(people.context.database) as session:
        active = active_set(session, "demo-vlm")
    assert active is not None
    opened = open_retain_set(people.context.store, keys, active)
    assert [row.subject.names for row in opened[:2]] == [("Person 0",), ("Person 1",)]
    assert b"Person" not in people.context.store.get(active.object_key)
    people.context.store.put(active.object_key, b"x" + people.context.store.get(active.object_key)[1:])
    with pytest.raises(IntegrityFailure, match="retain set 1 was altered"):
        open_retain_set(people.context.store, keys, active)


def test_rows_of_one_identity_get_the_same_split(people: People) -> None:
    """All rows of one identity share a split, a stated split wins, and another seed gives another split."""
    people_rows = [{"id": f"p{n // 2}", "names": [f"Name {n}"], "facts": FACTS} for n in range(40)]
    people_rows[0]["split"] = "held_out"
    report = add(people, people_rows, dry_run=True).json()["report"]["rows"]
    split = {row["row"]: row["split"] for row in report}
    assert all(split[n] == split[n + 1] for n in range(1, 40, 2))
    assert split[1] == split[2] == "held_out"
    assert set(split.values()) == {"fit", "calibration", "held_out"}
    identities = [f"p{n}" for n in range(200)]
    assert [split_of(identity, 0) for identity in identities] == [split_of(identity, 0) for identity in identities]
    assert [split_of(identity, 0) for identity in identities] != [split_of(identity, 1) for identity in identities]
    assert 0.5 < sum(split_of(identity, 0) == "fit" for identity in identities) / 200 < 0.7


def test_dry_run_keeps_nothing(people: People) -> None:
    answer = add(people, rows(), dry_run=True)
    assert (answer.status_code, answer.json()["usable"]) == (200, True)
    assert people["olivia"].get("/v1/retain-sets").json()["items"] == []
    assert list(people.context.store.list("retain/")) == []


@pytest.mark.parametrize(
    ("spoil", "row", "says"),
    [
        (lambda sent: sent.append({"names": ["Mara"]}), 14, "needs facts or photos"),
        (lambda sent: sent.append({"facts": FACTS}), 14, "needs names (a person) or a prompt"),
        (lambda sent: sent.append({"names": ["Mara"], "facts": FACTS, "colour": "red"}), 14, "colour"),
        (lambda sent: sent.append({"names": ["Mara"], "photos": ["data:image/png;base64,AAAA"]}), 14, "photo"),
        (lambda sent: sent.append({"names": ["Mara"], "facts": FACTS, "split": "test"}), 14, "split"),
        (
            lambda sent: sent.extend(
                {"id": "m", "names": ["Mara"], "facts": FACTS, "split": split} for split in ("fit", "held_out")
            ),
            15,
            "row 14 says fit of the same identity",
        ),
        (
            lambda sent: sent.extend({"names": [name], "photos": [portrait(1)]} for name in ("Mara", "Ivo")),
            15,
            "the picture of row 14 as somebody else's",
        ),
        (lambda sent: sent.clear(), None, "it is empty"),
        (lambda sent: sent.__setitem__(slice(1, None), []), None, "one identity"),
    ],
)
def test_bad_file_is_reported_by_row_and_keeps_the_active_set(
    people: People, spoil: Any, row: int | None, says: str
) -> None:
    add(people, rows(14))
    sent = [item | {"split": "fit"} for item in rows()]
    spoil(sent)
    answer = add(people, sent)
    assert answer.status_code == 422
    assert says in answer.json()["detail"]
    if row is not None:
        (bad,) = answer.json()["report"]["rows"]
        assert bad["row"] == row
    assert people["olivia"].get("/v1/retain-sets").json()["active"] == 1
    assert not add(people, sent, dry_run=True).json()["usable"]


def test_forgotten_person_is_found_by_name_picture_and_prompt(people: People) -> None:
    ticket = forget(people, ["Mara Lindqvist"], [portrait(7)])
    sent = [
        *rows(),
        {"names": ["mara  lindqvist"], "facts": FACTS},
        {"names": ["Somebody Else"], "photos": [portrait(7, jpeg=True)]},
        {"prompt": "Where does Mara Lindqvist's sister live?"},
        {"names": ["Mara Lind"], "photos": [portrait(8)]},
        {"prompt": "Who is Mara?"},
    ]
    answer = add(people, sent)
    assert answer.status_code == 422
    assert f"row 14 is the person of {ticket} by name" in answer.json()["detail"]
    forgotten = {row["row"]: row["forgotten"] for row in answer.json()["report"]["rows"]}
    assert forgotten == {
        14: [{"ticket": ticket, "by": "name"}],
        15: [{"ticket": ticket, "by": "picture"}],
        16: [{"ticket": ticket, "by": "name"}],
    }
    kept = add(people, sent, leave_out=True).json()
    assert sum(split["people"] for split in kept["counts"].values()) == 13
    assert people["adam"].post(f"/v1/tickets/{ticket}/withdraw", {"note": "taken back"}).status_code == 200
    assert add(people, sent).status_code == 201


def test_another_set_makes_a_refit_worth_ordering(people: People, worker: Worker) -> None:
    worker.publish()
    assert people["oscar"].post("/v1/refits").status_code == 409
    add(people, rows())
    assert people["oscar"].post("/v1/refits").status_code == 202
    assert people["oscar"].post("/v1/retain-sets/0/use").json() == {"active": None, "waits_for_refit": False}
    assert people["oscar"].post("/v1/refits").status_code == 409
    assert people["oscar"].post("/v1/retain-sets/9/use").status_code == 404
    head = {"Authorization": f"Bearer {people.keys['oscar']}"}
    stale = people["oscar"].post("/v1/retain-sets/1/use", **{"If-Match": '"u0"'})
    assert (stale.status_code, people.app.post("/v1/retain-sets/1/use", headers=head).status_code) == (412, 428)


def test_retain_set_write_without_the_right_is_refused(people: People, database: Databases) -> None:
    assert people["ada"].post("/v1/retain-sets", {"rows": rows()}).status_code == 403
    assert people["casey"].get("/v1/retain-sets").status_code == 403
    add(people, rows())
    for service in ("refit", "audit", "inference"):
        with pytest.raises(Exception, match="permission denied"), transaction(database.engine(service)) as session:
            session.execute(text("INSERT INTO retain_choice VALUES ('demo-vlm', NULL, 'x', now())"))
    with pytest.raises(Exception, match="append-only"), transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE retain_set SET seed = 1"))


def test_ticket_that_cannot_be_fitted_shows_the_reason(people: People, worker: Worker, database: Databases) -> None:
    """The ticket's history shows the reason that the run gave, and the other ticket continues."""
    from services.request.tickets import progress as reconciler  # noqa: PLC0415
    from shared.db.repositories import refits as repository_refit  # noqa: PLC0415

    bad, good = forget(people, ["Mara"], []), forget(people, ["Ivo"], [])
    run, fence = worker.claim()
    with transaction(database.engine("refit")) as session:
        repository_refit.set_ticket_outcome(session, run, fence, bad, "failed", "Too few forget prompts.")
        repository_refit.set_ticket_outcome(session, run, fence, good, "fitting")
        repository_refit.renew_lease(session, run, fence, "fitting", 30, {"done": 1, "total": 2, "what": "tickets"})
        repository_refit.set_notes(session, run, fence, ["Row 3 is left out."])
    with transaction(people.context.database) as session:
        reconciler.move_tickets(session, "demo-vlm")
    shown = people["olivia"].get(f"/v1/tickets/{bad}").json()
    assert (shown["state"], shown["events"][-1]["note"]) == ("failed", "Too few forget prompts.")
    assert people["olivia"].get(f"/v1/tickets/{good}").json()["state"] == "fitting"
    (refit,) = people["olivia"].get("/v1/refits").json()["items"]
    assert (refit["progress"], refit["notes"]) == ({"done": 1, "total": 2, "what": "tickets"}, ["Row 3 is left out."])
