"""Where a ticket's fit is stored."""

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.models.refits import FitRows
from shared.db.models.tickets import Ticket
from shared.db.repositories.audit_log import NewLeaf, append_leaves
from shared.domain.ticket_lifecycle import OVER


def get_rows(session: Session, model_id: str, ticket_id: str, digest: str) -> FitRows | None:
    """Where the ticket's rows for these statistics are, if they were made. Destroyed ones have no key."""
    return session.get(FitRows, (model_id, ticket_id, digest))


def put_rows(
    session: Session, *, model_id: str, ticket_id: str, digest: str, object_key: str, sha256: str, wrapped_key: bytes
) -> None:
    """Remember rows that are in the store."""
    values = {"object_key": object_key, "sha256": sha256, "wrapped_key": wrapped_key, "created_at": utc_now()}
    session.execute(
        insert(FitRows)
        .values(model_id=model_id, ticket_id=ticket_id, digest=digest, **values)
        .on_conflict_do_update(index_elements=["model_id", "ticket_id", "digest"], set_=values)
    )


def destroy_rows_out_of_force(session: Session, model_id: str) -> list[str]:
    """Destroy the keys of the rows of tickets that are over, with a leaf for each; the objects that can be removed."""
    over = select(Ticket.id).where(Ticket.model_id == model_id, Ticket.state.in_(OVER))
    gone = session.execute(
        update(FitRows)
        .where(FitRows.model_id == model_id, FitRows.ticket_id.in_(over), FitRows.wrapped_key.is_not(None))
        .values(wrapped_key=None)
        .returning(FitRows.ticket_id, FitRows.object_key, FitRows.sha256)
    ).all()
    append_leaves(
        session,
        [NewLeaf("refit", "rows.destroyed", ticket, {"object": key, "sha256": digest}) for ticket, key, digest in gone],
    )
    return [key for _, key, _ in gone]
