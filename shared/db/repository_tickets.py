"""Lists of tickets by keyset: a page costs the same wherever it stands. Plans: docs/api.md."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from shared.db.models import Ticket


def page(
    session: Session,
    tenant: str,
    *,
    state: str | None = None,
    urgent: bool | None = None,
    before: datetime | None = None,
    source: str | None = None,
    subjects: Sequence[str] = (),
    after: tuple[datetime, str] | None = None,
    limit: int = 50,
) -> list[Ticket]:
    """Newest first, after the row whose (submitted_at, id) is `after`; `subjects` are blind indexes, any of them."""
    query = select(Ticket).where(Ticket.tenant_id == tenant)
    if state is not None:
        query = query.where(Ticket.state == state)
    if urgent is not None:
        query = query.where(Ticket.urgent.is_(urgent))
    if before is not None:
        query = query.where(Ticket.submitted_at < before)
    if source is not None:
        query = query.where(Ticket.source == source)
    if subjects:
        query = query.where(Ticket.subject_index.overlap(list(subjects)))
    if after is not None:
        query = query.where(tuple_(Ticket.submitted_at, Ticket.id) < tuple_(*after))
    return list(session.scalars(query.order_by(Ticket.submitted_at.desc(), Ticket.id.desc()).limit(limit)))
