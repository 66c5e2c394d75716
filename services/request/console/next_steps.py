"""What happens now with a request, and what comes next, in one sentence. It decides nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.request.documents.language import Language, mark
from services.request.tickets.responses import TicketResponse
from shared.core.clock import utc_now
from shared.domain.nightly import latest_run_date, scheduled_at


@dataclass(frozen=True)
class Surroundings:
    """What the sentence needs beside the ticket."""

    nightly_hour: int  # UTC
    zone: str
    replicas: int  # that are live
    covering: int  # of them, those that serve a version which covers the ticket


SENTENCES: Final = {
    "received": mark("Received. It goes to review at once."),
    "scheduled": mark("Approved, and a refit is ordered: the next free worker begins with it."),
    "fitting": mark("A refit is building the version that forgets this person. Its audit comes next."),
    "auditing": mark("The new version is being audited. If it passes it is promoted, and the replicas load it."),
    "completed": mark("Forgotten: the audit passed and every replica serves a version that covers the request."),
    "rejected": mark("Refused. The person has to be told why, and how to complain: the letter below says it."),
    "withdrawn": mark("Withdrawn. If an eraser held it, a version without it follows."),
    "expired": mark("Expired: the identity of the person who asks was not proved in time."),
    "regressed": mark(
        "It was forgotten, and is exposed again: for a time that two people allowed, or as an audit of the served "
        "version was told facts again. Order a refit, or file another request that says more; it is completed again "
        "when an audit is told no more than is allowed."
    ),
}
TO_DECIDE: Final = mark("Waits for a decision by somebody who neither filed it nor changed it.")
NAMESAKE: Final = mark(
    "Another open request has the same name. Look at both. If it is about another person, say so with the reason; it "
    "can be approved then. If not, refuse it."
)
ADDS_MATERIAL: Final = mark(
    "An earlier request about the same person is open, and this one says more. Both are decided, and what each of them "
    "says is forgotten."
)
ORIGINAL_ENDED: Final = mark(
    "It was set aside as a duplicate of a request that ended without an eraser, or says less by now. Its own clock "
    "counts from its receipt: it waits for a decision."
)
NO_LEAK: Final = mark(
    "The model told nothing about this person before anything was erased. Refuse it with that reason, or correct the "
    "material and approve it again."
)
DUPLICATE: Final = mark(
    "Set aside as a duplicate of %(other)s: its clock has stopped. If it is another person, say so."
)
DUPLICATE_IN_DOUBT: Final = mark(
    "Set aside as a duplicate of %(other)s, and it is in doubt who asks. If it is another person, say so. Record how "
    "the identity was proved, and the person is shown what becomes of the other request; unproved, this one expires."
)
DOUBT_PAUSED: Final = mark(
    "It is in doubt who asks. The clock stands still until you record how the identity was proved; unproved, the "
    "request expires."
)
DOUBT_RUNNING: Final = mark(
    "It is in doubt who asks. This law lets the clock run on: record how the identity was proved; unproved, the "
    "request expires."
)
APPROVED: Final = mark("Approved. It waits for the nightly refit at %(at)s; a refit can also be started now.")
DEPLOYING: Final = mark(
    "The version that covers it is promoted: %(covering)d of %(replicas)d replicas serve it. It is completed when all "
    "do."
)
FAILED: Final = mark(
    "Its own audit still found what should be forgotten, or the refit failed: the history says which. Each refit tries "
    "it again as it is. If you correct its material, another person approves it, and it is fitted anew."
)
SET_ASIDE: Final = mark(
    "A version failed its audit because of this request, and was built again without it. Correct its material, which "
    "another person then approves, or order a refit to try it again as it is."
)


def sentence(ticket: TicketResponse, around: Surroundings, language: Language) -> str:
    """What happens now with the ticket and what comes next."""
    doubt = DOUBT_PAUSED if ticket.clock == "paused" else DOUBT_RUNNING
    repeated = DUPLICATE_IN_DOUBT if ticket.identity == "doubted" else DUPLICATE
    failure = SET_ASIDE if ticket.review_reason == "set_aside" else FAILED
    chosen: dict[str, Callable[[], str]] = {
        "under_review": lambda: _review(ticket, language),
        "identity_pending": lambda: language.gettext(doubt),
        "duplicate": lambda: language.gettext(repeated) % {"other": ticket.duplicate_of},
        "approved": lambda: (
            language.gettext(APPROVED) % {"at": language.moment(next_nightly(around.nightly_hour), around.zone)}
        ),
        "deploying": lambda: language.gettext(DEPLOYING) % {"covering": around.covering, "replicas": around.replicas},
        "failed": lambda: language.gettext(failure),
    }
    special = chosen.get(ticket.state)
    return special() if special else language.gettext(SENTENCES[ticket.state])


def next_nightly(hour: int) -> datetime:
    """When the next nightly refit is due."""
    return scheduled_at(latest_run_date(utc_now(), hour) + timedelta(days=1), hour)


def _review(ticket: TicketResponse, language: Language) -> str:
    reasons = {
        "possible_namesake": NAMESAKE,
        "adds_material": ADDS_MATERIAL,
        "original_ended": ORIGINAL_ENDED,
        "no_leak_found": NO_LEAK,
    }
    return language.gettext(reasons.get(ticket.review_reason or "", TO_DECIDE))
