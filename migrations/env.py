"""Alembic's environment: all migrations in one transaction, under a lock that lets only one process migrate."""

from alembic import context
from sqlalchemy import text

from shared.db.models.base import Base
from shared.db.session import make_engine

LOCK = 7_201_904

engine = make_engine(context.config.attributes["url"])
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        context.run_migrations()
engine.dispose()
