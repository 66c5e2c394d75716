"""Shredding keys: which of them are no longer needed, and when they were destroyed.

A shredding key is not in the database (shared/crypto/shredding_keys.py). A wrapped key says by its beginning which one
it needs. Whatever takes a wrapped key away leaves a row here in the same transaction, and the control loop destroys the
shredding key then: a crash in between leaves the row, so that the next round does it.
"""

from alembic import op

revision = "0028"
down_revision = "0027"

TABLES = """
CREATE FUNCTION shredding_key(wrapped bytea) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN substring(wrapped FROM 1 FOR 6) = '\\x73687265643a'::bytea  -- shred:
        THEN encode(substring(wrapped FROM 7 FOR 32), 'escape') END
$$;

CREATE TABLE retired_key (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id text NOT NULL REFERENCES tenant, name text,
    object text NOT NULL CHECK (object IN ('payload', 'kit', 'rows', 'import', 'letter')), subject text NOT NULL,
    object_key text NOT NULL, sha256 text, replaced boolean NOT NULL,
    retired_at timestamptz NOT NULL DEFAULT now(), destroyed_at timestamptz);
CREATE INDEX retired_key_waiting ON retired_key (id) WHERE destroyed_at IS NULL;

ALTER TABLE disposal ADD begun_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE disposal DISABLE TRIGGER guard;  -- it lets nothing but the removal be written
UPDATE disposal SET begun_at = key_destroyed_at;
ALTER TABLE disposal ENABLE TRIGGER guard;
ALTER TABLE disposal ALTER key_destroyed_at DROP NOT NULL,
    ADD CHECK (removed_at IS NULL OR key_destroyed_at IS NOT NULL);
"""

GUARDS = """
-- What takes a wrapped key away says so. A key rotation does not, nor does a key that gets its first shredding key.
CREATE FUNCTION retire_key(
    of_tenant text, kind text, of_subject text, of_object text, digest text, before bytea, after bytea
) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO retired_key (tenant_id, name, object, subject, object_key, sha256, replaced)
    SELECT of_tenant, shredding_key(before), kind, of_subject, of_object, digest, after IS NOT NULL
    WHERE before IS NOT NULL AND (after IS NULL OR (shredding_key(before) IS NOT NULL
        AND shredding_key(before) IS DISTINCT FROM shredding_key(after)))
$$;
REVOKE ALL ON FUNCTION retire_key(text, text, text, text, text, bytea, bytea) FROM PUBLIC;

CREATE FUNCTION retire_ticket_keys() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM retire_key(OLD.tenant_id, 'payload', OLD.id, OLD.payload_key, OLD.payload_sha256, OLD.payload_wrapped_key,
        NEW.payload_wrapped_key);
    PERFORM retire_key(OLD.tenant_id, 'kit', OLD.id, OLD.kit_key, OLD.kit_sha256, OLD.kit_wrapped_key,
        NEW.kit_wrapped_key);
    RETURN NULL;
END $$;
CREATE TRIGGER retired AFTER UPDATE OF payload_wrapped_key, kit_wrapped_key ON ticket FOR EACH ROW
    WHEN (OLD.payload_wrapped_key IS DISTINCT FROM NEW.payload_wrapped_key
        OR OLD.kit_wrapped_key IS DISTINCT FROM NEW.kit_wrapped_key) EXECUTE FUNCTION retire_ticket_keys();

CREATE FUNCTION retire_fit_key() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM retire_key((SELECT tenant_id FROM ticket WHERE id = OLD.ticket_id), 'rows', OLD.ticket_id, OLD.object_key,
        OLD.sha256, OLD.wrapped_key, NEW.wrapped_key);
    RETURN NULL;
END $$;
CREATE TRIGGER retired AFTER UPDATE OF wrapped_key ON fit_rows FOR EACH ROW
    WHEN (OLD.wrapped_key IS DISTINCT FROM NEW.wrapped_key) EXECUTE FUNCTION retire_fit_key();

CREATE FUNCTION retire_import_key() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM retire_key(OLD.tenant_id, 'import', OLD.id::text, OLD.object_key, NULL, OLD.wrapped_key, NEW.wrapped_key);
    RETURN NULL;
END $$;
CREATE TRIGGER retired AFTER UPDATE OF wrapped_key ON import_job FOR EACH ROW
    WHEN (OLD.wrapped_key IS DISTINCT FROM NEW.wrapped_key) EXECUTE FUNCTION retire_import_key();

CREATE FUNCTION retire_letter_key() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM retire_key((SELECT tenant_id FROM ticket WHERE id = OLD.ticket_id), 'letter', OLD.ticket_id, OLD.id::text,
        OLD.sha256, OLD.wrapped_key, NEW.wrapped_key);
    RETURN NULL;
END $$;
CREATE TRIGGER retired AFTER UPDATE OF wrapped_key ON letter FOR EACH ROW
    WHEN (OLD.wrapped_key IS DISTINCT FROM NEW.wrapped_key) EXECUTE FUNCTION retire_letter_key();

CREATE FUNCTION guard_retired_key() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF OLD.destroyed_at IS NOT NULL OR NEW.destroyed_at IS NULL
        OR to_jsonb(NEW) - 'destroyed_at' <> to_jsonb(OLD) - 'destroyed_at' THEN
        RAISE EXCEPTION 'the destruction of a key is recorded once' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE UPDATE ON retired_key FOR EACH ROW EXECUTE FUNCTION guard_retired_key();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON retired_key
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A disposal says that the key is destroyed when it is, and that the object was removed after that, each once.
CREATE OR REPLACE FUNCTION guard_disposal_record() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF OLD.removed_at IS NOT NULL
        OR (OLD.key_destroyed_at IS NOT NULL AND NEW.key_destroyed_at IS DISTINCT FROM OLD.key_destroyed_at) THEN
        RAISE EXCEPTION 'the removal of an object is recorded once' USING ERRCODE = 'LC004';
    END IF;
    IF OLD.key_destroyed_at IS NULL AND NEW.key_destroyed_at IS NOT NULL AND EXISTS (SELECT 1 FROM retired_key
        WHERE object_key = NEW.object_key AND destroyed_at IS NULL) THEN
        RAISE EXCEPTION 'the key of an object is not destroyed yet' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;

-- A wrapped key is replaced with its object, by a key rotation, or where it gets its first shredding key.
CREATE OR REPLACE FUNCTION guard_keys() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE held boolean; rotates boolean;
BEGIN
    IF (NEW.payload_key, NEW.payload_sha256, NEW.payload_wrapped_key, NEW.kit_key, NEW.kit_sha256, NEW.kit_wrapped_key)
        IS NOT DISTINCT FROM
        (OLD.payload_key, OLD.payload_sha256, OLD.payload_wrapped_key, OLD.kit_key, OLD.kit_sha256, OLD.kit_wrapped_key)
    THEN
        RETURN NEW;
    END IF;
    held := EXISTS (SELECT 1 FROM ticket_hold WHERE ticket_id = NEW.id AND released_at IS NULL);
    rotates := session_user <> 'lacuna_request' AND EXISTS (SELECT 1 FROM rewrap WHERE finished_at IS NULL);
    IF NEW.payload_key = OLD.payload_key AND (NEW.payload_sha256 <> OLD.payload_sha256
        OR (NEW.payload_wrapped_key <> OLD.payload_wrapped_key AND NOT rotates
            AND NOT gets_shredding_key(OLD.payload_wrapped_key, NEW.payload_wrapped_key))) THEN
        RAISE EXCEPTION 'the key of the payload of ticket % is replaced by a key rotation alone', NEW.id
            USING ERRCODE = 'LC004';
    END IF;
    IF NEW.payload_key <> OLD.payload_key AND (held OR OLD.payload_wrapped_key IS NULL
        OR OLD.state NOT IN ('received', 'identity_pending', 'under_review')) THEN
        RAISE EXCEPTION 'the material of ticket % is kept as it is', NEW.id USING ERRCODE = 'LC004';
    END IF;
    IF OLD.kit_wrapped_key IS NOT NULL AND ((NEW.kit_key, NEW.kit_sha256) IS DISTINCT FROM (OLD.kit_key, OLD.kit_sha256)
        OR (NEW.kit_wrapped_key <> OLD.kit_wrapped_key AND NOT rotates
            AND NOT gets_shredding_key(OLD.kit_wrapped_key, NEW.kit_wrapped_key))) THEN
        RAISE EXCEPTION 'the key of the kit of ticket % is replaced by a key rotation alone', NEW.id
            USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION gets_shredding_key(before bytea, after bytea) RETURNS boolean
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT session_user <> 'lacuna_request' AND shredding_key(before) IS NULL AND shredding_key(after) IS NOT NULL
$$;
"""

GRANTS = """
GRANT SELECT, UPDATE (destroyed_at) ON retired_key TO lacuna_control;
GRANT UPDATE (key_destroyed_at) ON disposal TO lacuna_control;
"""


def upgrade() -> None:
    """Make everything."""
    for block in (TABLES, GUARDS, GRANTS):
        op.execute(block)


def downgrade() -> None:
    """Not taken back: shredding keys would be forgotten that are still to be destroyed."""
    raise NotImplementedError("restore a backup instead")
