"""Webhooks about versions and audits, read from the log; a failed ticket is approved after a review alone."""

from alembic import op

revision = "0026"
down_revision = "0025"

CURSOR = """
ALTER TABLE webhook_cursor ADD COLUMN last_leaf bigint DEFAULT 0 NOT NULL;
UPDATE webhook_cursor SET last_leaf = coalesce((SELECT max(id) FROM log_leaf), 0);
"""

# No event led from one to the other any more.
MOVE = """
ALTER TABLE lifecycle_move DISABLE TRIGGER append_only;
DELETE FROM lifecycle_move WHERE origin = 'failed' AND target = 'approved';
ALTER TABLE lifecycle_move ENABLE TRIGGER append_only;
"""


def upgrade() -> None:
    """Add the cursor at the end of the log, and take the move away."""
    op.execute(CURSOR)
    op.execute(MOVE)


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
