"""Every table. Importing one module of this package loads them all.

Foreign keys name other tables by text, so SQLAlchemy needs all tables to order its writes, and Alembic to compare.
"""

from shared.db.models import (
    audit_kits,
    audits,
    drop_lists,
    erasers,
    imports,
    intake,
    letters,
    operations,
    refits,
    retain_sets,
    tenancy,
    tickets,
    transparency,
    webhooks,
)

__all__ = [
    "audit_kits",
    "audits",
    "drop_lists",
    "erasers",
    "imports",
    "intake",
    "letters",
    "operations",
    "refits",
    "retain_sets",
    "tenancy",
    "tickets",
    "transparency",
    "webhooks",
]
