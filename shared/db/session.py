"""Connections and transactions. A database that is away becomes `Unavailable`, a guard's refusal its own error."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from shared.errors import Conflict, NotAudited, Unavailable, WouldReexpose

UNCOVERED = "LC001"
NOT_AUDITED = "LC002"


def make_engine(url: str) -> Engine:
    """An engine for `postgresql://...`; connections are checked before use and given up after five seconds."""
    return create_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_pre_ping=True,
        pool_size=4,
        connect_args={"connect_timeout": 5},
    )


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """One transaction: committed at the end of the block, undone by an error.

    Raises Unavailable where the database is away, WouldReexpose or NotAudited where the desired state's guard refuses.
    """
    try:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session
    except DBAPIError as exc:
        original = exc.orig
        if isinstance(original, psycopg.Error) and original.sqlstate == UNCOVERED:
            tickets = (original.diag.message_detail or "").split()
            listed = ", ".join(tickets[:5]) + (f" and {len(tickets) - 5} more" if len(tickets) > 5 else "")
            raise WouldReexpose(
                f"Promoting that version would expose {len(tickets)} forgotten "
                f"{'person' if len(tickets) == 1 else 'people'} again: {listed}.",
                tickets=tickets,
            ) from exc
        if isinstance(original, psycopg.Error) and original.sqlstate == NOT_AUDITED:
            raise NotAudited("That version has not passed an audit, so it cannot be promoted.") from exc
        if isinstance(original, psycopg.errors.UniqueViolation):
            raise Conflict("It exists already.") from exc
        if exc.connection_invalidated or isinstance(original, psycopg.OperationalError):
            raise Unavailable("The database cannot be reached.") from exc
        raise
