"""Evidence that outsiders can check: time-stamps on checkpoints, certificates that tell what was destroyed."""

from alembic import op

revision = "0012"
down_revision = "0011"

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

CREATE TABLE kit_access (
    id uuid PRIMARY KEY, ticket_id text NOT NULL REFERENCES ticket, reason text NOT NULL CHECK (reason <> ''),
    minutes integer NOT NULL CHECK (minutes BETWEEN 1 AND 1440), asked_by text NOT NULL, asked_at timestamptz NOT NULL,
    allowed_by text, allowed_at timestamptz, expires_at timestamptz, ended_by text, ended_at timestamptz,
    CHECK (lower(btrim(allowed_by)) <> lower(btrim(asked_by))),
    CHECK ((allowed_by IS NULL) = (allowed_at IS NULL)), CHECK ((allowed_by IS NULL) = (expires_at IS NULL)),
    CHECK (expires_at <= allowed_at + make_interval(mins => minutes)));
CREATE INDEX kit_access_newest ON kit_access (asked_at DESC);

CREATE TABLE kit_opening (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, access_id uuid NOT NULL REFERENCES kit_access,
    at timestamptz NOT NULL, actor text NOT NULL);
CREATE INDEX kit_opening_access ON kit_opening (access_id);

CREATE TABLE restore_acceptance (
    id uuid PRIMARY KEY, model_id text NOT NULL REFERENCES model, mark_sha256 text NOT NULL, mark jsonb NOT NULL,
    present jsonb NOT NULL, checkpoint text NOT NULL, checkpoint_sha256 text NOT NULL,
    reason text NOT NULL CHECK (reason <> ''), asked_by text NOT NULL, asked_at timestamptz NOT NULL,
    confirmed_by text, confirmed_at timestamptz, CHECK ((confirmed_by IS NULL) = (confirmed_at IS NULL)),
    CHECK (lower(btrim(confirmed_by)) <> lower(btrim(asked_by))));

-- Names that differ only in case or blanks are one name. That two names are two people no database can know.
ALTER TABLE break_glass ADD CHECK (lower(btrim(confirmed_by)) <> lower(btrim(asked_by)));
ALTER TABLE ticket_hold ADD CHECK (lower(btrim(released_by)) <> lower(btrim(release_asked_by)));

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

CREATE FUNCTION guard_kit_access() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.allowed_by IS NOT NULL OR NEW.ended_at IS NOT NULL THEN
            RAISE EXCEPTION 'looking into a kit begins with asking' USING ERRCODE = 'LC004';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.ticket_id, NEW.reason, NEW.minutes, NEW.asked_by, NEW.asked_at)
        <> (OLD.id, OLD.ticket_id, OLD.reason, OLD.minutes, OLD.asked_by, OLD.asked_at)
        OR (OLD.allowed_by IS NOT NULL AND (NEW.allowed_by, NEW.allowed_at, NEW.expires_at)
            IS DISTINCT FROM (OLD.allowed_by, OLD.allowed_at, OLD.expires_at))
        OR (OLD.ended_at IS NOT NULL AND (NEW.ended_at, NEW.ended_by) IS DISTINCT FROM (OLD.ended_at, OLD.ended_by))
        OR (OLD.allowed_by IS NULL AND NEW.allowed_by IS NOT NULL
            AND (NEW.allowed_at > clock_timestamp() + interval '1 minute' OR NEW.ended_at IS NOT NULL)) THEN
        RAISE EXCEPTION 'access to a kit is not changed, only ended' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON kit_access FOR EACH ROW EXECUTE FUNCTION guard_kit_access();

CREATE FUNCTION guard_kit_opening() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM kit_access WHERE id = NEW.access_id AND asked_by = NEW.actor AND ended_at IS NULL
                   AND clock_timestamp() < expires_at) THEN
        RAISE EXCEPTION 'nobody has allowed that' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT ON kit_opening FOR EACH ROW EXECUTE FUNCTION guard_kit_opening();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON kit_opening
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION guard_acceptance() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF (TG_OP = 'INSERT' AND NEW.confirmed_by IS NOT NULL) OR (TG_OP = 'UPDATE' AND (OLD.confirmed_by IS NOT NULL
        OR to_jsonb(NEW) - 'confirmed_by' - 'confirmed_at' <> to_jsonb(OLD) - 'confirmed_by' - 'confirmed_at')) THEN
        RAISE EXCEPTION 'accepting an older database begins with asking, and is confirmed once'
            USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON restore_acceptance
    FOR EACH ROW EXECUTE FUNCTION guard_acceptance();

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
GRANT SELECT, INSERT ON kit_access, kit_opening TO lacuna_request;
GRANT UPDATE (allowed_by, allowed_at, expires_at, ended_by, ended_at) ON kit_access TO lacuna_request;
GRANT SELECT, INSERT, UPDATE (confirmed_by, confirmed_at) ON restore_acceptance TO lacuna_request;
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
