"""Several requests approved together: each that was looked at, each by its own rules."""

from typing import Any

from tests.support.api import People
from tests.support.console import Browser

QUEUE, REVIEW, APPROVE = "/console/tickets", "/console/tickets/review", "/console/tickets/approve"


def file(people: People, name: str, by: str = "olivia") -> str:
    body = {"names": [name], "facts": [{"attribute": "city", "value": f"{name}-by"}]}
    return str(people[by].post("/v1/tickets", body).json()["id"])


def state(people: People, ticket: str) -> str:
    return str(people["olivia"].get(f"/v1/tickets/{ticket}").json()["state"])


def reviewed(browser: Browser, *tickets: str) -> Any:
    page = browser.open(QUEUE)
    token = page.form("/console/sign-out").fields["csrf"]
    return browser.post(REVIEW, {"csrf": token, "ticket": list(tickets)})


def test_only_what_was_looked_at_is_approved(people: People) -> None:
    first, second, third = (file(people, name) for name in ("Ida", "Jon", "Kaj"))
    adam = Browser(people).sign_in("adam")
    page = reviewed(adam, first, second, third)
    answer = adam.send(
        page,
        APPROVE,
        looked_at=[first, third],
        **{f"ground-{first}": "objection", f"ground-{third}": "child_services"},
        **{f"names-{first}": "Ida", f"names-{third}": "Kaj"},
    )
    assert answer.status == 200
    assert [state(people, ticket) for ticket in (first, second, third)] == ["approved", "under_review", "approved"]
    assert people["olivia"].get(f"/v1/tickets/{third}").json()["ground"] == "child_services"


def test_refused_one_does_not_hold_up_the_others(people: People) -> None:
    own, other, changed = file(people, "Ida"), file(people, "Jon", by="rosa"), file(people, "Kaj", by="rosa")
    olivia = Browser(people).sign_in("olivia")
    page = reviewed(olivia, own, other, changed)
    assert f"ground-{own}" not in page.form(APPROVE).fields  # nothing to tick for what one filed oneself
    people["rosa"].patch(f"/v1/tickets/{changed}", {"urgent": True})
    names = {f"names-{own}": "Ida", f"names-{other}": "Jon", f"names-{changed}": "Kaj"}
    fields = {f"ground-{ticket}": "objection" for ticket in (own, other, changed)} | {f"etag-{own}": '"2"'} | names
    answer = olivia.send(page, APPROVE, looked_at=[own, other, changed], **fields)
    assert "It was changed in the meantime" in answer.words
    states = [state(people, ticket) for ticket in (own, other, changed)]
    assert states == ["under_review", "approved", "under_review"]


def test_request_whose_names_are_not_given_is_not_approved(people: People) -> None:
    ticket = file(people, "Ida")
    adam = Browser(people).sign_in("adam")
    for given in ("", "Jon", "Ida\nJon"):
        answer = adam.send(reviewed(adam, ticket), APPROVE, looked_at=[ticket], **{f"names-{ticket}": given})
        assert ("not approved" in answer.words, state(people, ticket)) == (True, "under_review")


def test_nothing_ticked_or_another_role_is_refused(people: People) -> None:
    ticket = file(people, "Ida")
    adam, ada = Browser(people).sign_in("adam"), Browser(people).sign_in("ada")
    assert reviewed(adam).status == 422
    assert adam.send(reviewed(adam, ticket), APPROVE).status == 422
    assert reviewed(ada, ticket).status == 403
    assert reviewed(adam, *(f"T-{n:08}" for n in range(51))).status == 422


def test_sent_twice_it_is_approved_once(people: People) -> None:
    ticket = file(people, "Ida")
    adam = Browser(people).sign_in("adam")
    page = reviewed(adam, ticket)
    for _ in range(2):
        assert "not approved" not in adam.send(page, APPROVE, looked_at=[ticket], **{f"names-{ticket}": "Ida"}).words
    events = people["olivia"].get(f"/v1/tickets/{ticket}").json()["events"]
    assert [event["state"] for event in events].count("approved") == 1
