"""How much of its stage an audit has done, for whoever watches it."""

from alembic import op

revision = "0042"
down_revision = "0041"

COLUMN = """
ALTER TABLE audit_run ADD COLUMN progress jsonb;
"""


def upgrade() -> None:
    """Add it."""
    op.execute(COLUMN)


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
