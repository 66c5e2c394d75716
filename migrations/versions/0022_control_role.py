"""The control loop has a database role of its own, and the database checks what it took on trust before.

The control loop no longer shares the role of the request API, which everybody reaches, and may give nobody access. What
it alone writes stays granted to the request API as long as a control loop of the version before may run; the triggers
bind both.
"""

from alembic import op

revision = "0022"
down_revision = "0021"

# The control loop may do what the request service may, but for what only people do.
ROLE = """
DO $$
DECLARE given record;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'lacuna_control') THEN
        CREATE ROLE lacuna_control NOLOGIN;  -- migrations/run.py gives it a password
    END IF;
    GRANT USAGE ON SCHEMA public TO lacuna_control;
    FOR given IN SELECT table_name, privilege_type FROM information_schema.role_table_grants
        WHERE grantee = 'lacuna_request' AND table_schema = 'public' LOOP
        EXECUTE format('GRANT %s ON %I TO lacuna_control', given.privilege_type, given.table_name);
    END LOOP;
    FOR given IN SELECT attrelid::regclass AS table_name, attname, (aclexplode(attacl)).* FROM pg_attribute
        WHERE attacl IS NOT NULL AND attrelid::regclass::text NOT LIKE 'pg_%' LOOP
        IF given.grantee = 'lacuna_request'::regrole THEN
            EXECUTE format('GRANT %s (%I) ON %s TO lacuna_control', given.privilege_type, given.attname,
                given.table_name);
        END IF;
    END LOOP;
    FOR given IN SELECT oid::regprocedure AS signature FROM pg_proc, aclexplode(proacl)
        WHERE pronamespace = 'public'::regnamespace AND grantee = 'lacuna_request'::regrole LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO lacuna_control', given.signature);
    END LOOP;
END $$;

-- What only people do.
REVOKE INSERT, UPDATE ON tenant, person, person_subject, access_grant, api_key, model, idempotency_key, kit_access,
    kit_opening, restore_acceptance, retain_set, retain_choice, webhook, import_job, material_check, rewrap,
    break_glass, break_glass_ticket, console_session FROM lacuna_control;
-- Of these it ends what is over, carries out imports and key rotations, and wraps keys anew.
GRANT UPDATE (ended_at, ended_by) ON break_glass TO lacuna_control;
GRANT UPDATE (secret_key, old_secret_key) ON webhook TO lacuna_control;
GRANT UPDATE (wrapped_key) ON retain_set TO lacuna_control;
GRANT UPDATE ON import_job, rewrap TO lacuna_control;

"""

# The line of a leaf as shared/transparency/leaves.py writes it. NULL where a number is none that both write alike.
LEAVES = r"""
CREATE FUNCTION canonical_json(value jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = public, pg_temp AS $$
DECLARE kind text := jsonb_typeof(value); parts text[]; missing boolean;
BEGIN
    IF kind = 'object' THEN
        SELECT array_agg(to_json(key)::text || ':' || canonical_json(member) ORDER BY key COLLATE "C"),
            bool_or(canonical_json(member) IS NULL)
            INTO parts, missing FROM jsonb_each(value) AS each(key, member);
        RETURN CASE WHEN missing THEN NULL ELSE '{' || coalesce(array_to_string(parts, ','), '') || '}' END;
    ELSIF kind = 'array' THEN
        SELECT array_agg(canonical_json(item) ORDER BY place), bool_or(canonical_json(item) IS NULL)
            INTO parts, missing FROM jsonb_array_elements(value) WITH ORDINALITY AS each(item, place);
        RETURN CASE WHEN missing THEN NULL ELSE '[' || coalesce(array_to_string(parts, ','), '') || ']' END;
    ELSIF kind = 'number' AND value::text !~ '^-?[0-9]+$' THEN
        RETURN NULL;
    END IF;
    RETURN CASE WHEN kind = 'string' THEN to_json(value #>> '{}')::text ELSE value::text END;
END $$;

CREATE FUNCTION leaf_hash_of(leaf log_leaf) RETURNS bytea
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT sha256('\x00'::bytea || convert_to(
        '{"actor":' || to_json(leaf.actor)::text
        || ',"at":"' || to_char(leaf.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || '+00:00"'
        || ',"detail":' || canonical_json(leaf.detail)
        || ',"id":' || leaf.id
        || ',"kind":' || to_json(leaf.kind)::text
        || ',"subject":' || to_json(leaf.subject)::text
        || ',"v"\:1}', 'UTF8'))
$$;

CREATE UNIQUE INDEX log_leaf_hash ON log_leaf (leaf_hash) WHERE leaf_hash IS NOT NULL;

CREATE OR REPLACE FUNCTION guard_leaf() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        RAISE EXCEPTION 'log_leaf is append-only: a new leaf has no position' USING ERRCODE = 'LC003';
    END IF;
    IF OLD.position IS NOT NULL OR NEW.position IS NULL
        OR (NEW.id, NEW.at, NEW.actor, NEW.kind, NEW.subject, NEW.detail)
            IS DISTINCT FROM (OLD.id, OLD.at, OLD.actor, OLD.kind, OLD.subject, OLD.detail) THEN
        RAISE EXCEPTION 'log_leaf is append-only' USING ERRCODE = 'LC003';
    END IF;
    IF NEW.leaf_hash <> leaf_hash_of(NEW) THEN
        RAISE EXCEPTION 'the hash of leaf % is that of another', NEW.id USING ERRCODE = 'LC003';
    END IF;
    RETURN NEW;
END $$;

-- Positions follow one another: what is placed in one statement goes on where the log ended.
CREATE FUNCTION guard_positions() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE first bigint; placed bigint; last bigint;
BEGIN
    SELECT min(position), max(position), count(*) INTO first, last, placed FROM new_leaves
        WHERE position IS NOT NULL;
    IF placed > 0 AND (last - first + 1 <> placed
        OR first <> coalesce((SELECT max(position) + 1 FROM log_leaf WHERE position < first), 0)
        OR last <> (SELECT max(position) FROM log_leaf)) THEN
        RAISE EXCEPTION 'the positions of leaves follow one another' USING ERRCODE = 'LC003';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER placed_in_order AFTER UPDATE ON log_leaf REFERENCING NEW TABLE AS new_leaves
    FOR EACH STATEMENT EXECUTE FUNCTION guard_positions();

CREATE OR REPLACE FUNCTION guard_checkpoint() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.size <= (SELECT coalesce(max(size), 0) FROM log_checkpoint) THEN
        RAISE EXCEPTION 'a new checkpoint must be larger than every earlier one' USING ERRCODE = 'LC003';
    END IF;
    IF NEW.size > (SELECT coalesce(max(position) + 1, 0) FROM log_leaf) THEN
        RAISE EXCEPTION 'a checkpoint covers leaves that there are' USING ERRCODE = 'LC003';
    END IF;
    RETURN NEW;
END $$;
"""

TICKETS = """
-- A wrapped key is replaced with its object, or by a key rotation; nothing else writes another key over it.
CREATE FUNCTION guard_keys() RETURNS trigger
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
        OR (NEW.payload_wrapped_key <> OLD.payload_wrapped_key AND NOT rotates)) THEN
        RAISE EXCEPTION 'the key of the payload of ticket % is replaced by a key rotation alone', NEW.id
            USING ERRCODE = 'LC004';
    END IF;
    IF NEW.payload_key <> OLD.payload_key AND (held OR OLD.payload_wrapped_key IS NULL
        OR OLD.state NOT IN ('received', 'identity_pending', 'under_review')) THEN
        RAISE EXCEPTION 'the material of ticket % is kept as it is', NEW.id USING ERRCODE = 'LC004';
    END IF;
    IF OLD.kit_wrapped_key IS NOT NULL AND ((NEW.kit_key, NEW.kit_sha256) IS DISTINCT FROM (OLD.kit_key, OLD.kit_sha256)
        OR (NEW.kit_wrapped_key <> OLD.kit_wrapped_key AND NOT rotates)) THEN
        RAISE EXCEPTION 'the key of the kit of ticket % is replaced by a key rotation alone', NEW.id
            USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard_keys BEFORE UPDATE ON ticket FOR EACH ROW EXECUTE FUNCTION guard_keys();

CREATE OR REPLACE FUNCTION guard_approval() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM ticket WHERE id = NEW.id AND (
        (state IN ('approved', 'scheduled', 'fitting', 'auditing', 'deploying', 'completed', 'failed', 'regressed')
            AND (decided_by IS NULL OR decided_at IS NULL OR ground IS NULL))
        OR (state = 'rejected' AND (decided_by IS NULL OR decided_at IS NULL OR decision_code IS NULL
            OR person_of(tenant_id, decided_by) IS NULL)))) THEN
        RAISE EXCEPTION 'ticket % is in force, or rejected, without a decision', NEW.id USING ERRCODE = 'LC004';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER rejected AFTER UPDATE ON ticket DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.state = 'rejected') EXECUTE FUNCTION guard_approval();
"""

RECORDS = """
-- A disposal proves that an object was removed once.
CREATE FUNCTION guard_disposal_record() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF OLD.removed_at IS NOT NULL THEN
        RAISE EXCEPTION 'the removal of an object is recorded once' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE UPDATE ON disposal FOR EACH ROW EXECUTE FUNCTION guard_disposal_record();

CREATE FUNCTION guard_promotion() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM desired_state WHERE model_id = NEW.model_id AND generation = NEW.generation
        AND version_id = NEW.version_id) THEN
        RAISE EXCEPTION 'a promotion records what is desired' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT ON promotion FOR EACH ROW EXECUTE FUNCTION guard_promotion();

-- What is in force says so of a completed ticket, and the numbers of its certificates follow one another.
CREATE FUNCTION guard_certificate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.status = 'in_force' AND NOT EXISTS (SELECT 1 FROM ticket JOIN version_ticket AS covered
            ON covered.ticket_id = ticket.id AND covered.version_id = NEW.version_id
        WHERE ticket.id = NEW.ticket_id AND state = 'completed') THEN
        RAISE EXCEPTION 'a certificate is in force for a completed ticket that its version covers'
            USING ERRCODE = 'LC004';
    END IF;
    IF NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM certificate WHERE ticket_id = NEW.ticket_id) THEN
        RAISE EXCEPTION 'the numbers of certificates follow one another' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT ON certificate FOR EACH ROW EXECUTE FUNCTION guard_certificate();

-- The history of a ticket and of promotions is not changed by any role.
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ticket_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON promotion
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    """Add it."""
    op.execute(ROLE)
    for statements in (LEAVES, TICKETS, RECORDS):
        op.execute(statements)


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
