"""What was sealed for a ticket that was not filed: its shredding key is destroyed like one that was taken away."""

from alembic import op

revision = "0039"
down_revision = "0038"

ABANDON = """
CREATE FUNCTION abandon_key(of_tenant text, of_object text, wrapped bytea) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT retire_key(of_tenant, 'import', of_object, of_object, NULL, wrapped, NULL)
        WHERE shredding_key(wrapped) IS NOT NULL
$$;
REVOKE ALL ON FUNCTION abandon_key(of_tenant text, of_object text, wrapped bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION abandon_key(of_tenant text, of_object text, wrapped bytea) TO lacuna_request;
GRANT EXECUTE ON FUNCTION abandon_key(of_tenant text, of_object text, wrapped bytea) TO lacuna_control;
"""


def upgrade() -> None:
    """Add the function."""
    op.execute(ABANDON)


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
