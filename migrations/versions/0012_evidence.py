"""Evidence that outsiders can check: time-stamps on checkpoints, certificates that tell what was destroyed."""

from alembic import op

revision = "0012"
down_revision = "0010"

TABLES = """
CREATE TABLE log_timestamp (
    size bigint PRIMARY KEY REFERENCES log_checkpoint, token bytea NOT NULL CHECK (length(token) <= 65536),
    attested_at timestamptz NOT NULL, made_at timestamptz NOT NULL);

CREATE TABLE rewrap (
    id uuid PRIMARY KEY, asked_by text NOT NULL, asked_at timestamptz NOT NULL, target text, place integer NOT NULL,
    after jsonb, passes integer NOT NULL, done integer NOT NULL, total integer NOT NULL, changed integer NOT NULL,
    rewrapped integer NOT NULL, seen jsonb NOT NULL, before jsonb NOT NULL, unreadable jsonb NOT NULL,
    finished_at timestamptz);
CREATE UNIQUE INDEX rewrap_one ON rewrap ((true)) WHERE finished_at IS NULL;

-- The checkpoint that a certificate speaks at: what was destroyed before it, it tells.
ALTER TABLE certificate ADD log_size bigint;
CREATE INDEX log_leaf_disposed ON log_leaf (subject, position)
    WHERE kind IN ('payload.destroyed', 'payload.removed', 'kit.destroyed', 'kit.removed', 'rows.destroyed');
"""

GUARDS = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log_timestamp
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Of what is never changed, the wrapping of its data key is: the object and all that is said of it stay.
CREATE FUNCTION guard_rewrap() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.wrapped_key IS NULL OR NEW.wrapped_key = OLD.wrapped_key
        OR to_jsonb(NEW) - 'wrapped_key' <> to_jsonb(OLD) - 'wrapped_key' THEN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'LC003';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER append_only ON eraser_version;
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON eraser_version
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER rewrapped_only BEFORE UPDATE ON eraser_version FOR EACH ROW EXECUTE FUNCTION guard_rewrap();
DROP TRIGGER append_only ON retain_set;
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON retain_set
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER rewrapped_only BEFORE UPDATE ON retain_set FOR EACH ROW EXECUTE FUNCTION guard_rewrap();

-- A destroyed key of fit rows never comes back under the same object.
CREATE FUNCTION guard_fit_rows() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF OLD.wrapped_key IS NULL AND NEW.wrapped_key IS NOT NULL AND NEW.sha256 = OLD.sha256 THEN
        RAISE EXCEPTION 'the rows of ticket % were destroyed', NEW.ticket_id USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE UPDATE ON fit_rows FOR EACH ROW EXECUTE FUNCTION guard_fit_rows();
"""

GRANTS = """
GRANT SELECT, INSERT ON log_timestamp TO lacuna_request;
GRANT SELECT, INSERT, UPDATE ON rewrap TO lacuna_request;
GRANT UPDATE (wrapped_key) ON eraser_version, retain_set, fit_rows TO lacuna_request;
"""


def upgrade() -> None:
    """Add it."""
    for block in (TABLES, GUARDS, GRANTS):
        op.execute(block)


def downgrade() -> None:
    """Not taken back: that would destroy the evidence."""
    raise NotImplementedError("restore a backup instead")
