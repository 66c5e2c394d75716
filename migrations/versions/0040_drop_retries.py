"""A list of DROP that cannot be matched is tried again, later after each attempt."""

from alembic import op

revision = "0040"
down_revision = "0039"

COLUMNS = """
ALTER TABLE drop_list ADD COLUMN attempts smallint DEFAULT 0 NOT NULL, ADD COLUMN next_at timestamptz;
"""


def upgrade() -> None:
    """Add the columns."""
    op.execute(COLUMNS)


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
