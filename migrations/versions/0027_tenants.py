"""Several tenants: each has a model in use, leaves of the log name their tenant, and two administrators add a tenant.

Everything that was written before belongs to the first tenant, `default`, whose people operate the installation.
"""

from alembic import op

revision = "0027"
down_revision = "0026"

MODELS = """
ALTER TABLE model ADD COLUMN in_use boolean DEFAULT false NOT NULL;
UPDATE model SET in_use = true WHERE id IN (
    SELECT DISTINCT ON (tenant_id) id FROM model ORDER BY tenant_id, created_at DESC, id);
CREATE UNIQUE INDEX model_in_use ON model (tenant_id) WHERE in_use;
ALTER TABLE model ADD CONSTRAINT model_id_tenant_id_key UNIQUE (id, tenant_id);

-- The model of a ticket is one of the ticket's tenant, so that no version of another tenant can cover it.
ALTER TABLE ticket DROP CONSTRAINT ticket_model_id_fkey;
ALTER TABLE ticket ADD CONSTRAINT ticket_model_id_tenant_id_fkey FOREIGN KEY (model_id, tenant_id)
    REFERENCES model (id, tenant_id);
"""

LEAVES = """
ALTER TABLE log_leaf ADD COLUMN tenant_id text DEFAULT 'default' REFERENCES tenant (id);
ALTER TABLE log_leaf ALTER COLUMN tenant_id DROP DEFAULT;

CREATE OR REPLACE FUNCTION guard_leaf() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        RAISE EXCEPTION 'log_leaf is append-only: a new leaf has no position' USING ERRCODE = 'LC003';
    END IF;
    IF OLD.position IS NOT NULL OR NEW.position IS NULL
        OR (NEW.id, NEW.at, NEW.actor, NEW.kind, NEW.subject, NEW.detail, NEW.tenant_id)
            IS DISTINCT FROM (OLD.id, OLD.at, OLD.actor, OLD.kind, OLD.subject, OLD.detail, OLD.tenant_id) THEN
        RAISE EXCEPTION 'log_leaf is append-only' USING ERRCODE = 'LC003';
    END IF;
    IF NEW.leaf_hash <> leaf_hash_of(NEW) THEN
        RAISE EXCEPTION 'the hash of leaf % is that of another', NEW.id USING ERRCODE = 'LC003';
    END IF;
    RETURN NEW;
END $$;
"""

SUBJECTS = """
-- Two tenants may give the same account of a provider, and neither learns it: the first one counts.
ALTER TABLE person_subject DISABLE TRIGGER guard;
ALTER TABLE person_subject ADD COLUMN tenant_id text REFERENCES tenant (id);
ALTER TABLE person_subject ADD COLUMN given_at timestamptz DEFAULT now() NOT NULL;
UPDATE person_subject SET tenant_id = (SELECT tenant_id FROM person WHERE id = person_id);
ALTER TABLE person_subject ALTER COLUMN tenant_id SET NOT NULL;
ALTER TABLE person_subject DROP CONSTRAINT person_subject_pkey;
ALTER TABLE person_subject ADD CONSTRAINT person_subject_pkey PRIMARY KEY (issuer, subject, tenant_id);
ALTER TABLE person_subject ENABLE TRIGGER guard;

CREATE OR REPLACE FUNCTION guard_subject() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.issuer <> '' OR NEW.issuer = '' OR (NEW.subject, NEW.person_id, NEW.tenant_id, NEW.given_at)
                <> (OLD.subject, OLD.person_id, OLD.tenant_id, OLD.given_at) THEN
            RAISE EXCEPTION 'the subject of a token stays with its person' USING ERRCODE = 'LC004';
        END IF;
        RETURN NEW;
    END IF;
    NEW.given_at := now();
    IF NEW.tenant_id IS DISTINCT FROM (SELECT tenant_id FROM person WHERE id = NEW.person_id)
        OR NOT (is_granted_now('{person,subject}', NEW.person_id) AND EXISTS (
            SELECT 1 FROM access_grant WHERE person_id = NEW.person_id AND issuer = NEW.issuer
                AND subject = NEW.subject AND confirmed_in = pg_current_xact_id()::text)) THEN
        RAISE EXCEPTION 'a subject is given to a person when a second administrator confirms it'
            USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
"""

NEW_TENANTS = """
CREATE TABLE tenant_request (
    id uuid PRIMARY KEY,
    tenant_id text NOT NULL CHECK (tenant_id ~ '^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$'),
    model_id text NOT NULL CHECK (model_id <> ''),
    administrators text[] NOT NULL CHECK (cardinality(administrators) >= 2),
    key_parts_sha256 text[] NOT NULL,
    asked_by uuid NOT NULL REFERENCES person (id),
    asked_at timestamptz NOT NULL,
    confirmed_by uuid REFERENCES person (id),
    confirmed_at timestamptz,
    confirmed_in text,
    ended_by uuid REFERENCES person (id),
    ended_at timestamptz,
    CONSTRAINT tenant_request_a_key_for_each CHECK (cardinality(key_parts_sha256) = cardinality(administrators)),
    CONSTRAINT tenant_request_by_two CHECK (confirmed_by <> asked_by),
    CONSTRAINT tenant_request_confirmed CHECK ((confirmed_by IS NULL) = (confirmed_at IS NULL)),
    CONSTRAINT tenant_request_confirmed_or_ended CHECK (confirmed_at IS NULL OR ended_at IS NULL),
    CONSTRAINT tenant_request_ended CHECK ((ended_by IS NULL) = (ended_at IS NULL))
);
CREATE INDEX tenant_request_newest ON tenant_request (asked_at DESC);
GRANT SELECT, INSERT, UPDATE (confirmed_by, confirmed_at, ended_by, ended_at) ON tenant_request TO lacuna_request;
GRANT SELECT ON tenant_request TO lacuna_control;

CREATE FUNCTION guard_tenant_request() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.confirmed_at IS NOT NULL OR NEW.confirmed_in IS NOT NULL OR NEW.ended_at IS NOT NULL THEN
            RAISE EXCEPTION 'a request for a tenant must begin unconfirmed' USING ERRCODE = 'LC004';
        END IF;
    ELSIF OLD.confirmed_at IS NOT NULL OR OLD.ended_at IS NOT NULL
        OR to_jsonb(NEW) - '{confirmed_by,confirmed_at,confirmed_in,ended_by,ended_at}'::text[]
            <> to_jsonb(OLD) - '{confirmed_by,confirmed_at,confirmed_in,ended_by,ended_at}'::text[] THEN
        RAISE EXCEPTION 'a request for a tenant cannot be changed: it is confirmed once, or ended once'
            USING ERRCODE = 'LC004';
    ELSE
        NEW.confirmed_in := CASE WHEN NEW.confirmed_at IS NOT NULL THEN pg_current_xact_id()::text END;
        IF NEW.confirmed_at IS NOT NULL AND OLD.asked_at < now() - interval '25 hours' THEN
            RAISE EXCEPTION 'a request for a tenant is confirmed within a day' USING ERRCODE = 'LC004';
        END IF;
    END IF;
    IF EXISTS (SELECT 1 FROM unnest(ARRAY[NEW.asked_by, NEW.confirmed_by, NEW.ended_by]) AS administrator WHERE
        administrator IS NOT NULL AND NOT EXISTS (SELECT 1 FROM person WHERE id = administrator
            AND tenant_id = 'default' AND disabled_at IS NULL AND 'admin' = ANY (roles))) THEN
        RAISE EXCEPTION 'a tenant is asked for and confirmed by administrators of the operating tenant'
            USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON tenant_request
    FOR EACH ROW EXECUTE FUNCTION guard_tenant_request();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON tenant_request
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE OR REPLACE FUNCTION guard_tenant() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.id <> 'default' AND NOT EXISTS (SELECT 1 FROM tenant_request WHERE tenant_id = NEW.id
            AND confirmed_in = pg_current_xact_id()::text AND confirmed_at > now() - interval '1 hour') THEN
            RAISE EXCEPTION 'a tenant is added when a second administrator confirms it' USING ERRCODE = 'LC004';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.set_up_at IS NOT NULL AND NEW.set_up_at IS DISTINCT FROM OLD.set_up_at THEN
        RAISE EXCEPTION 'tenant % is set up once', NEW.id USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER guard ON tenant;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON tenant FOR EACH ROW EXECUTE FUNCTION guard_tenant();
"""

# Two people of the operating tenant accept an older database, whichever tenant's model it is about.
RESTORES = """
CREATE FUNCTION guard_acceptance_by_two() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM require_two_people('default', NEW.asked_by, NEW.confirmed_by);
    RETURN NEW;
END $$;
DROP TRIGGER two_people ON restore_acceptance;
CREATE TRIGGER two_people BEFORE INSERT OR UPDATE ON restore_acceptance
    FOR EACH ROW EXECUTE FUNCTION guard_acceptance_by_two();
"""


def upgrade() -> None:
    """Add models in use, tenants of leaves and of subjects, and requests for tenants."""
    for statements in (MODELS, LEAVES, SUBJECTS, NEW_TENANTS, RESTORES):
        op.execute(statements)


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
