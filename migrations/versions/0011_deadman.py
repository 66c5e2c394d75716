"""What is alive, and since when something is not: pulses of processes, and alarms that were raised once."""

from alembic import op

revision = "0011"
down_revision = "0010"

TABLES = """
-- One row for each thing that has to happen again and again; whoever does it writes when it last went well.
CREATE TABLE pulse (name text PRIMARY KEY, at timestamptz NOT NULL);

CREATE TABLE alarm (
    id uuid PRIMARY KEY, name text NOT NULL, sentence text NOT NULL, raised_at timestamptz NOT NULL,
    cleared_at timestamptz CHECK (cleared_at >= raised_at));
CREATE UNIQUE INDEX alarm_open ON alarm (name) WHERE cleared_at IS NULL;
"""

GRANTS = """
GRANT SELECT, INSERT, UPDATE ON pulse TO lacuna_request, lacuna_refit, lacuna_audit;
GRANT SELECT, INSERT ON alarm TO lacuna_request;
GRANT UPDATE (cleared_at) ON alarm TO lacuna_request;
"""


def upgrade() -> None:
    """Add them."""
    op.execute(TABLES)
    op.execute(GRANTS)


def downgrade() -> None:
    """Not taken back."""
    raise NotImplementedError("restore a backup instead")
