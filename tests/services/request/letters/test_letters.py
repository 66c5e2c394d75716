"""Letters over HTTP: drafts by law and language, and letters as they were recorded, sealed and destroyed."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from services.cli.main import app
from services.request.app import build
from services.request.context import AppContext
from services.request.letters import service as letters_service
from services.request.retention import service as retention_service
from shared.core.clock import utc_now
from shared.core.config import ControllerSettings
from shared.crypto.keyring import KeyRing
from shared.db.models.letters import Letter
from shared.db.session import transaction
from shared.errors import Conflict, OnHold
from shared.storage.local import LocalStore
from tests.support.api import MODEL, OpenService, People
from tests.support.databases import Databases

CONTROLLER = ControllerSettings(name="Beispiel AG", address="Hauptstraße 1, Ulm", contact="dsb@beispiel.example")
LAWS = {"gdpr": "Artikel 17 DSGVO", "uk_gdpr": "Artikel 17 UK GDPR", "ccpa": "California Civil Code"}
UNGUARDED = text("SET LOCAL session_replication_role = replica")


@pytest.fixture
def people(open_service: OpenService, store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> People:
    """The service of a controller that has a name."""
    opened = open_service(store)
    object.__setattr__(opened.context, "controller", CONTROLLER)
    return opened


def filed(people: People, body: dict[str, Any], **more: Any) -> str:
    answer = people["olivia"].post("/v1/tickets", body | more)
    assert answer.status_code == 201, answer.text
    return f"/v1/tickets/{answer.json()['id']}"


def draft(people: People, path: str, kind: str, language: str = "en") -> dict[str, Any]:
    answer = people["olivia"].get(f"{path}/letters/draft/{kind}?language={language}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize("regime", LAWS)
def test_refusal_names_reason_rights_and_record_of_its_own_law(
    people: People, ticket_body: dict[str, Any], regime: str
) -> None:
    path = filed(people, ticket_body, regime=regime)
    note = "We published it as news."
    assert people["olivia"].post(f"{path}/reject", {"code": "freedom_of_expression", "note": note}).status_code == 200
    english, german = draft(people, path, "refusal"), draft(people, path, "refusal", "de")
    cited = {
        "gdpr": ("Article 17(3)(a) GDPR", "Article 77 GDPR", "Article 79 GDPR"),
        "uk_gdpr": ("Article 17(3)(a) UK GDPR", "section 164A", "Information Commissioner", "Article 79 UK GDPR"),
        "ccpa": ("section 1798.105(d)(4)", "11 CCR 7022(f)", "California Privacy Protection Agency", "11 CCR 7101"),
    }
    for phrase in (*cited[regime], note, "Beispiel AG", path.rpartition("/")[2]):
        assert phrase in english["text"], phrase
    assert note in german["text"]
    assert "Mit freundlichen Grüßen" in german["text"]
    for letter in (english, german):
        assert (letter["gaps"], letter["regime"]) == ([], regime)
        assert ("GDPR" in letter["text"] or "DSGVO" in letter["text"]) == (regime != "ccpa")
        assert "Mara Lindqvist" not in letter["text"]
        assert "olivia" not in letter["text"]
    assert people["olivia"].get(f"{path}/letter").json()["letter"] == english["text"]


def test_reason_that_the_law_does_not_have_cannot_be_chosen(people: People, ticket_body: dict[str, Any]) -> None:
    path = filed(people, ticket_body, regime="ccpa")
    refused = people["olivia"].post(f"{path}/reject", {"code": "public_health", "note": "-"})
    assert (refused.status_code, refused.json()["type"]) == (422, "/v1/problems/bad-input")
    assert "research" in refused.json()["detail"]
    assert people["olivia"].get(path).json()["state"] == "under_review"
    assert people["olivia"].post(f"{path}/reject", {"code": "research", "note": "-"}).status_code == 200


@pytest.mark.parametrize("regime", LAWS)
def test_every_letter_can_be_written_when_its_time_has_come(
    people: People, ticket_body: dict[str, Any], database: Databases, regime: str
) -> None:
    path = filed(people, ticket_body, regime=regime, languages=["de", "en"])
    listed = people["olivia"].get(f"{path}/letters").json()
    assert listed == {"items": [], "possible": ["receipt", "information"]}
    receipt = people["olivia"].get(f"{path}/letters/draft/receipt").json()
    assert (receipt["language"], receipt["wanted_language"]) == ("de", None)
    assert LAWS[regime] in receipt["text"]
    for kind in ("extension", "completion", "refusal"):
        assert people["olivia"].get(f"{path}/letters/draft/{kind}").status_code == 409
    information = draft(people, path, "information")
    assert len(information["gaps"]) == 1
    assert ("goes on meanwhile" in information["text"]) == (regime == "ccpa")
    people["olivia"].post(f"{path}/identity", {"outcome": "doubted", "note": "another address"})
    assert ("stands still" in draft(people, path, "information")["text"]) == (regime != "ccpa")
    extended = people["olivia"].post(f"{path}/extend", {"reason": "Four hundred requests came at once."})
    if regime == "ccpa":
        assert "Four hundred requests came at once." in draft(people, path, "extension")["text"]
        assert "1798.130(a)(2)" in extended.json()["letter"]
    with transaction(database.engine("admin")) as session:
        session.execute(UNGUARDED)
        session.execute(
            text(
                "UPDATE ticket SET state = 'completed', required_since = now(), decided_by = 'adam', "
                "decided_at = now(), ground = 'objection', identity = 'assumed'"
            )
        )
    completion = draft(people, path, "completion")["text"]
    for phrase in ("answers questions about you as it does about a stranger", "weights of the model are unchanged",
                   "Pictures of the person are covered"):  # fmt: skip
        assert phrase in completion
    assert MODEL in completion


def test_request_that_expired_is_refused_for_want_of_proof(
    people: People, ticket_body: dict[str, Any], database: Databases
) -> None:
    path = filed(people, ticket_body)
    with transaction(database.engine("admin")) as session:
        session.execute(UNGUARDED)
        session.execute(text("UPDATE ticket SET state = 'expired'"))
    letter = draft(people, path, "refusal")["text"]
    assert "We could not establish that it is you who asks." in letter
    assert "received none in time" in letter


def test_language_without_letters_gets_english_and_says_so(people: People, ticket_body: dict[str, Any]) -> None:
    path = filed(people, ticket_body, languages=["fr"])
    letter = people["olivia"].get(f"{path}/letters/draft/receipt").json()
    assert (letter["language"], letter["wanted_language"]) == ("en", "fr")
    assert "Dear Sir or Madam" in letter["text"]


def test_what_the_officer_sends_is_what_is_recorded(
    people: People, ticket_body: dict[str, Any], database: Databases
) -> None:
    path = filed(people, ticket_body)
    made = draft(people, path, "receipt")["text"]
    own = made.replace("Dear Sir or Madam,", "Dear Ms Lindqvist,")
    recorded = people["olivia"].post(f"{path}/letters", {"kind": "receipt", "language": "en", "text": own})
    assert recorded.status_code == 200, recorded.text
    answer = recorded.json()
    assert (answer["text"], answer["edited"], answer["recorded_by"]) == (own, True, "olivia")
    shown = people["adam"].get(f"{path}/letters/{answer['id']}")
    assert shown.json() == answer
    assert people["adam"].get(f"{path}/letters/{answer['id']}?format=text").text == own
    as_pdf = people["adam"].get(f"{path}/letters/{answer['id']}?format=pdf")
    with pypdfium2.PdfDocument(as_pdf.content) as document:
        assert "Dear Ms Lindqvist," in document[0].get_textpage().get_text_range()
    ticket = people["ada"].get(path).json()
    assert ticket["events"][-1]["kind"] == "letter.receipt"
    with transaction(database.engine("admin")) as session:
        row = session.execute(text("SELECT * FROM letter")).one()._mapping
        leaf = session.execute(text("SELECT detail FROM log_leaf WHERE kind = 'letter.recorded'")).scalar_one()
        assert session.execute(text("SELECT acknowledged_at IS NOT NULL FROM ticket")).scalar_one()
    assert leaf == {"letter": answer["id"], "kind": "receipt", "sha256": row["sha256"]}
    assert not [value for value in row.values() if "Lindqvist" in str(value) or b"Lindqvist" in _bytes(value)]


def _bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else b""


def test_letter_is_recorded_once_and_on_what_was_seen(people: People, ticket_body: dict[str, Any]) -> None:
    path = filed(people, ticket_body)
    body = {"kind": "receipt"}
    first, again = (
        people["olivia"].post(f"{path}/letters", body, **{"Idempotency-Key": "k", "If-Match": '"2"'}) for _ in range(2)
    )
    assert (first.status_code, first.json()["edited"]) == (200, False)
    assert again.json() == first.json() | {"text": None}
    assert people["olivia"].post(f"{path}/letters", body, **{"If-Match": '"2"'}).status_code == 412
    assert len(people["olivia"].get(f"{path}/letters").json()["items"]) == 1


def test_gap_has_to_be_filled_before_a_letter_is_recorded(people: People, ticket_body: dict[str, Any]) -> None:
    path = filed(people, ticket_body)
    refused = people["olivia"].post(f"{path}/letters", {"kind": "information"})
    assert (refused.status_code, refused.json()["type"]) == (422, "/v1/problems/bad-input")
    made = draft(people, path, "information")
    filled = made["text"].replace(made["gaps"][0], "a copy of your identity card")
    assert people["olivia"].post(f"{path}/letters", {"kind": "information", "text": filled}).status_code == 200
    object.__setattr__(people.context, "controller", ControllerSettings())
    assert "controller" in draft(people, path, "receipt")["gaps"][0]


def test_only_those_who_may_see_it_read_a_recorded_letter(people: People, ticket_body: dict[str, Any]) -> None:
    path = filed(people, ticket_body)
    letter = people["olivia"].post(f"{path}/letters", {"kind": "receipt"}).json()["id"]
    for name in ("olivia", "adam", "ada", "rosa"):
        assert people[name].get(f"{path}/letters/{letter}").status_code == 200
    assert people["oscar"].get(f"{path}/letters").json()["items"][0]["id"] == letter
    assert people["oscar"].get(f"{path}/letters/{letter}").status_code == 403
    other = filed(people, ticket_body | {"names": ["Ida Borg"]})
    assert people["olivia"].get(f"{other}/letters/{letter}").status_code == 404


def test_staff_sign_only_where_the_settings_let_them(people: People, ticket_body: dict[str, Any]) -> None:
    path = filed(people, ticket_body)
    assert draft(people, path, "receipt")["text"].endswith("Yours faithfully,\nBeispiel AG\n")
    object.__setattr__(people.context, "controller", CONTROLLER.model_copy(update={"staff_names": True}))
    assert draft(people, path, "receipt")["text"].endswith("Yours faithfully,\nolivia\nBeispiel AG\n")


def test_letter_is_destroyed_when_its_time_is_over_and_never_changed(
    people: People, ticket_body: dict[str, Any], database: Databases, keys: KeyRing, store: LocalStore
) -> None:
    path = filed(people, ticket_body)
    letter = people["olivia"].post(f"{path}/letters", {"kind": "receipt"}).json()["id"]
    people["olivia"].post(f"{path}/reject", {"code": "no_match", "note": "-"})
    control, keep = AppContext(database.engine("control"), store, keys, MODEL), timedelta(days=1096)

    def destroyed() -> int:
        with transaction(control.database) as session:
            return letters_service.destroy_old(session, MODEL, keep)

    assert destroyed() == 0
    with transaction(database.engine("admin")) as session:
        session.execute(UNGUARDED)
        old = {"at": utc_now() - timedelta(days=1200)}
        session.execute(text("UPDATE ticket_event SET at = :at"), old)
        session.execute(text("UPDATE letter SET recorded_at = :at"), old)
    people["olivia"].post(f"{path}/hold", {"reason": "a court asked"})
    assert destroyed() == 0
    destroy = "UPDATE letter SET sealed = NULL, wrapped_key = NULL, destroyed_at = now()"
    with pytest.raises(OnHold), transaction(control.database) as session:
        session.execute(text(destroy))
    people["olivia"].post(f"{path}/release", {"reason": "over"})
    people["adam"].post(f"{path}/release", {"reason": "over"})
    with pytest.raises(Conflict, match="stays as it was"), transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE letter SET kind = 'refusal'"))
    with pytest.raises(Conflict, match="key rotation"), transaction(control.database) as session:
        session.execute(text("UPDATE letter SET wrapped_key = 'x'"))
    assert (destroyed(), destroyed()) == (1, 0)
    assert people["ada"].get(f"{path}/letters/{letter}").status_code == 404
    assert people["ada"].get(f"{path}/letters").json()["items"][0]["destroyed_at"] is not None
    with transaction(control.database) as session:
        assert session.query(Letter).one().sealed is None
        assert retention_service.destroy_retired_keys(session, keys) == 1
        kinds = session.scalars(text("SELECT kind FROM log_leaf WHERE kind ~ '^letter' ORDER BY id")).all()
    assert kinds == ["letter.recorded", "letter.shredding_begun", "letter.destroyed"]


def test_command_line_writes_and_records_letters(
    people: People, ticket_body: dict[str, Any], listening: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = filed(people, ticket_body)
    ticket = path.rpartition("/")[2]
    monkeypatch.setenv("LACUNA_URL", listening(build(people.context)))
    monkeypatch.setenv("LACUNA_KEY", people.keys["olivia"])

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, ["letter", *words])
        assert done.exit_code == 0, done.output
        return done.output

    assert "Sehr geehrte Damen und Herren" in run("draft", ticket, "receipt", "--language", "de")
    assert "To be filled in" in run("draft", ticket, "information")
    pdf, draft_file = tmp_path / "letter.pdf", tmp_path / "letter.txt"
    run("draft", ticket, "receipt", "--out", str(pdf))
    assert pdf.read_bytes().startswith(b"%PDF")
    run("draft", ticket, "receipt", "--out", str(draft_file))
    draft_file.write_text(draft_file.read_text().replace("Dear Sir or Madam", "Dear Mara"))
    assert "is recorded" in run("record", ticket, "receipt", "--text", str(draft_file))
    recorded = people["olivia"].get(f"{path}/letters").json()["items"][0]["id"]
    assert recorded in run("list", ticket)
    assert "Dear Mara" in run("show", ticket, recorded)
