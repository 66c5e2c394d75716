"""The base class of all tables.

Most tables have one role that writes them: each module of this package names it, the grants enforce it. Constraints,
triggers and grants are in the migrations; migrations/schema.sql shows them all.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Strings are `text`, times have a zone, JSON is `jsonb`."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
    }


class OfTenant:
    """A table whose rows belong to one tenant each: a transaction of a tenant sees its own rows alone (tenants.py)."""

    tenant_id: Mapped[str] = mapped_column()
