"""Requests that people file themselves, by a public form or through an agent of the Data Rights Protocol.

A form keeps a sealed mail address until it is filed; what an officer needs to reach the person is sealed beside the
ticket, and its key is destroyed with that of the ticket's payload.
"""

from alembic import op

revision = "0031"
down_revision = "0032"

CONTACTS = """
CREATE TABLE ticket_contact (
    ticket_id text PRIMARY KEY REFERENCES ticket,
    tenant_id text NOT NULL REFERENCES tenant,
    sealed bytea,
    wrapped_key bytea,
    added_at timestamptz NOT NULL,
    CHECK ((sealed IS NULL) = (wrapped_key IS NULL))
);
ALTER TABLE retired_key DROP CONSTRAINT retired_key_object_check;
ALTER TABLE retired_key ADD CONSTRAINT retired_key_object_check
    CHECK (object IN ('payload', 'kit', 'rows', 'import', 'letter', 'contact'));
CREATE FUNCTION retire_contact_key() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM retire_key(OLD.tenant_id, 'contact', OLD.ticket_id, 'contact/' || OLD.ticket_id, NULL, OLD.wrapped_key,
        NEW.wrapped_key);
    RETURN NULL;
END $$;
CREATE TRIGGER retired AFTER UPDATE OF wrapped_key ON ticket_contact FOR EACH ROW
    WHEN (OLD.wrapped_key IS DISTINCT FROM NEW.wrapped_key) EXECUTE FUNCTION retire_contact_key();
CREATE FUNCTION destroy_contact() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE ticket_contact SET sealed = NULL, wrapped_key = NULL WHERE ticket_id = NEW.id AND wrapped_key IS NOT NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER contact_destroyed AFTER UPDATE OF payload_wrapped_key ON ticket FOR EACH ROW
    WHEN (OLD.payload_wrapped_key IS NOT NULL AND NEW.payload_wrapped_key IS NULL) EXECUTE FUNCTION destroy_contact();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON ticket_contact
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT ON ticket_contact TO lacuna_request;
GRANT SELECT, UPDATE (wrapped_key) ON ticket_contact TO lacuna_control;
"""

FORMS = """
CREATE TABLE form_request (
    id uuid PRIMARY KEY,
    tenant_id text NOT NULL REFERENCES tenant,
    address_index text NOT NULL,
    sealed bytea,
    wrapped_key bytea,
    language text NOT NULL,
    mail_next_at timestamptz,
    mail_attempts smallint NOT NULL DEFAULT 0,
    tries smallint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    proved_at timestamptz,
    ticket_id text REFERENCES ticket,
    CHECK ((sealed IS NULL) = (wrapped_key IS NULL))
);
CREATE INDEX form_request_address ON form_request (tenant_id, address_index, created_at);
CREATE INDEX form_request_open ON form_request (created_at) WHERE ticket_id IS NULL;
CREATE INDEX form_request_mail ON form_request (mail_next_at) WHERE mail_next_at IS NOT NULL;
CREATE INDEX form_request_ticket ON form_request (ticket_id) WHERE ticket_id IS NOT NULL;
CREATE FUNCTION retire_form_key() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM retire_key(OLD.tenant_id, 'import', OLD.id::text, 'form/' || OLD.id, NULL, OLD.wrapped_key,
        NEW.wrapped_key);
    RETURN NULL;
END $$;
CREATE TRIGGER retired AFTER UPDATE OF wrapped_key ON form_request FOR EACH ROW
    WHEN (OLD.wrapped_key IS DISTINCT FROM NEW.wrapped_key) EXECUTE FUNCTION retire_form_key();
CREATE TRIGGER announced AFTER INSERT ON form_request FOR EACH STATEMENT EXECUTE FUNCTION announce('lacuna_work');
-- The address goes when it is not needed any more; a form that nobody filed goes a day later.
CREATE FUNCTION forget_old_forms() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE form_request SET sealed = NULL, wrapped_key = NULL, mail_next_at = NULL
        WHERE wrapped_key IS NOT NULL AND (ticket_id IS NOT NULL OR expires_at < now());
    WITH gone AS (
        DELETE FROM form_request WHERE ticket_id IS NULL AND expires_at < now() - interval '1 day' RETURNING 1)
    SELECT count(*) FROM gone
$$;
REVOKE ALL ON FUNCTION forget_old_forms() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_old_forms() TO lacuna_control;
GRANT SELECT, INSERT, UPDATE ON form_request TO lacuna_request;
GRANT SELECT, UPDATE (wrapped_key, mail_next_at, mail_attempts) ON form_request TO lacuna_control;
"""

AGENTS = """
CREATE TABLE drp_token (
    token_sha256 text PRIMARY KEY,
    tenant_id text NOT NULL REFERENCES tenant,
    agent_id text NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE INDEX drp_token_agent ON drp_token (tenant_id, agent_id) WHERE ended_at IS NULL;
CREATE TABLE drp_message (
    tenant_id text NOT NULL REFERENCES tenant,
    message_sha256 text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, message_sha256)
);
CREATE TABLE drp_request (
    id uuid PRIMARY KEY,
    tenant_id text NOT NULL REFERENCES tenant,
    agent_id text NOT NULL,
    agent_request_id text,
    ticket_id text NOT NULL UNIQUE REFERENCES ticket,
    status_callback text,
    received_at timestamptz NOT NULL,
    revoked_at timestamptz,
    told text,
    callback_next_at timestamptz,
    callback_attempts smallint NOT NULL DEFAULT 0,
    UNIQUE (tenant_id, agent_id, agent_request_id)
);
CREATE INDEX drp_request_callback ON drp_request (callback_next_at) WHERE status_callback IS NOT NULL;
CREATE FUNCTION forget_old_messages() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (DELETE FROM drp_message WHERE expires_at < now() - interval '1 day' RETURNING 1)
    SELECT count(*) FROM gone
$$;
REVOKE ALL ON FUNCTION forget_old_messages() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_old_messages() TO lacuna_control;
GRANT SELECT, INSERT, UPDATE (ended_at) ON drp_token TO lacuna_request;
GRANT SELECT, INSERT ON drp_message TO lacuna_request;
GRANT SELECT, INSERT, UPDATE (revoked_at) ON drp_request TO lacuna_request;
GRANT SELECT, UPDATE (told, callback_next_at, callback_attempts) ON drp_request TO lacuna_control;
"""


def upgrade() -> None:
    """Add them."""
    for block in (CONTACTS, FORMS, AGENTS):
        op.execute(block)


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
