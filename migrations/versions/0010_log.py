"""The log that cannot be quietly changed: places and hashes of leaves, signed checkpoints, certificates."""

from alembic import op

revision = "0010"
down_revision = "0009"

TABLES = """
-- Written without a place in the transaction of the change; the sequencer gives each leaf its place and hash, once.
ALTER TABLE log_leaf ADD position bigint CHECK (position >= 0), ADD leaf_hash bytea,
    ADD CONSTRAINT placed_and_hashed CHECK ((position IS NULL) = (leaf_hash IS NULL)
        AND (leaf_hash IS NULL OR length(leaf_hash) = 32));
CREATE UNIQUE INDEX log_leaf_place ON log_leaf (position) WHERE position IS NOT NULL;
CREATE INDEX log_leaf_waiting ON log_leaf (id) WHERE position IS NULL;
CREATE INDEX log_leaf_subject ON log_leaf (subject, kind, id DESC);

CREATE TABLE log_checkpoint (
    size bigint PRIMARY KEY CHECK (size > 0), root bytea NOT NULL CHECK (length(root) = 32), note text NOT NULL,
    at timestamptz NOT NULL);

CREATE TABLE certificate (
    id uuid PRIMARY KEY, ticket_id text NOT NULL REFERENCES ticket, number integer NOT NULL CHECK (number > 0),
    status text NOT NULL CHECK (status IN ('in_force', 'suspended')), reason text NOT NULL,
    version_id uuid REFERENCES eraser_version, sha256 text NOT NULL, envelope jsonb NOT NULL,
    issued_at timestamptz NOT NULL, UNIQUE (ticket_id, number),
    CHECK (status = 'suspended' OR version_id IS NOT NULL));
"""

GUARDS = """
CREATE FUNCTION guard_leaf() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        RAISE EXCEPTION 'log_leaf is append-only: a leaf begins without a place' USING ERRCODE = 'LC003';
    END IF;
    IF OLD.position IS NOT NULL OR NEW.position IS NULL
        OR (NEW.id, NEW.at, NEW.actor, NEW.kind, NEW.subject, NEW.detail)
            IS DISTINCT FROM (OLD.id, OLD.at, OLD.actor, OLD.kind, OLD.subject, OLD.detail) THEN
        RAISE EXCEPTION 'log_leaf is append-only' USING ERRCODE = 'LC003';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER append_only ON log_leaf;
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON log_leaf FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER placed_once BEFORE UPDATE ON log_leaf FOR EACH ROW EXECUTE FUNCTION guard_leaf();
CREATE TRIGGER begins_unplaced BEFORE INSERT ON log_leaf FOR EACH ROW
    WHEN (NEW.position IS NOT NULL) EXECUTE FUNCTION guard_leaf();

CREATE FUNCTION guard_checkpoint() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.size <= (SELECT coalesce(max(size), 0) FROM log_checkpoint) THEN
        RAISE EXCEPTION 'a checkpoint is larger than all before it' USING ERRCODE = 'LC003';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER grows BEFORE INSERT ON log_checkpoint FOR EACH ROW EXECUTE FUNCTION guard_checkpoint();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON certificate
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

GRANTS = """
GRANT UPDATE (position, leaf_hash) ON log_leaf TO lacuna_request;
GRANT SELECT, INSERT ON log_checkpoint, certificate TO lacuna_request;
"""


def upgrade() -> None:
    """Add it."""
    for block in (TABLES, GUARDS, GRANTS):
        op.execute(block)


def downgrade() -> None:
    """Not taken back: that would destroy the evidence."""
    raise NotImplementedError("restore a backup instead")
