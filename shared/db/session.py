"""Connections and transactions, and what an error of the database means: one table from SQLSTATE to our own errors."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg.errors import IdleInTransactionSessionTimeout
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from shared.db import tenants
from shared.errors import (
    BadInput,
    Conflict,
    IntegrityFailure,
    LacunaError,
    NotAudited,
    OnHold,
    RollbackWouldReexpose,
    Unavailable,
)

SILENT_S: Final = 15
IDLE_S: Final = 90.0  # longer than an object store may let a transaction wait (shared/storage/s3.py)


def make_engine(url: str, idle_s: float = IDLE_S) -> Engine:
    """An engine for `postgresql://...`. Connections are checked before use and given up after five seconds.

    A server that is gone without a word (a cut cable, a failed host) is noticed within SILENT_S: else a statement would
    wait for it for a quarter of an hour, and a connection that only listens for two hours.

    A process that stands still in the middle of a transaction (a frozen machine, a cut cable) would hold its row locks
    against its successor: PostgreSQL ends such a transaction after `idle_s`.
    """
    return create_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_pre_ping=True,
        pool_size=12,
        hide_parameters=True,  # of statements in errors, which are logged: they may be names
        connect_args={
            "connect_timeout": 5,
            "tcp_user_timeout": SILENT_S * 1000,
            "keepalives_idle": SILENT_S // 3,
            "keepalives_interval": SILENT_S // 3,
            "keepalives_count": 2,
            "options": f"-c idle_in_transaction_session_timeout={int(idle_s * 1000)}",
        },
    )


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """One transaction: committed at the end of the block, rolled back by an error.

    It is one of the tenant that `engine` is of, where it is of one (tenants.py).

    Raises the error of `ERRORS` where a trigger of ours refuses (RollbackWouldReexpose, NotAudited, OnHold, ...),
    Conflict where a row exists already, BadInput where a value cannot be stored, and Unavailable where the database
    cannot be reached.
    """
    try:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            tenants.bind(session, engine)
            yield session
    except DBAPIError as exc:
        if (error := _translated(exc)) is not None:
            raise error from exc
        raise


def _would_reexpose(error: psycopg.Error) -> LacunaError:
    """The guard's error detail lists the tickets, separated by blanks."""
    tickets = (error.diag.message_detail or "").split()
    listed = ", ".join(tickets[:5]) + (f" and {len(tickets) - 5} more" if len(tickets) > 5 else "")
    return RollbackWouldReexpose(
        f"Promoting that version would expose {len(tickets)} forgotten "
        f"{'person' if len(tickets) == 1 else 'people'} again: {listed}.",
        tickets=tickets,
        count=len(tickets),
        ways=["forward", "break-glass"],
    )


# What the triggers and functions of the database raise (migrations/schema.sql).
ERRORS: Final[Mapping[str, Callable[[psycopg.Error], LacunaError]]] = {
    "LC001": _would_reexpose,
    "LC002": lambda _: NotAudited("That version has not passed an audit, so it cannot be promoted."),
    "LC003": lambda error: Conflict(f"The database refuses: {error.diag.message_primary}."),
    "LC004": lambda error: Conflict(f"The database refuses: {error.diag.message_primary}."),
    "LC005": lambda _: IntegrityFailure("That version does not cover the tickets that it committed to."),
    "LC006": lambda _: OnHold("The material of this ticket is under a legal hold and stays as it is."),
}


def _translated(exc: DBAPIError) -> LacunaError | None:
    """Our own error for an error of the database; None for a fault of our own code."""
    original = exc.orig
    if isinstance(original, psycopg.Error) and (translate := ERRORS.get(original.sqlstate or "")) is not None:
        return translate(original)
    if isinstance(original, psycopg.errors.UniqueViolation):
        return Conflict("It exists already.")
    if isinstance(original, psycopg.DataError):
        return BadInput("A text contains a character, or a number is so large, that it cannot be stored.")
    if exc.connection_invalidated or isinstance(original, (psycopg.OperationalError, IdleInTransactionSessionTimeout)):
        return Unavailable("The database cannot be reached.")
    return None
