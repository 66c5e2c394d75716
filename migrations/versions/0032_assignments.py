"""Tickets are assigned to people, and each person saves views of the list of tickets by a name."""

from alembic import op

revision = "0032"
down_revision = "0035"

ASSIGNMENT = """
ALTER TABLE person ADD CONSTRAINT person_id_tenant_id_key UNIQUE (id, tenant_id);
ALTER TABLE ticket ADD COLUMN assigned_to uuid;
-- The person is one of the ticket's tenant.
ALTER TABLE ticket ADD CONSTRAINT ticket_assigned_to_tenant_id_fkey FOREIGN KEY (assigned_to, tenant_id)
    REFERENCES person (id, tenant_id);
CREATE INDEX ticket_assigned_due ON ticket (tenant_id, assigned_to, due_at, id)
    WHERE assigned_to IS NOT NULL AND clock <> 'stopped';
CREATE INDEX ticket_assigned_newest ON ticket (tenant_id, assigned_to, submitted_at DESC, id DESC)
    WHERE assigned_to IS NOT NULL;
"""

# A name that a person thought of may be personal data, and so may the source that a view is narrowed to: both go when
# the view does.
VIEWS = """
CREATE TABLE saved_view (
    id uuid PRIMARY KEY,
    tenant_id text NOT NULL REFERENCES tenant,
    person_id uuid NOT NULL,
    name text NOT NULL,
    filters jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    CONSTRAINT saved_view_person_id_tenant_id_fkey FOREIGN KEY (person_id, tenant_id) REFERENCES person (id, tenant_id),
    CONSTRAINT saved_view_named_until_its_end CHECK ((ended_at IS NULL) = (name <> '')),
    CONSTRAINT saved_view_empty_at_its_end CHECK (ended_at IS NULL OR filters = '{}'::jsonb)
);
CREATE UNIQUE INDEX saved_view_name ON saved_view (person_id, name) WHERE ended_at IS NULL;
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON saved_view FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT, UPDATE (name, filters, ended_at) ON saved_view TO lacuna_request;
"""


def upgrade() -> None:
    """Add both."""
    op.execute(ASSIGNMENT)
    op.execute(VIEWS)


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
