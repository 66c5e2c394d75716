"""A duplicate whose identity is in doubt expires as every other request does that nobody proves."""

from alembic import op

revision = "0038"
down_revision = "0037"

MOVE = """
ALTER TABLE lifecycle_move DISABLE TRIGGER append_only;
INSERT INTO lifecycle_move (origin, target) VALUES ('duplicate', 'expired');
ALTER TABLE lifecycle_move ENABLE TRIGGER append_only;
"""


def upgrade() -> None:
    """Add the move."""
    op.execute(MOVE)


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
