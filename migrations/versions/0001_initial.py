"""The first schema: tables, guards, and what each service may do."""

from alembic import op

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE tenant (id text PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT now());

CREATE TABLE api_key (
    id uuid PRIMARY KEY, tenant_id text NOT NULL REFERENCES tenant, owner text NOT NULL,
    key_sha256 text NOT NULL UNIQUE, roles text[] NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz);

CREATE TABLE model (
    id text PRIMARY KEY, tenant_id text NOT NULL REFERENCES tenant, source text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now());

CREATE TABLE ticket (
    id text PRIMARY KEY, tenant_id text NOT NULL REFERENCES tenant, model_id text NOT NULL REFERENCES model,
    state text NOT NULL CHECK (state IN ('received', 'identity_pending', 'under_review', 'approved', 'scheduled',
        'fitting', 'auditing', 'deploying', 'completed', 'rejected', 'withdrawn', 'duplicate', 'expired', 'failed',
        'regressed')),
    review_reason text, source text NOT NULL, external_ref text, subject_index text[] NOT NULL,
    payload_key text NOT NULL, payload_sha256 text NOT NULL, payload_wrapped_key bytea,
    photos integer NOT NULL, facts integer NOT NULL, urgent boolean NOT NULL,
    submitted_by text NOT NULL, submitted_at timestamptz NOT NULL, last_edited_by text NOT NULL,
    decided_by text, decided_at timestamptz, ground text, decision_code text, decision_note text,
    required_since timestamptz, version integer NOT NULL DEFAULT 1,
    UNIQUE (tenant_id, source, external_ref),
    CHECK (decided_by IS NULL OR state = 'rejected' OR (decided_by <> submitted_by AND decided_by <> last_edited_by)));
CREATE INDEX ticket_state ON ticket (model_id, state);

CREATE TABLE ticket_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ticket_id text NOT NULL REFERENCES ticket,
    at timestamptz NOT NULL, actor text NOT NULL, state text NOT NULL, note text);
CREATE INDEX ticket_event_ticket ON ticket_event (ticket_id, id);

CREATE TABLE idempotency_key (
    tenant_id text NOT NULL, owner text NOT NULL, key text NOT NULL, body_sha256 text NOT NULL,
    ticket_id text NOT NULL REFERENCES ticket, created_at timestamptz NOT NULL, PRIMARY KEY (tenant_id, owner, key));

CREATE TABLE refit_run (
    id uuid PRIMARY KEY, model_id text NOT NULL REFERENCES model,
    kind text NOT NULL CHECK (kind IN ('initial', 'nightly', 'urgent')), period text,
    status text NOT NULL CHECK (status IN ('running', 'waiting', 'succeeded', 'nothing_to_do', 'failed')),
    stage text, attempt integer NOT NULL, fence integer NOT NULL, lease_until timestamptz,
    started_at timestamptz NOT NULL, finished_at timestamptz, error text, version_id uuid, seconds jsonb,
    UNIQUE (model_id, kind, period));

CREATE TABLE refit_run_ticket (
    run_id uuid NOT NULL REFERENCES refit_run, ticket_id text NOT NULL REFERENCES ticket,
    outcome text NOT NULL CHECK (outcome IN ('fitting', 'fitted', 'no_leak_found', 'failed')),
    at timestamptz NOT NULL, PRIMARY KEY (run_id, ticket_id));

CREATE TABLE fit_rows (
    model_id text NOT NULL REFERENCES model, ticket_id text NOT NULL REFERENCES ticket, digest text NOT NULL,
    object_key text NOT NULL, sha256 text NOT NULL, wrapped_key bytea NOT NULL, created_at timestamptz NOT NULL,
    PRIMARY KEY (model_id, ticket_id, digest));

CREATE TABLE eraser_version (
    id uuid PRIMARY KEY, model_id text NOT NULL REFERENCES model, number integer NOT NULL CHECK (number >= 0),
    run_id uuid NOT NULL REFERENCES refit_run, recipe text NOT NULL, object_key text NOT NULL, sha256 text NOT NULL,
    size_bytes bigint NOT NULL, manifest jsonb NOT NULL, envelope jsonb NOT NULL, wrapped_key bytea NOT NULL,
    created_at timestamptz NOT NULL, UNIQUE (model_id, number));

CREATE TABLE version_ticket (
    version_id uuid NOT NULL REFERENCES eraser_version, ticket_id text NOT NULL REFERENCES ticket,
    rows_sha256 text NOT NULL, PRIMARY KEY (version_id, ticket_id));

CREATE TABLE audit_run (
    id uuid PRIMARY KEY, version_id uuid NOT NULL REFERENCES eraser_version,
    status text NOT NULL CHECK (status IN ('running', 'waiting', 'succeeded', 'failed')),
    verdict text CHECK (verdict IN ('passed', 'failed')), reasons jsonb, report jsonb,
    attempt integer NOT NULL, fence integer NOT NULL, lease_until timestamptz,
    started_at timestamptz NOT NULL, finished_at timestamptz, error text);
CREATE INDEX audit_run_version ON audit_run (version_id);

CREATE TABLE desired_state (
    model_id text PRIMARY KEY REFERENCES model, generation integer NOT NULL,
    version_id uuid NOT NULL REFERENCES eraser_version, changed_by text NOT NULL, changed_at timestamptz NOT NULL);

CREATE TABLE promotion (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, model_id text NOT NULL REFERENCES model,
    generation integer NOT NULL, version_id uuid NOT NULL REFERENCES eraser_version,
    kind text NOT NULL CHECK (kind IN ('automatic', 'manual', 'rollback')), actor text NOT NULL,
    at timestamptz NOT NULL);

CREATE TABLE replica (
    id text NOT NULL, model_id text NOT NULL REFERENCES model, generation integer NOT NULL, version_number integer,
    state text NOT NULL CHECK (state IN ('loading', 'serving', 'failed')), error text,
    lease_until timestamptz NOT NULL, acked_at timestamptz NOT NULL, PRIMARY KEY (id, model_id));

CREATE TABLE outbox (
    id uuid PRIMARY KEY, queue text NOT NULL, task text NOT NULL, kwargs jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(), published_at timestamptz, attempts integer NOT NULL DEFAULT 0);
CREATE INDEX outbox_unpublished ON outbox (created_at) WHERE published_at IS NULL;

CREATE TABLE log_leaf (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), actor text NOT NULL,
    kind text NOT NULL, subject text NOT NULL, detail jsonb NOT NULL);
"""

GUARDS = """
-- Who must stay forgotten and is not covered by this version (compliance: the rollback hazard).
CREATE FUNCTION uncovered_tickets(of_model text, by_version uuid) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT ticket.id FROM ticket
    WHERE ticket.model_id = of_model AND ticket.required_since IS NOT NULL AND ticket.state <> 'withdrawn'
      AND NOT EXISTS (SELECT 1 FROM version_ticket AS covered
                      WHERE covered.version_id = by_version AND covered.ticket_id = ticket.id)
    ORDER BY ticket.id
$$;

CREATE FUNCTION guard_desired_state() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE exposed text;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM audit_run WHERE version_id = NEW.version_id AND verdict = 'passed') THEN
        RAISE EXCEPTION 'version % has passed no audit', NEW.version_id USING ERRCODE = 'LC002';
    END IF;
    IF EXISTS (SELECT 1 FROM eraser_version WHERE id = NEW.version_id AND model_id <> NEW.model_id) THEN
        RAISE EXCEPTION 'version % belongs to another model', NEW.version_id USING ERRCODE = 'LC002';
    END IF;
    SELECT string_agg(id, ' ') INTO exposed FROM uncovered_tickets(NEW.model_id, NEW.version_id) AS id;
    IF exposed IS NOT NULL THEN
        RAISE EXCEPTION 'version % leaves required tickets uncovered', NEW.version_id
            USING ERRCODE = 'LC001', DETAIL = exposed;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON desired_state
    FOR EACH ROW EXECUTE FUNCTION guard_desired_state();

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'LC003'; END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log_leaf
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON eraser_version
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

# Everybody reads what the flow needs; each table is written by one service.
GRANTS = """
REVOKE ALL ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON FUNCTION uncovered_tickets(text, uuid) FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO lacuna_request, lacuna_refit, lacuna_audit, lacuna_inference;
GRANT EXECUTE ON FUNCTION uncovered_tickets(text, uuid) TO lacuna_request, lacuna_inference;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO lacuna_request;
GRANT INSERT, UPDATE ON tenant, api_key, model, ticket, desired_state TO lacuna_request;
GRANT INSERT ON ticket_event, idempotency_key, promotion, log_leaf TO lacuna_request;
GRANT INSERT, UPDATE ON outbox TO lacuna_request;

GRANT SELECT ON model, ticket, refit_run, refit_run_ticket, fit_rows, eraser_version, version_ticket, audit_run
    TO lacuna_refit;
GRANT INSERT, UPDATE ON refit_run, refit_run_ticket, fit_rows TO lacuna_refit;
GRANT INSERT ON eraser_version, version_ticket, outbox, log_leaf TO lacuna_refit;

GRANT SELECT ON model, ticket, eraser_version, version_ticket, audit_run TO lacuna_audit;
GRANT INSERT, UPDATE ON audit_run TO lacuna_audit;
GRANT INSERT ON log_leaf TO lacuna_audit;
GRANT SELECT (id) ON log_leaf TO lacuna_refit, lacuna_audit;

GRANT SELECT ON model, eraser_version, version_ticket, desired_state, api_key, replica TO lacuna_inference;
GRANT INSERT, UPDATE ON replica TO lacuna_inference;
"""


def upgrade() -> None:
    """Make everything."""
    for block in (TABLES, GUARDS, GRANTS):
        op.execute(block)


def downgrade() -> None:
    """The first schema is not taken back: that would destroy the evidence."""
    raise NotImplementedError("restore a backup instead")
