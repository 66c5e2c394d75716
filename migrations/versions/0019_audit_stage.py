"""What an audit is doing at the moment, for whoever watches it."""

from alembic import op

revision = "0019"
down_revision = "0018"

COLUMN = """
ALTER TABLE audit_run ADD COLUMN stage text;
"""


def upgrade() -> None:
    """Add it."""
    op.execute(COLUMN)


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
