"""Sessions of the web console, and an index to find a ticket by its external reference."""

from alembic import op

revision = "0017"
down_revision = "0016"

# The cookie holds a secret; only its sha256 is stored. A session names the key that began it and is worth no more than
# that key: the key is looked at again at every request. A session of the OpenID provider keeps the name and the roles
# that its token gave, and is short for that reason.
TABLE = """
CREATE TABLE console_session (
    id text NOT NULL CONSTRAINT console_session_pkey PRIMARY KEY,
    tenant_id text NOT NULL CONSTRAINT console_session_tenant_id_fkey REFERENCES tenant(id),
    api_key_id uuid CONSTRAINT console_session_api_key_id_fkey REFERENCES api_key(id),
    subject text,
    roles text[],
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    CONSTRAINT console_session_id_check CHECK (id ~ '^[0-9a-f]{64}$'),
    CONSTRAINT console_session_of_key_or_subject
        CHECK ((api_key_id IS NULL) = (subject IS NOT NULL) AND (subject IS NULL) = (roles IS NULL)),
    CONSTRAINT console_session_ends CHECK (expires_at <= created_at + interval '24 hours')
);
GRANT SELECT, INSERT ON console_session TO lacuna_request;
GRANT UPDATE (ended_at) ON console_session TO lacuna_request;
"""

INDEX = """
CREATE INDEX ticket_external_ref ON ticket (tenant_id, external_ref) WHERE external_ref IS NOT NULL;
"""


def upgrade() -> None:
    """Create them."""
    op.execute(TABLE)
    op.execute(INDEX)


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
