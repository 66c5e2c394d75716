"""Drafts of letters to the person, from the rows of a ticket: which can be written now, and their text.

A letter has a template and a language; what the law says in it is in `laws.py`. It holds no personal data beyond what
an officer wrote into it: the person is addressed by no name. What only an officer can know stands in square brackets
and has to be filled in before the letter is recorded.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, get_args

from jinja2 import Environment
from sqlalchemy.orm import Session

from services.request.documents.language import DEFAULT, LANGUAGES, Language, language, mark
from services.request.documents.templates import open_templates
from services.request.letters.laws import letter_law, refusal_reason
from shared.core.clock import utc_now
from shared.core.config import ControllerSettings
from shared.db.models.tickets import Ticket
from shared.db.repositories import certificates, ticket_clocks
from shared.domain.deadlines import Calendar
from shared.domain.regimes import regime
from shared.domain.ticket_lifecycle import UNDECIDED
from shared.domain.ticket_scope import scope
from shared.errors import Conflict

LetterKind = Literal["receipt", "extension", "information", "completion", "refusal"]
KINDS: Final[tuple[LetterKind, ...]] = get_args(LetterKind)
FOLDER: Final = Path(__file__).parent
TITLES: Final[dict[LetterKind, str]] = {
    "receipt": mark("We received your request to be forgotten"),
    "extension": mark("We need more time for your request to be forgotten"),
    "information": mark("We need more information for your request to be forgotten"),
    "completion": mark("We have granted your request to be forgotten"),
    "refusal": mark("We do not act on your request to be forgotten"),
}
NOT_YET: Final[dict[LetterKind, str]] = {
    "receipt": "has ended",
    "extension": "was not extended",
    "information": "is decided",
    "completion": "is not completed",
    "refusal": "is neither rejected nor expired",
}
GAP: Final = re.compile(r"\[[^\[\]]*\]")  # what has to be filled in
UNPROVED: Final = "insufficient_verification"  # why a request that expired is refused
BLANK_LINES: Final = re.compile(r"\n{3,}")


@dataclass(frozen=True)
class Draft:
    """A letter that nobody has recorded. `wanted` is the language of the ticket, where there is no letter in it."""

    kind: LetterKind
    regime: str
    language: str
    wanted: str | None
    text: str

    @property
    def gaps(self) -> list[str]:
        """What has to be filled in, in square brackets."""
        return GAP.findall(self.text)


@dataclass(frozen=True)
class _Facts:
    """What the rows say of a ticket that letters repeat."""

    received_on: date
    due: date
    extendable: bool
    extension_reason: str | None
    certificate: int | None


def possible(session: Session, ticket: Ticket) -> list[LetterKind]:
    """The letters that can be written now."""
    events = ticket_clocks.list_clock_events(session, ticket.id)
    can = {
        "receipt": ticket.clock != "stopped",
        "extension": any(event.kind == "extended" for event in events),
        "information": ticket.state in UNDECIDED,
        "completion": ticket.state == "completed",
        "refusal": ticket.state in ("rejected", "expired"),
    }
    return [kind for kind in KINDS if can[kind]]


def draft(
    session: Session,
    ticket: Ticket,
    kind: LetterKind,
    controller: ControllerSettings,
    author: str,
    wanted: str | None = None,
) -> Draft:
    """The letter as its template has it, in the language `wanted`, else in the first of the ticket's.

    Languages without letters get English. `author` signs it where the settings let staff be named. Raises Conflict for
    a letter that the state of the ticket does not allow.
    """
    if kind not in possible(session, ticket):
        raise Conflict(f"{ticket.id} {NOT_YET[kind]}: there is no {kind} letter to write.")
    wanted = wanted or (ticket.languages[0] if ticket.languages else DEFAULT)
    spoken = language(wanted if wanted in LANGUAGES else DEFAULT, FOLDER / "languages")
    facts = _facts(session, ticket)
    law = letter_law(ticket.regime)
    places = {"due": spoken.date(facts.due), "opt_out": controller.opt_out}
    say = _sayer(spoken, places)
    text = _environment(spoken).get_template(f"{kind}.txt").render(
        title=spoken.gettext(TITLES[kind]),
        controller=_letterhead(controller, spoken),
        today=spoken.date(Calendar(ticket.calendar, ticket.zone).date_at(utc_now())),
        ticket=ticket.id,
        external_ref=ticket.external_ref,
        signature="\n".join(filter(None, (author if controller.staff_names else "", controller.name))),
        received=spoken.date(facts.received_on),
        extendable=facts.extendable,
        reason=facts.extension_reason or "",
        needed=f"[{spoken.gettext(mark('what you need from the person, and how they can send it'))}]",
        clock_said=ticket.clock == "paused" or not regime(ticket.regime).pausable,
        completed=_day(ticket, ticket.required_since, spoken),
        model=ticket.model_id,
        scope=_scope(ticket, spoken),
        payload=spoken.gettext(_payload(ticket)),
        certificate=facts.certificate,
        note=ticket.decision_note or spoken.gettext(mark("We asked you for a proof, and received none in time.")),
        refusal=refusal_reason(ticket.regime, ticket.decision_code or UNPROVED) if kind == "refusal" else None,
        opt_out=controller.opt_out,
        law=law,
        say=say,
    )  # fmt: skip
    text = BLANK_LINES.sub("\n\n", text).strip() + "\n"
    return Draft(kind, ticket.regime, spoken.code, wanted if wanted != spoken.code else None, text)


def _facts(session: Session, ticket: Ticket) -> _Facts:
    events = ticket_clocks.list_clock_events(session, ticket.id)
    clock = ticket_clocks.current_clock(session, ticket)
    newest = certificates.newest_certificate(session, ticket.id)
    return _Facts(
        received_on=Calendar(ticket.calendar, ticket.zone).date_at(events[0].at),
        due=clock.due,
        extendable=clock.extendable,
        extension_reason=next((event.reason for event in reversed(events) if event.kind == "extended"), None),
        certificate=newest.number if newest is not None and newest.status == "in_force" else None,
    )


def _scope(ticket: Ticket, spoken: Language) -> str:
    covered = scope(names=len(ticket.subject_index), photographs=ticket.photos, facts=ticket.facts)
    return " ".join(spoken.gettext(sentence) for sentence in covered)


def _payload(ticket: Ticket) -> str:
    if ticket.payload_wrapped_key is None:
        return mark("The names, facts and photographs that you gave us for it are destroyed.")
    return mark(
        "The names, facts and photographs that you gave us for it are kept encrypted for a set time, and then "
        "destroyed."
    )


def _letterhead(controller: ControllerSettings, spoken: Language) -> str:
    if not controller.name:
        return f"[{spoken.gettext(mark('name, address and contact of the controller'))}]"
    return "\n".join(filter(None, (controller.name, controller.address, controller.contact)))


def _day(ticket: Ticket, moment: datetime | None, spoken: Language) -> str:
    return spoken.date(Calendar(ticket.calendar, ticket.zone).date_at(moment)) if moment is not None else ""


def _sayer(spoken: Language, places: dict[str, Any]) -> Callable[[str], str]:
    """A function that says a sentence of the law in the language, with its places filled."""
    return lambda sentence: spoken.gettext(sentence) % places if sentence else ""


@lru_cache
def _environment(spoken: Language) -> Environment:
    return open_templates(FOLDER / "templates", spoken, escapes=False)
