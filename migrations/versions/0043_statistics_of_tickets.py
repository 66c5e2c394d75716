"""The control loop may have the statistics of tickets made anew: after many were filed, queries are planned by them."""

from alembic import op

revision = "0043"
down_revision = "0042"

ANALYZE = """
CREATE FUNCTION analyze_tickets() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    ANALYZE ticket;
END $$;
REVOKE ALL ON FUNCTION analyze_tickets() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION analyze_tickets() TO lacuna_request;
GRANT EXECUTE ON FUNCTION analyze_tickets() TO lacuna_control;
"""


def upgrade() -> None:
    """Add the function."""
    op.execute(ANALYZE)


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
