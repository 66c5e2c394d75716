"""Separately keyed objects of a ticket: the audit kit beside the payload, what was destroyed, and the proof of it."""

from alembic import op

revision = "0009"
down_revision = "0006"

TABLES = """
ALTER TABLE ticket ADD kit_key text, ADD kit_sha256 text, ADD kit_wrapped_key bytea, ADD kit_made_at timestamptz;
CREATE INDEX ticket_sealed ON ticket (model_id, state) WHERE payload_wrapped_key IS NOT NULL;

CREATE TABLE disposal (
    id uuid PRIMARY KEY, ticket_id text NOT NULL REFERENCES ticket, object text NOT NULL CHECK (object IN
    ('payload', 'kit')), object_key text NOT NULL, sha256 text NOT NULL, reason text NOT NULL,
    key_destroyed_at timestamptz NOT NULL, removed_at timestamptz, UNIQUE (ticket_id, object));
CREATE INDEX disposal_waiting ON disposal (id) WHERE removed_at IS NULL;

ALTER TABLE fit_rows ALTER wrapped_key DROP NOT NULL;

ALTER TABLE refit_run_ticket DROP CONSTRAINT refit_run_ticket_outcome_check;
ALTER TABLE refit_run_ticket ADD CONSTRAINT refit_run_ticket_outcome_check
    CHECK (outcome IN ('fitting', 'fitted', 'no_leak_found', 'failed', 'needs_resubmission'));
CREATE INDEX refit_run_ticket_again ON refit_run_ticket (ticket_id) WHERE outcome = 'needs_resubmission';
"""

# A destroyed key leaves a proof and never comes back.
GUARDS = """
CREATE FUNCTION guard_disposal() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF OLD.payload_wrapped_key IS NULL AND NEW.payload_wrapped_key IS NOT NULL THEN
        RAISE EXCEPTION 'the payload of ticket % was destroyed', NEW.id USING ERRCODE = 'LC004';
    END IF;
    IF OLD.payload_wrapped_key IS NOT NULL AND NEW.payload_wrapped_key IS NULL AND NOT EXISTS
        (SELECT 1 FROM disposal WHERE ticket_id = NEW.id AND object = 'payload' AND sha256 = OLD.payload_sha256) THEN
        RAISE EXCEPTION 'destroying the payload of ticket % leaves a proof', NEW.id USING ERRCODE = 'LC004';
    END IF;
    IF OLD.kit_wrapped_key IS NOT NULL AND NEW.kit_wrapped_key IS NULL AND (NOT EXISTS
        (SELECT 1 FROM disposal WHERE ticket_id = NEW.id AND object = 'kit' AND sha256 = OLD.kit_sha256)
        OR EXISTS (SELECT 1 FROM ticket_hold WHERE ticket_id = NEW.id AND released_at IS NULL)) THEN
        RAISE EXCEPTION 'destroying the kit of ticket % leaves a proof', NEW.id USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard_disposal BEFORE UPDATE ON ticket FOR EACH ROW EXECUTE FUNCTION guard_disposal();
"""

GRANTS = """
GRANT SELECT, INSERT, UPDATE (removed_at) ON disposal TO lacuna_request;
"""


def upgrade() -> None:
    """Make everything."""
    for block in (TABLES, GUARDS, GRANTS):
        op.execute(block)


def downgrade() -> None:
    """Not taken back: that would destroy the evidence."""
    raise NotImplementedError("restore a backup instead")
