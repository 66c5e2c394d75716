"""An index of facts and photographs: a ticket without names is compared with others by its photographs alone."""

from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Add it."""
    op.execute("CREATE INDEX ticket_material ON ticket USING gin (fact_index) WITH (fastupdate=off)")


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
