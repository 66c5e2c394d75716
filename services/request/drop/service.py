"""What DROP is answered about a work item, and how a download is taken in. Each function is one transaction's worth.

What a work item is answered follows from its tickets; the codes are those of the platform. Knows no HTTP.
"""

import hashlib
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from services.request import sealing
from services.request.context import AppContext
from services.request.drop import lists
from services.request.drop.lists import Download
from shared.core.clock import utc_now
from shared.db.models.drop_lists import DropList, DropMatch
from shared.db.models.tickets import Ticket
from shared.db.repositories import audit_log
from shared.errors import Conflict, NotFound
from shared.storage.object_keys import drop_list_key

EXEMPTED, DELETED, OPTED_OUT, NOT_FOUND = 2, 3, 4, 5  # 0 and 1 are not used
ZONE: Final = "America/Los_Angeles"
AT_ONCE: Final = 10_000  # work items of one query
UNVERIFIED: Final = "insufficient_verification"
NO_MATCH: Final = "no_match"


@dataclass(frozen=True)
class Outcome:
    """How the ticket of one person ended; None where it has not."""

    state: str
    code: str | None = None


@dataclass(frozen=True)
class ResponseFile:
    """A file for the platform. `undecided`: work items of its list that have no status yet and are left out."""

    name: str
    content: str
    rows: int
    undecided: int


def take_in(
    session: Session, context: AppContext, tenant: str, owner: str, download: Download, *, fetched: bool
) -> DropList:
    """Seal a download and order its matching."""
    raw = lists.archive([(lists.response_name(each.stem), each.text) for each in download.lists])
    row = _seal(session, context, tenant, owner, raw, fetched=fetched)
    describe(row, download)
    session.add(row)
    audit_log.append_leaf(session, owner, "drop.received", str(row.id), {"rows": download.rows, "sha256": row.sha256})
    return row


def take_in_unread(session: Session, context: AppContext, tenant: str, owner: str, raw: bytes, error: str) -> DropList:
    """Seal what the platform gave and what cannot be read: it does not give it twice. It is tried again later."""
    row = _seal(session, context, tenant, owner, raw, fetched=True)
    row.error, row.attempts, row.next_at = error, 1, utc_now()
    session.add(row)
    audit_log.append_leaf(session, owner, "drop.received", str(row.id), {"rows": 0, "sha256": row.sha256})
    return row


def describe(row: DropList, download: Download) -> None:
    """Write into the row what the download says of itself."""
    row.sha256, row.rows, row.received_at = download.sha256, download.rows, _received_at(download)


def _seal(session: Session, context: AppContext, tenant: str, owner: str, raw: bytes, *, fetched: bool) -> DropList:
    """The row of what is sealed, as long as nobody has read it."""
    number, now = uuid.uuid4(), utc_now()
    key = drop_list_key(tenant, str(number))
    sealed = sealing.seal(session, context, tenant, raw, key, store=True)
    return DropList(
        id=number,
        tenant_id=tenant,
        owner=owner,
        fetched=fetched,
        sha256=hashlib.sha256(raw).hexdigest(),
        status="waiting",
        object_key=key,
        wrapped_key=sealed.wrapped_key,
        received_at=now,
        rows=0,
        matched=0,
        removed=0,
        tickets=0,
        attempts=0,
        created_at=now,
    )


def _received_at(download: Download) -> datetime:
    """When the download was made: the beginning of the day in its name, where that is past, in California."""
    now, day = utc_now(), download.day
    named = day.replace(tzinfo=ZoneInfo(ZONE)) if day is not None else now
    return named if (now - named).days in range(0, 366) else now


def list_newest(session: Session, tenant: str, limit: int) -> Sequence[DropList]:
    """The newest downloads, the newest first."""
    newest = select(DropList).where(DropList.tenant_id == tenant).order_by(DropList.created_at.desc(), DropList.id)
    return session.scalars(newest.limit(limit)).all()


def get_list(session: Session, tenant: str, number: uuid.UUID) -> DropList:
    """One download. Raises NotFound."""
    row = session.scalar(select(DropList).where(DropList.tenant_id == tenant, DropList.id == number))
    if row is None:
        raise NotFound("There is no such list.")
    return row


def matches_of(session: Session, tenant: str, number: uuid.UUID) -> Sequence[DropMatch]:
    """What was matched in one download, in the order of its items."""
    of_list = select(DropMatch).where(DropMatch.tenant_id == tenant, DropMatch.list_id == number)
    return session.scalars(of_list.order_by(DropMatch.item_id, DropMatch.person_key)).all()


def status_of(outcomes: Collection[Outcome | None]) -> int | None:
    """What a work item is answered whose people's tickets ended so; None while one has not ended.

    Without any person: not found. One person: deleted, or exempted by an exception of the law. Several people share an
    identifier: opted out, where each is forgotten, which goes further. Whoever could not be verified is opted out too
    (California Civil Code, section 1798.99.86(c)(1)(B)).
    """
    if any(outcome is None for outcome in outcomes):
        return None
    ended = [outcome for outcome in outcomes if outcome is not None]
    people = [outcome for outcome in ended if outcome.code != NO_MATCH]
    if not people:
        return NOT_FOUND
    forgotten = [outcome for outcome in people if outcome.state == "completed"]
    if len(forgotten) == len(people):
        return DELETED if len(people) == 1 else OPTED_OUT
    if forgotten:
        return DELETED
    if any(outcome.state == "expired" or outcome.code == UNVERIFIED for outcome in people):
        return OPTED_OUT
    return EXEMPTED


def statuses(session: Session, tenant: str, items: Iterable[str]) -> dict[str, int | None]:
    """The status of each work item that was matched; None where it has none yet. The others are left out.

    A ticket that was withdrawn gives none: the person took the request back, which the platform does not ask about.
    """
    found: dict[str, list[Outcome | None]] = defaultdict(list)
    original = aliased(Ticket)
    rest = iter(items)
    while some := tuple(islice(rest, AT_ONCE)):
        query = (
            select(DropMatch.item_id, DropMatch.removed_at, Ticket.state, Ticket.decision_code)
            .add_columns(original.state.label("original_state"), original.decision_code.label("original_code"))
            .outerjoin(Ticket, Ticket.id == DropMatch.ticket_id)
            .outerjoin(original, original.id == Ticket.duplicate_of)
            .where(DropMatch.tenant_id == tenant, DropMatch.item_id.in_(some))
        )
        for row in session.execute(query):
            state, code = row.state, row.decision_code
            if state == "duplicate":
                state, code = row.original_state, row.original_code
            over = state in ("completed", "rejected", "expired") and row.removed_at is None
            found[row.item_id].append(Outcome(state, code) if over else None)
    return {item: status_of(outcomes) for item, outcomes in found.items()}


def report(session: Session, tenant: str, download: Download, suffix: str) -> Iterator[ResponseFile]:
    """The files that answer a download; who was not matched is not found.

    Raises Conflict where it was not matched yet.
    """
    of_file = DropList.tenant_id == tenant, DropList.sha256 == download.sha256, DropList.status == "succeeded"
    if session.scalar(select(DropList.id).where(*of_file).limit(1)) is None:
        raise Conflict("This download was not matched yet: import it first, and wait until it is done.")
    for each in download.lists:
        if each.kind is None:
            continue  # what was taken back is not answered
        ids = [item.id for item in each.items()]
        if not ids:
            continue  # nor is an empty list
        known = statuses(session, tenant, ids)
        answered = answers(ids, known)
        name = lists.response_name(each.stem, suffix)
        yield ResponseFile(name, lists.response_file(answered), len(answered), len(ids) - len(answered))


def answers(ids: Iterable[str], known: Mapping[str, int | None]) -> list[tuple[str, int]]:
    """The work items that have a status, with it; `known` has those that were matched."""
    with_status = ((item, known.get(item, NOT_FOUND)) for item in ids)
    return [(item, status) for item, status in with_status if status is not None]
