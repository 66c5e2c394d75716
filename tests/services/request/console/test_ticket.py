"""One request in the console: what it says, what it offers to whom, and that the rules are those of the API."""

from typing import Any

import pytest

from tests.support.api import People
from tests.support.console import Browser, Fields
from tests.support.workers import Worker

NAMES = "Mara Lindqvist"


@pytest.fixture
def ticket(people: People, ticket_body: dict[str, Any]) -> str:
    return str(people["olivia"].post("/v1/tickets", ticket_body).json()["id"])


def path(ticket: str, verb: str = "") -> str:
    return f"/console/tickets/{ticket}{'/' if verb else ''}{verb}"


def shown(people: People, ticket: str) -> Any:
    return people["olivia"].get(f"/v1/tickets/{ticket}").json()


def test_approval_by_a_second_person_says_what_comes_next(people: People, ticket: str) -> None:
    adam = Browser(people).sign_in("adam")
    page = adam.send(adam.open(path(ticket)), path(ticket, "approve"), ground="objection", names=NAMES)
    assert page.status == 200
    assert "waits for the nightly refit at" in page.words
    assert "02:00 UTC" in page.words
    stored = shown(people, ticket)
    assert (stored["state"], stored["decided_by"], stored["ground"]) == ("approved", "adam", "objection")


def test_urgent_approval_orders_the_refit(people: People, ticket: str) -> None:
    adam = Browser(people).sign_in("adam")
    page = adam.send(adam.open(path(ticket)), path(ticket, "approve"), ground="objection", names=NAMES, urgent="yes")
    assert "a refit is ordered" in page.words
    assert shown(people, ticket)["state"] == "scheduled"


def test_whoever_filed_is_offered_no_approval_and_refused_one(people: People, ticket: str) -> None:
    olivia = Browser(people).sign_in("olivia")
    page = olivia.open(path(ticket))
    assert not page.offers(path(ticket, "approve"))
    assert "another person has to approve it" in page.words
    fields = page.form(path(ticket, "withdraw")).fields | {"ground": ["objection"]}
    answer = olivia.post(path(ticket, "approve"), fields)
    assert (answer.status, "A second person has to do this" in answer.words) == (403, True)
    assert shown(people, ticket)["state"] == "under_review"


def test_approver_who_saw_an_older_version_is_told_to_look_again(people: People, ticket: str) -> None:
    adam = Browser(people).sign_in("adam")
    page = adam.open(path(ticket))
    people["olivia"].patch(f"/v1/tickets/{ticket}", {"urgent": True})
    answer = adam.send(page, path(ticket, "approve"), ground="objection", names=NAMES)
    assert answer.status == 412
    assert shown(people, ticket)["state"] == "under_review"


def test_form_sent_twice_changes_things_once(people: People, ticket: str) -> None:
    adam = Browser(people).sign_in("adam")
    page = adam.open(path(ticket))
    for _ in range(2):
        assert adam.send(page, path(ticket, "approve"), ground="objection", names=NAMES).status == 200
    assert [event["state"] for event in shown(people, ticket)["events"]].count("approved") == 1


def test_reader_without_the_role_is_offered_nothing_and_refused_everything(people: People, ticket: str) -> None:
    ada = Browser(people).sign_in("ada")
    page = ada.open(path(ticket))
    assert page.status == 200
    fields = page.form("/console/sign-out").fields | {"etag": ['"2"'], "once": ["x" * 24]}
    for verb in (
        "approve",
        "reject",
        "withdraw",
        "identity",
        "extend",
        "hold",
        "release",
        "distinguish",
        "refit",
        "edit",
    ):
        assert not page.offers(path(ticket, verb)), verb
        more: Fields = {"ground": "objection", "code": "no_match", "note": "n", "reason": "r", "method": "in_person"}
        assert ada.post(path(ticket, verb), {**fields, **more}).status == 403, verb
    assert shown(people, ticket)["version"] == 2


def test_refusal_gives_the_letter(people: People, ticket: str) -> None:
    olivia = Browser(people).sign_in("olivia")
    page = olivia.send(olivia.open(path(ticket)), path(ticket, "reject"), code="no_match", note="We hold nothing.")
    assert "Refused" in page.words
    letter = olivia.open(path(ticket, "letters/draft/refusal"))
    assert "We hold nothing." in letter.words
    assert "supervisory authority" in letter.words


def test_letter_is_changed_recorded_and_read_again(people: People, ticket: str) -> None:
    olivia = Browser(people).sign_in("olivia")
    assert path(ticket, "letters/draft/refusal") not in olivia.open(path(ticket)).links
    place = path(ticket, "letters/draft/receipt")
    page = olivia.open(place)
    refused = olivia.send(page, place, text="Dear Ms Lindqvist, [to be filled in]")
    assert (refused.status, "Dear Ms Lindqvist" in refused.words) == (422, True)
    done = olivia.send(refused, place, text="Dear Ms Lindqvist, it is here.")
    assert "The letter is recorded." in done.words
    link = next(link for link in done.links if link.startswith(path(ticket, "letters/")) and "draft" not in link)
    assert "Dear Ms Lindqvist, it is here." in olivia.open(link).words
    assert olivia.open(f"{link}/pdf").headers["content-type"] == "application/pdf"
    assert "Sehr geehrte Damen und Herren" in olivia.open(f"{place}?language=de").words
    oscar = Browser(people).sign_in("oscar")
    assert link not in oscar.open(path(ticket)).links
    assert (oscar.open(link).status, oscar.open(place).status) == (403, 403)


def test_reasons_of_a_refusal_are_those_of_the_law(people: People, ticket_body: dict[str, Any]) -> None:
    californian = people["olivia"].post("/v1/tickets", ticket_body | {"regime": "ccpa"}).json()["id"]
    page = Browser(people).sign_in("adam").open(path(californian))
    assert 'value="deletion_request"' in page.text
    assert 'value="consent_withdrawn"' not in page.text
    page = Browser(people).sign_in("olivia").open(path(californian))
    assert 'value="research"' in page.text
    assert 'value="public_health"' not in page.text


def test_extension_gives_the_letter_and_is_possible_once(people: People, ticket: str) -> None:
    olivia = Browser(people).sign_in("olivia")
    letter = olivia.send(olivia.open(path(ticket)), path(ticket, "extend"), reason="Many requests came at once.")
    assert "Many requests came at once." in letter.words
    assert not olivia.open(path(ticket)).offers(path(ticket, "extend"))


def test_doubt_stops_the_clock_and_proof_starts_it(people: People, ticket: str) -> None:
    olivia = Browser(people).sign_in("olivia")
    page = olivia.send(olivia.open(path(ticket)), path(ticket, "identity"), method="", note="A strange address.")
    assert "The clock stands still" in page.words
    page = olivia.send(page, path(ticket, "identity"), method="in_person", note="She came with a passport.")
    assert "verified: in person, by olivia" in page.words
    assert shown(people, ticket)["clock"] == "running"


def test_hold_is_released_by_two_people(people: People, ticket: str) -> None:
    olivia, adam = Browser(people).sign_in("olivia"), Browser(people).sign_in("adam")
    page = olivia.send(olivia.open(path(ticket)), path(ticket, "hold"), reason="A court asked.")
    assert "A court asked." in page.words
    page = olivia.send(page, path(ticket, "release"), reason="It is over.")
    assert olivia.send(page, path(ticket, "release"), reason="It is over.").status == 403
    page = adam.send(adam.open(path(ticket)), path(ticket, "release"), reason="Yes.")
    assert not page.offers(path(ticket, "release"))
    assert shown(people, ticket)["hold"] is None


def test_withdrawal_says_its_consequence_before_it_is_pressed(
    people: People, ticket: str, worker: Worker, ticket_body: dict[str, Any]
) -> None:
    adam = Browser(people).sign_in("adam")
    assert "nothing changes in the model" in adam.open(path(ticket)).words
    people["adam"].post(f"/v1/tickets/{ticket}/approve", {"ground": "objection", "names": [NAMES]})
    worker.publish(ticket)
    page = adam.open(path(ticket))
    assert "the model may speak about them again" in page.words
    page = adam.send(page, path(ticket, "withdraw"), note="She changed her mind.")
    assert "Withdrawn" in page.words
    assert shown(people, ticket)["state"] == "withdrawn"


def test_duplicate_and_namesake_are_shown_side_by_side_without_a_name(
    people: People, ticket: str, ticket_body: dict[str, Any]
) -> None:
    again = people["olivia"].post("/v1/tickets", ticket_body).json()["id"]
    facts = [{"attribute": "city", "value": "Lund"}]
    namesake = people["olivia"].post("/v1/tickets", ticket_body | {"facts": facts}).json()["id"]
    olivia = Browser(people).sign_in("olivia")
    page = olivia.open(path(again))
    assert f"duplicate of {ticket}" in page.words
    assert "the same name, 1 fact" in page.words
    assert "the same name, 0 facts" in olivia.open(path(namesake)).words
    assert "Lindqvist" not in page.text
    spelled = people["olivia"].post("/v1/tickets", ticket_body | {"names": ["LINDQVIST, Mara"], "facts": facts}).json()
    assert "a name in another spelling, 0 facts" in olivia.open(path(spelled["id"])).words
    page = olivia.send(page, path(again, "distinguish"), reason="Another date of birth.")
    assert shown(people, again)["state"] == "under_review"
    assert "Waits for a decision" in page.words


def test_certificate_can_be_fetched_in_each_form_by_whoever_reads_tickets_only(people: People, ticket: str) -> None:
    assert Browser(people).open(path(ticket, "certificate/pdf")).url.startswith("/console/sign-in")
    assert Browser(people).sign_in("ada").open(path(ticket, "certificate/pdf")).status == 404  # there is none yet
    assert Browser(people).sign_in("ada").open(path(ticket, "certificate/exe")).status == 422


def test_unknown_request_and_page_are_pages_that_say_so(people: People) -> None:
    olivia = Browser(people).sign_in("olivia")
    for unknown in (path("T-00000000"), "/console/nothing", path("%00")):
        page = olivia.open(unknown)
        assert page.status in (404, 422), unknown
        assert page.headers["content-type"].startswith("text/html")


def test_approver_looks_at_the_material_with_a_reason_and_approves_then_without_typing_names(
    people: People, ticket: str
) -> None:
    adam = Browser(people).sign_in("adam")
    opened = adam.open(path(ticket))
    assert "Lindqvist" not in opened.text
    page = adam.send(opened, path(ticket, "material"), reason="To see that it is one person.")
    assert "Mara Lindqvist" in page.words
    assert "Marble & Finch" in page.words
    assert 'src="data:image/png;base64,' in page.text
    assert page.headers["cache-control"] == "no-store"
    assert "Lindqvist" not in adam.send(opened, path(ticket, "material"), reason="To see that it is one person.").text
    page = adam.send(page, path(ticket, "approve"), ground="objection")
    assert page.status == 200, page.words
    assert "To see that it is one person." in page.words
    assert shown(people, ticket)["state"] == "approved"
    ada = Browser(people).sign_in("ada")
    fields = ada.open(path(ticket)).form("/console/sign-out").fields | {"reason": ["x"], "etag": ['"3"']}
    assert ada.post(path(ticket, "material"), fields).status == 403
