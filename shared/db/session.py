"""Connections and transactions. A database that is away becomes `Unavailable`, a guard's refusal its own error."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.errors import IdleInTransactionSessionTimeout
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from shared.errors import BadInput, Conflict, IntegrityFailure, NotAudited, OnHold, RollbackWouldReexpose, Unavailable

UNCOVERED = "LC001"
NOT_AUDITED = "LC002"
NOT_ALLOWED = "LC004"
NOT_COMMITTED = "LC005"
HELD = "LC006"
IDLE_S = 90.0  # longer than an object store may let a transaction wait (shared/storage/s3.py)


def make_engine(url: str, idle_s: float = IDLE_S) -> Engine:
    """An engine for `postgresql://...`; connections are checked before use and given up after five seconds.

    A process that stands still in the middle of a transaction (a frozen machine, a cut cable) would hold its row locks
    against whoever takes over: PostgreSQL ends such a transaction after `idle_s`.
    """
    return create_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_pre_ping=True,
        pool_size=12,
        connect_args={
            "connect_timeout": 5,
            "options": f"-c idle_in_transaction_session_timeout={int(idle_s * 1000)}",
        },
    )


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """One transaction: committed at the end of the block, undone by an error.

    Raises Unavailable where the database is away, WouldReexpose or NotAudited where the desired state's guard refuses,
    Conflict, OnHold or IntegrityFailure where another guard does.
    """
    try:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session
    except DBAPIError as exc:
        original = exc.orig
        if isinstance(original, psycopg.Error) and original.sqlstate == UNCOVERED:
            tickets = (original.diag.message_detail or "").split()
            listed = ", ".join(tickets[:5]) + (f" and {len(tickets) - 5} more" if len(tickets) > 5 else "")
            raise RollbackWouldReexpose(
                f"Promoting that version would expose {len(tickets)} forgotten "
                f"{'person' if len(tickets) == 1 else 'people'} again: {listed}.",
                tickets=tickets,
                count=len(tickets),
                ways=["forward", "break-glass"],
            ) from exc
        if isinstance(original, psycopg.Error) and original.sqlstate == NOT_AUDITED:
            raise NotAudited("That version has not passed an audit, so it cannot be promoted.") from exc
        if isinstance(original, psycopg.Error) and original.sqlstate == NOT_COMMITTED:
            raise IntegrityFailure("That version does not cover the tickets that it committed to.") from exc
        if isinstance(original, psycopg.Error) and original.sqlstate == HELD:
            raise OnHold("A legal hold keeps its material as it is.") from exc
        if isinstance(original, psycopg.Error) and original.sqlstate == NOT_ALLOWED:
            raise Conflict(f"The database refuses: {original.diag.message_primary}.") from exc
        if isinstance(original, psycopg.errors.UniqueViolation):
            raise Conflict("It exists already.") from exc
        if isinstance(original, psycopg.DataError):
            raise BadInput("A text holds a character, or a number is so large, that it cannot be kept.") from exc
        if exc.connection_invalidated or isinstance(
            original, (psycopg.OperationalError, IdleInTransactionSessionTimeout)
        ):
            raise Unavailable("The database cannot be reached.") from exc
        raise
