"""The API's conventions: stored answers, scoped keys, webhooks, imports, correlation ids, indexes of the list."""

from alembic import op

revision = "0006"
down_revision = "0005"

TABLES = """
-- Answers are stored in the transaction of the change that they tell of. Kept for a day.
DROP TABLE idempotency_key;
CREATE TABLE idempotency_key (
    tenant_id text NOT NULL, owner text NOT NULL, key text NOT NULL, request_sha256 text NOT NULL,
    status integer NOT NULL, headers jsonb NOT NULL, body jsonb NOT NULL, created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, owner, key));
CREATE INDEX idempotency_key_age ON idempotency_key (created_at);

-- Separation of duties: who audits does nothing else; who operates never reads what officers read.
ALTER TABLE api_key ADD scopes text[] NOT NULL DEFAULT '{}', ADD label text NOT NULL DEFAULT '',
    ADD expires_at timestamptz, ADD last_used_at timestamptz, ADD created_by text,
    ADD CONSTRAINT auditor_exclusive CHECK (NOT 'auditor' = ANY (roles) OR cardinality(roles) = 1),
    ADD CONSTRAINT operator_apart CHECK (NOT 'operator' = ANY (roles) OR roles <@ ARRAY['operator', 'client']);

ALTER TABLE outbox ADD correlation text;

CREATE INDEX ticket_newest ON ticket (tenant_id, submitted_at DESC, id DESC);
CREATE INDEX ticket_newest_in_state ON ticket (tenant_id, state, submitted_at DESC, id DESC);
CREATE INDEX ticket_newest_urgent ON ticket (tenant_id, submitted_at DESC, id DESC) WHERE urgent;

CREATE TABLE webhook (
    id uuid PRIMARY KEY, tenant_id text NOT NULL REFERENCES tenant, url text NOT NULL, events text[] NOT NULL,
    secret bytea NOT NULL, secret_key bytea NOT NULL, old_secret bytea, old_secret_key bytea, old_until timestamptz,
    created_by text NOT NULL, created_at timestamptz NOT NULL, disabled_at timestamptz);
CREATE TABLE webhook_delivery (
    id uuid PRIMARY KEY, webhook_id uuid NOT NULL REFERENCES webhook, event text NOT NULL, body text NOT NULL,
    created_at timestamptz NOT NULL, next_at timestamptz, attempts integer NOT NULL DEFAULT 0,
    state text NOT NULL CHECK (state IN ('waiting', 'delivered', 'given_up')), status integer, error text);
CREATE INDEX webhook_delivery_due ON webhook_delivery (next_at) WHERE state = 'waiting';
CREATE INDEX webhook_delivery_log ON webhook_delivery (webhook_id, created_at DESC);
CREATE TABLE webhook_cursor (id integer PRIMARY KEY CHECK (id = 1), last_event bigint NOT NULL);
INSERT INTO webhook_cursor SELECT 1, coalesce(max(id), 0) FROM ticket_event;

CREATE TABLE import_job (
    id uuid PRIMARY KEY, tenant_id text NOT NULL REFERENCES tenant, owner text NOT NULL, format text NOT NULL,
    dry_run boolean NOT NULL, status text NOT NULL CHECK (status IN ('waiting', 'succeeded', 'failed')),
    object_key text NOT NULL, wrapped_key bytea, rows integer NOT NULL, done integer NOT NULL DEFAULT 0,
    accepted integer NOT NULL DEFAULT 0, refused integer NOT NULL DEFAULT 0, error text, correlation text,
    created_at timestamptz NOT NULL, finished_at timestamptz);
CREATE INDEX import_job_waiting ON import_job (created_at) WHERE status = 'waiting';
CREATE TABLE import_row (
    job_id uuid NOT NULL REFERENCES import_job, number integer NOT NULL, ticket_id text, problem text,
    PRIMARY KEY (job_id, number));
"""

# No service may delete rows; this is the one exception, and it takes no argument.
FORGET = """
CREATE FUNCTION forget_old_answers() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (DELETE FROM idempotency_key WHERE created_at < now() - interval '1 day' RETURNING 1)
    SELECT count(*) FROM gone
$$;
REVOKE ALL ON FUNCTION forget_old_answers() FROM PUBLIC;
"""

GRANTS = """
GRANT EXECUTE ON FUNCTION forget_old_answers() TO lacuna_request;
GRANT SELECT, INSERT ON idempotency_key TO lacuna_request;
GRANT SELECT, INSERT, UPDATE ON webhook, webhook_delivery, webhook_cursor, import_job TO lacuna_request;
GRANT SELECT, INSERT ON import_row TO lacuna_request;
"""


def upgrade() -> None:
    """Add it."""
    op.execute(TABLES)
    op.execute(FORGET)
    op.execute(GRANTS)


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
