"""Of which material a ticket's fit was made: a ticket that is corrected after it failed is fitted anew."""

from alembic import op

revision = "0025"
down_revision = "0024"


MATERIAL = """
ALTER TABLE fit_rows ADD COLUMN material text;
-- Until now no ticket with a fit could be corrected.
UPDATE fit_rows SET material = ticket.payload_sha256 || '/' || array_to_string(ticket.languages, ',')
    FROM ticket WHERE ticket.id = fit_rows.ticket_id;
"""


def upgrade() -> None:
    """Add it, and note it for the fits from before."""
    op.execute(MATERIAL)


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
