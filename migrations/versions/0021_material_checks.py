"""What the approver of a ticket saw of it: each name confirmed, or the sealed material looked at."""

from alembic import op

revision = "0021"
down_revision = "0020"

TABLE = """
CREATE TABLE material_check (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket_id text NOT NULL REFERENCES ticket,
    payload_sha256 text NOT NULL,
    method text NOT NULL CHECK (method IN ('names', 'shown')),
    actor text NOT NULL,
    reason text,
    at timestamptz NOT NULL,
    CONSTRAINT material_check_reason CHECK (method <> 'shown' OR coalesce(reason, '') <> '')
);
CREATE INDEX material_check_ticket ON material_check (ticket_id);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON material_check
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT ON material_check TO lacuna_request;
"""


def upgrade() -> None:
    """Add it."""
    op.execute(TABLE)


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
