"""Deletion lists of California's DROP: each sealed until it is matched, and what was matched, without any identifier.

A work item of the platform is kept where somebody in the operator's register has its hash, and nothing of the others.
"""

from alembic import op

revision = "0030"
down_revision = "0029"

TABLES = """
CREATE TABLE drop_list (
    id uuid PRIMARY KEY,
    tenant_id text NOT NULL REFERENCES tenant,
    owner text NOT NULL,
    fetched boolean NOT NULL,
    sha256 text NOT NULL,
    status text NOT NULL CHECK (status IN ('waiting', 'succeeded', 'failed')),
    object_key text NOT NULL,
    wrapped_key bytea,
    received_at timestamptz NOT NULL,
    rows integer NOT NULL,
    matched integer NOT NULL DEFAULT 0,
    removed integer NOT NULL DEFAULT 0,
    tickets integer NOT NULL DEFAULT 0,
    error text,
    correlation text,
    created_at timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE INDEX drop_list_waiting ON drop_list (created_at) WHERE status = 'waiting';
CREATE INDEX drop_list_of_tenant ON drop_list (tenant_id, created_at);
CREATE TABLE drop_match (
    tenant_id text NOT NULL REFERENCES tenant,
    item_id text NOT NULL,
    person_key text NOT NULL,
    list_id uuid NOT NULL REFERENCES drop_list,
    file text NOT NULL,
    ticket_id text REFERENCES ticket,
    problem text,
    removed_at timestamptz,
    reported smallint CHECK (reported IN (2, 3, 4, 5)),
    reported_at timestamptz,
    PRIMARY KEY (tenant_id, item_id, person_key),
    CHECK ((ticket_id IS NULL) <> (problem IS NULL)),
    CHECK ((reported IS NULL) = (reported_at IS NULL))
);
CREATE INDEX drop_match_ticket ON drop_match (ticket_id);

CREATE TRIGGER announced AFTER INSERT ON drop_list FOR EACH STATEMENT EXECUTE FUNCTION announce('lacuna_work');
CREATE FUNCTION retire_drop_list_key() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM retire_key(OLD.tenant_id, 'import', OLD.id::text, OLD.object_key, NULL, OLD.wrapped_key, NEW.wrapped_key);
    RETURN NULL;
END $$;
CREATE TRIGGER retired AFTER UPDATE OF wrapped_key ON drop_list FOR EACH ROW
    WHEN (OLD.wrapped_key IS DISTINCT FROM NEW.wrapped_key) EXECUTE FUNCTION retire_drop_list_key();

GRANT SELECT, INSERT ON drop_list TO lacuna_request;
GRANT SELECT, INSERT, UPDATE ON drop_list TO lacuna_control;
GRANT SELECT ON drop_match TO lacuna_request;
GRANT SELECT, INSERT, UPDATE ON drop_match TO lacuna_control;
"""


def upgrade() -> None:
    """Add them."""
    op.execute(TABLES)


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
