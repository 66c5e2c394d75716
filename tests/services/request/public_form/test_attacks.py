"""What somebody tries who wants more of the form than to file a request of their own."""

import threading
from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlalchemy import text

from services.request.public_form import links
from services.request.public_form.mail import compose
from services.request.retention.jobs import Shredder
from services.request.retention.service import Retention
from services.request.tickets import jobs
from shared.db.session import transaction
from shared.errors import Conflict
from shared.storage.local import LocalStore
from tests.services.request.public_form.conftest import MARA, START, PublicForm
from tests.support.databases import Databases

FACTS = [{"attribute": "employer", "value": "Marble & Finch"}]


@pytest.mark.parametrize("name", ["<b>", "%d", "%(x)s", "100 %", "<i>%s</i>"])
def test_text_of_an_error_is_neither_markup_nor_a_format(form: PublicForm, name: str) -> None:
    page = form.filed(form.browser(), name=[name, "", ""], about=[""], fact=[""])
    assert "<b>" not in page.text
    assert page.status in (200, 422), page.words
    if page.status == 422:
        assert f"The name '{name}'" in page.words


@pytest.mark.parametrize("law", ["", "gdpr", "uk_gdpr", "ccpa"])
def test_no_law_tells_a_duplicate(form: PublicForm, law: str) -> None:
    form.people["olivia"].post("/v1/tickets", {"names": ["Mara Lindqvist"], "facts": FACTS})
    browser = form.browser()
    known, unknown = form.filed(browser, law=law), form.filed(browser, name=["Ida Borg", "", ""], law=law)
    assert {item["state"] for item in form.tickets()} == {"under_review", "duplicate", "identity_pending"}
    assert known.words.replace(known.url, "") == unknown.words.replace(unknown.url, "")


def test_a_form_in_another_persons_name_holds_up_nobody(form: PublicForm) -> None:
    """What an officer files is a request of its own until the form's is proved; then it is a duplicate, as always."""
    olivia, adam = form.people["olivia"], form.people["adam"]
    form.filed(form.browser())
    (by_form,) = (item["id"] for item in form.tickets())
    body = {"names": ["Mara Lindqvist"], "facts": FACTS}
    own = olivia.post("/v1/tickets", body).json()
    assert (own["state"], own["duplicate_of"]) == ("under_review", None)
    assert by_form in olivia.get(f"/v1/tickets/{own['id']}").json()["events"][-1]["note"]
    approved = adam.post(f"/v1/tickets/{own['id']}/approve", {"names": ["Mara Lindqvist"], "ground": "objection"})
    assert approved.status_code == 200, approved.text
    again = olivia.post("/v1/tickets", body).json()
    assert (again["state"], again["duplicate_of"]) == ("duplicate", own["id"])


def test_a_form_that_is_proved_counts_as_the_earlier_request(form: PublicForm) -> None:
    olivia = form.people["olivia"]
    form.filed(form.browser())
    (by_form,) = (item["id"] for item in form.tickets())
    checked = olivia.post(
        f"/v1/tickets/{by_form}/identity", {"outcome": "verified", "method": "email_link", "note": "x"}
    )
    assert checked.status_code == 200, checked.text
    again = olivia.post("/v1/tickets", {"names": ["Mara Lindqvist"], "facts": FACTS}).json()
    assert (again["state"], again["duplicate_of"]) == ("duplicate", by_form)


@pytest.mark.parametrize("way", ["rejected", "distinguished"])
def test_duplicate_that_becomes_a_request_of_its_own_waits_for_an_identity_check(form: PublicForm, way: str) -> None:
    olivia, adam = form.people["olivia"], form.people["adam"]
    earlier = olivia.post("/v1/tickets", {"names": ["Mara Lindqvist"], "facts": FACTS}).json()["id"]
    page = form.filed(form.browser())
    (own,) = (item["id"] for item in form.tickets() if item["id"] != earlier)
    if way == "rejected":
        answer = adam.post(f"/v1/tickets/{earlier}/reject", {"code": "no_match", "note": "Nobody."})
    else:
        answer = olivia.post(f"/v1/tickets/{own}/distinguish", {"reason": "Another one."})
    assert answer.status_code == 200, answer.text
    shown = olivia.get(f"/v1/tickets/{own}").json()
    assert (shown["state"], shown["identity"]) == ("identity_pending", "doubted")
    assert shown["clock"] == "paused"
    refused = adam.post(f"/v1/tickets/{own}/approve", {"names": ["Mara Lindqvist"], "ground": "objection"})
    assert (refused.status_code, refused.json()["state"]) == (409, "identity_pending")
    assert "make sure that it is you" in form.browser().open(page.url).words
    checked = olivia.post(f"/v1/tickets/{own}/identity", {"outcome": "verified", "method": "email_link", "note": "x"})
    assert checked.status_code == 200, checked.text
    approved = adam.post(f"/v1/tickets/{own}/approve", {"names": ["Mara Lindqvist"], "ground": "objection"})
    assert approved.status_code == 200, approved.text


@pytest.mark.parametrize("law", ["gdpr", "ccpa"])
def test_unproved_duplicate_ends_as_every_unproved_request_does(
    form: PublicForm, database: Databases, law: str
) -> None:
    """Its page must tell nothing of the earlier request, not even by never changing."""
    form.people["olivia"].post("/v1/tickets", {"names": ["Mara Lindqvist"], "facts": FACTS})
    browser = form.browser()
    known, unknown = form.filed(browser, law=law), form.filed(browser, name=["Ida Borg", "", ""], law=law)
    assert jobs.expire_unverified(form.people.control, timedelta(days=30)) is None
    assert {item["state"] for item in form.tickets()} == {"under_review", "duplicate", "identity_pending"}
    with transaction(database.engine("admin")) as session:
        session.execute(text("ALTER TABLE ticket DISABLE TRIGGER USER"))
        session.execute(text("ALTER TABLE ticket_event DISABLE TRIGGER USER"))
        if law == "ccpa":
            session.execute(text("UPDATE ticket SET due_at = now() - interval '1 day'"))
        else:
            session.execute(text("UPDATE ticket_event SET at = at - interval '31 days'"))
        session.execute(text("ALTER TABLE ticket ENABLE TRIGGER USER"))
    jobs.expire_unverified(form.people.control, timedelta(days=30))
    assert sorted(item["state"] for item in form.tickets()) == ["expired", "expired", "under_review"]
    first, second = browser.open(known.url).words, browser.open(unknown.url).words
    assert first.replace(known.url, "") == second.replace(unknown.url, "")
    assert "not shown in time that it is you" in first


def test_whoever_is_proved_is_shown_what_becomes_of_the_earlier_request(form: PublicForm) -> None:
    olivia, adam = form.people["olivia"], form.people["adam"]
    earlier = olivia.post("/v1/tickets", {"names": ["Mara Lindqvist"], "facts": FACTS}).json()["id"]
    page = form.filed(form.browser())
    (own,) = (item["id"] for item in form.tickets() if item["id"] != earlier)
    doubt = olivia.post(f"/v1/tickets/{own}/identity", {"outcome": "doubted", "note": "x"})
    assert (doubt.status_code, "no longer checked" in doubt.json()["detail"]) == (409, True)
    checked = olivia.post(f"/v1/tickets/{own}/identity", {"outcome": "verified", "method": "email_link", "note": "x"})
    assert checked.status_code == 200, checked.text
    assert (checked.json()["state"], checked.json()["identity"]) == ("duplicate", "verified")
    assert "We are working at your request" in form.browser().open(page.url).words
    adam.post(f"/v1/tickets/{earlier}/approve", {"names": ["Mara Lindqvist"], "ground": "objection"})
    olivia.post(f"/v1/tickets/{earlier}/withdraw", {"note": "x"})
    shown = olivia.get(f"/v1/tickets/{own}").json()
    assert (shown["state"], shown["identity"]) == ("under_review", "verified")  # a request of its own, and proved
    assert "We are working at your request" in form.browser().open(page.url).words


def test_duplicates_that_ended_leave_room_for_others(open_form: Callable[..., PublicForm]) -> None:
    form = open_form(most_waiting=1)
    olivia = form.people["olivia"]
    earlier = olivia.post("/v1/tickets", {"names": ["Mara Lindqvist"], "facts": FACTS}).json()["id"]
    form.filed(form.browser())
    assert form.begun(form.browser()).status == 503
    (own,) = (item["id"] for item in form.tickets() if item["id"] != earlier)
    olivia.post(f"/v1/tickets/{own}/identity", {"outcome": "verified", "method": "email_link", "note": "x"})
    assert form.begun(form.browser()).status == 200


def test_who_verified_the_identity_cannot_approve_alone(form: PublicForm, database: Databases) -> None:
    """Else one person files in the name of anybody, says who it is and approves it. The database refuses it too."""
    form.filed(form.browser())
    (ticket,) = form.tickets()
    path, adam = f"/v1/tickets/{ticket['id']}", form.people["adam"]
    check = {"outcome": "verified", "method": "email_link", "note": "Compared."}
    decision = {"names": ["Mara Lindqvist"], "ground": "objection"}
    assert adam.post(f"{path}/identity", check).status_code == 200
    refused = adam.post(f"{path}/approve", decision)
    assert (refused.status_code, "verified the identity" in refused.json()["detail"]) == (403, True)
    statement = "UPDATE ticket SET state = 'approved', decided_by = 'adam', decided_at = now(), ground = 'objection'"
    with pytest.raises(Conflict, match="neither filed"), transaction(database.engine("request")) as session:
        session.execute(text(statement))
    assert form.people["olivia"].post(f"{path}/identity", check).status_code == 200
    assert adam.post(f"{path}/approve", decision).status_code == 200


def test_code_that_was_never_sent_cannot_be_guessed(form: PublicForm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each form that is begun gives five guesses at an address to which nothing is sent any more."""
    monkeypatch.setattr("services.request.public_form.service.CODES_OF_ADDRESS", ())
    monkeypatch.setattr("services.request.public_form.service.UNDECIDED_OF_ADDRESS", 0)
    monkeypatch.setattr("services.request.public_form.links.code_of", lambda *_: "12345678")
    browser = form.browser()
    page = form.begun(browser)
    assert form.mails() == []
    answer = browser.send(page, f"{page.url}/code", code="12345678")
    assert (answer.status, "not the code" in answer.words) == (422, True)


def test_code_is_guessed_five_times_whoever_sends_at_the_same_time(form: PublicForm, database: Databases) -> None:
    page = form.begun(form.browser())
    code = form.code()

    def guess() -> None:
        form.browser().client.post(f"{page.url}/code", data={"code": "0"}, follow_redirects=False)

    threads = [threading.Thread(target=guess) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert form.browser().post(f"{page.url}/code", {"code": code}).status == 422
    with transaction(database.engine("admin")) as session:
        assert session.execute(text("SELECT tries, proved_at FROM form_request")).one() == (5, None)


def test_forged_link_costs_no_question_to_the_database(form: PublicForm, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr("services.request.public_form.pages.transaction", asked.append)
    browser = form.browser()
    for path in (f"{START}/{'A' * 43}", f"{START}/x"):
        assert browser.open(path).status == 404
        assert browser.post(f"{path}/code", {"code": "1"}).status == 404
        assert browser.post(f"{path}/file", {"name": "x"}).status == 404
    assert asked == []


def test_one_form_has_one_place_among_those_that_are_read(form: PublicForm) -> None:
    """Else one person who sends photographs slowly keeps everybody out."""
    browser = form.browser()
    page, other = form.proved(browser), form.proved(browser, "ida@example.com")
    number = links.form_of(form.people.context.keys, page.url.rpartition("/")[2])
    form.people.app.app.state.forms_under_way.add(number)  # type: ignore[attr-defined]
    assert browser.send(page, f"{page.url}/file", name=["Mara Lindqvist"]).status == 409
    assert browser.send(other, f"{other.url}/file", name=["Ida Borg"]).status == 200
    assert MARA not in page.text


@pytest.mark.parametrize(
    "address",
    ["=?utf-8?q?a=40x.com=2cb?=@ab.cd", "=?utf-8?q?x=0aBcc=3ay=40z.zz?=@ab.cd", "=?utf-8?b?YUB4LmNvbT4=?=@ab.cd"],
)
def test_encoded_word_is_no_address(form: PublicForm, address: str) -> None:
    """In a header it would be read as other addresses, or as another header (RFC 2047)."""
    page = form.begun(form.browser(), address)
    assert (page.status, form.mails()) == (422, [])


def test_mail_that_cannot_be_written_keeps_back_no_other(form: PublicForm, monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("bad@example.com", MARA):
        form.begun(form.browser(), address)

    def refusing(sender: str, to: str, *text: str) -> EmailMessage:
        if to.startswith("bad@"):
            raise ValueError("no header")
        return compose(sender, to, *text)

    monkeypatch.setattr("services.request.public_form.jobs.compose", refusing)
    assert [mail["To"] for mail in form.mails()] == [MARA]


def test_refused_forms_leave_nothing_sealed(
    open_form: Callable[..., PublicForm], store: LocalStore, shredding_folder: Path
) -> None:
    """Else whoever sends them fills the store of keys, and the material of people whose requests nobody took stays."""
    form = open_form(most_waiting=1)
    browser = form.browser()
    first, second = form.proved(browser), form.proved(browser)

    def sealed() -> tuple[list[str], set[str]]:
        Shredder(form.people.control, Retention(timedelta(days=30))).run()
        return sorted(store.list("payloads/")), {file.name for file in shredding_folder.iterdir()}

    fields = {"name": ["Mara Lindqvist"], "about": [""], "fact": [""]}
    assert browser.send(first, f"{first.url}/file", **fields).status == 200
    before = sealed()
    assert browser.send(second, f"{second.url}/file", **fields).status == 503
    assert form.begun(browser).status == 503
    assert sealed() == before
