"""Evidence that outsiders can check: time-stamps on checkpoints, certificates that tell what was destroyed."""

from alembic import op

revision = "0012"
down_revision = "0010"

TABLES = """
CREATE TABLE log_timestamp (
    size bigint PRIMARY KEY REFERENCES log_checkpoint, token bytea NOT NULL CHECK (length(token) <= 65536),
    attested_at timestamptz NOT NULL, made_at timestamptz NOT NULL);

-- The checkpoint that a certificate speaks at: what was destroyed before it, it tells.
ALTER TABLE certificate ADD log_size bigint;
CREATE INDEX log_leaf_disposed ON log_leaf (subject, position)
    WHERE kind IN ('payload.destroyed', 'payload.removed', 'kit.destroyed', 'kit.removed', 'rows.destroyed');
"""

GUARDS = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log_timestamp
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

GRANTS = """
GRANT SELECT, INSERT ON log_timestamp TO lacuna_request;
"""


def upgrade() -> None:
    """Add it."""
    for block in (TABLES, GUARDS, GRANTS):
        op.execute(block)


def downgrade() -> None:
    """Not taken back: that would destroy the evidence."""
    raise NotImplementedError("restore a backup instead")
