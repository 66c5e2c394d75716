"""The refit and audit workers without Celery: the demo model, few reference people, a test's own database.

Imported only where a test needs the model: this module loads torch.
"""

import base64
import io
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from PIL.Image import Image
from sqlalchemy import text

from services.audit import about_tickets, black_box, paper_tasks, suite
from services.audit.context import AuditContext
from services.audit.suite import Suite
from services.audit.tasks import audit_version
from services.audit.verdict import Thresholds
from services.refit.context import RefitContext
from services.refit.tasks import run_order
from services.request.tickets.progress import move_tickets
from shared.crypto.keyring import KeyRing
from shared.crypto.signing import Signer, Verifier
from shared.db.models.erasers import EraserVersion
from shared.db.session import transaction
from shared.erasure.recipe import LACUNA
from shared.evaluation.people import Person
from shared.evaluation.reference import Reference, load_reference
from shared.storage.base import ObjectStore
from shared.vlm.engine import Engine
from shared.vlm.loading import load
from tests.support.api import MODEL, People
from tests.support.databases import Databases

MODEL_FOLDER: Final = Path(__file__).resolve().parents[2] / "models/demo-vlm"
PEOPLE: Final = {
    "forgettable": 8, "retain_fit": 3, "calibration": 3, "held_out": 2, "celebrity_fit": 1, "celebrity_eval": 1,
    "stranger_fit": 4, "stranger_eval": 1,
}  # fmt: skip
QUESTIONS: Final = 16  # of each set of an audit; the whole suite asks a thousand questions (tests/integration)
QUESTIONS_PER_CELL: Final = 4
ATTACKS: Final = 8
# Of 16 answers one may change: a set so small cannot show the shares that a real audit demands.
THRESHOLDS: Final = Thresholds(
    identical_retain=0.9,
    identical_held_out=0.9,
    identical_celebrity=0.9,
    identical_stranger=0.9,
    identical_visible=0.7,
)


def load_demo_engine() -> Engine:
    """The shipped demo model."""
    return Engine(load(str(MODEL_FOLDER)))


def load_few_people() -> Reference:
    """The demo model's reference with few people: the tests ask what happens, not how well it works."""
    whole = load_reference(MODEL_FOLDER / "reference")
    people = tuple(person for split, most in PEOPLE.items() for person in whole.of(split)[:most])
    general = replace(whole.general, fit=whole.general.fit[:4], calibration=whole.general.calibration[:4])
    return replace(whole, people=people, general=general)


QUESTION_LIMITS: Final = (
    (about_tickets, "IN_FULL", QUESTIONS),
    (suite, "BYSTANDER_QUESTIONS", QUESTIONS),
    (black_box, "ATTACKS", ATTACKS),
    (paper_tasks, "QUESTIONS_PER_CELL", QUESTIONS_PER_CELL),
)


def png_base64(photo: Image) -> str:
    """The photograph as PNG in base64, as the API takes it."""
    buffer = io.BytesIO()
    photo.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def facts_of(person: Person, most: int = 2) -> list[dict[str, str]]:
    """The first facts of a person apart from the name, as the API takes them."""
    facts = [fact for fact in person.subject.facts if fact.attribute != "name"][:most]
    return [{"attribute": fact.attribute, "value": fact.value} for fact in facts]


class RunResult(NamedTuple):
    """What the row of a refit run says at the end."""

    status: str
    error: str | None
    notes: list[str] | None


class AuditResult(NamedTuple):
    """What the row of an audit says at the end."""

    verdict: str | None
    reasons: list[str]
    report: Any


@dataclass
class RefitHarness:
    """People at the officer's API, and both workers on the same database and store."""

    people: People
    context: RefitContext
    audit_context: AuditContext
    database: Databases

    @classmethod
    def build(
        cls,
        people: People,
        database: Databases,
        store: ObjectStore,
        engine: Engine,
        audit_suite: Suite,
        keys: KeyRing,
        signer: Signer,
        verifier: Verifier,
    ) -> "RefitHarness":
        """Both contexts as their workers build them, with the recipe whose steering vectors are beside the model."""
        context = RefitContext(
            engine=engine,
            reference=audit_suite.reference,
            recipe=LACUNA,
            model_id=MODEL,
            store=store,
            keys=keys,
            signer=signer,
            database=database.engine("refit"),
        )
        audit_context = AuditContext(audit_suite, THRESHOLDS, store, keys, verifier, database.engine("audit"))
        return cls(people, context, audit_context, database)

    @property
    def reference(self) -> Reference:
        """The few people."""
        return self.context.reference

    def file_and_approve(self, person: Person) -> str:
        """An approved ticket about `person`, with two facts and the photograph; its id."""
        photos = [png_base64(photo) for photo in person.subject.photos[:1]]
        return self.file(list(person.subject.names), facts_of(person), photos)

    def file(self, names: Sequence[str], facts: Sequence[dict[str, str]], photos: Sequence[str]) -> str:
        """An approved ticket with this content; its id."""
        body = {"names": list(names), "facts": list(facts), "photos": list(photos)}
        ticket = str(self.people["olivia"].post("/v1/tickets", body).json()["id"])
        if not names:
            self.people["adam"].post(f"/v1/tickets/{ticket}/material", {"reason": "to see whom it is about"})
        approval = self.people["adam"].post(
            f"/v1/tickets/{ticket}/approve", {"ground": "consent_withdrawn", "names": list(names)}
        )
        assert approval.status_code == 200
        return ticket

    def ticket(self, ticket_id: str) -> Any:
        """The ticket as the API shows it."""
        return self.people["olivia"].get(f"/v1/tickets/{ticket_id}").json()

    def refit(
        self,
        *,
        kind: str = "urgent",
        run_id: str | None = None,
        recipe: str | None = None,
        context: RefitContext | None = None,
    ) -> RunResult:
        """Carry out one order, a new one by default; then move the tickets, as the control loop does."""
        run_id = run_id or str(uuid.uuid4())
        run_order(context or self.context, run_id, MODEL, kind, recipe=recipe)
        with transaction(self.people.context.database) as session:
            move_tickets(session, MODEL)
        return RunResult(*self.row("SELECT status, error, notes FROM refit_run WHERE id = :id", id=run_id))

    def audit(self, number: int | None = None) -> AuditResult:
        """Audit a version, the newest by default."""
        audit_id = str(uuid.uuid4())
        newest = self.row("SELECT max(number) FROM eraser_version")[0]
        audit_version(self.audit_context, audit_id, str(self.version(newest if number is None else number).id))
        return AuditResult(*self.row("SELECT verdict, reasons, report FROM audit_run WHERE id = :id", id=audit_id))

    def version(self, number: int) -> EraserVersion:
        """The row of a version."""
        with transaction(self.people.context.database) as session:
            version: EraserVersion = session.query(EraserVersion).filter_by(number=number).one()
            return version

    def manifest(self, number: int) -> Any:
        """The manifest of a version, as the API shows it."""
        return self.people["oscar"].get(f"/v1/erasers/{number}").json()["manifest"]

    def add_retain_set(self, rows: Sequence[dict[str, Any]]) -> Any:
        """Add an operator's retain set and use it from now on; the API's answer."""
        return self.people["olivia"].post("/v1/retain-sets", {"rows": list(rows)}).json()

    def add_retain_prompts(self, *prompts: str) -> None:
        """Add and use a retain set of prompts for the fit, which makes another statistics digest."""
        self.add_retain_set([{"prompt": prompt, "split": "fit"} for prompt in prompts])

    def row(self, query: str, **values: Any) -> Any:
        """The only row of a query, under the administrator's role."""
        with transaction(self.database.engine("admin")) as session:
            return session.execute(text(query), values).one()

    def scalar(self, query: str, **values: Any) -> Any:
        """The only value of a query."""
        return self.row(query, **values)[0]
