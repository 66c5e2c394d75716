"""Filing in few round trips, tickets by what is due, and identities that are not proved in time."""

from alembic import op

revision = "0013"
down_revision = "0012"

# A ticket that is reviewed, or a duplicate, from its first moment is written so: an update in the same transaction
# would write its entry in each of ten indexes a second time. History and log name both states as before.
GUARDS = """
CREATE OR REPLACE FUNCTION guard_ticket() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state NOT IN ('received', 'under_review', 'duplicate') OR NEW.required_since IS NOT NULL THEN
            RAISE EXCEPTION 'a ticket begins with being received' USING ERRCODE = 'LC004';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.state <> OLD.state
        AND NOT EXISTS (SELECT 1 FROM lifecycle_move WHERE origin = OLD.state AND target = NEW.state) THEN
        RAISE EXCEPTION 'a ticket does not go from % to %', OLD.state, NEW.state USING ERRCODE = 'LC004';
    END IF;
    IF (NEW.id, NEW.tenant_id, NEW.model_id, NEW.submitted_by)
            <> (OLD.id, OLD.tenant_id, OLD.model_id, OLD.submitted_by)
        OR (OLD.required_since IS NOT NULL AND NEW.required_since IS DISTINCT FROM OLD.required_since) THEN
        RAISE EXCEPTION 'what a ticket began with, and since when it is required, stays' USING ERRCODE = 'LC004';
    END IF;
    IF NEW.state = 'completed' AND OLD.state <> 'completed' THEN
        IF NEW.required_since IS NULL OR NOT EXISTS (
            SELECT 1 FROM desired_state JOIN version_ticket USING (version_id)
            WHERE model_id = NEW.model_id AND ticket_id = NEW.id) THEN
            RAISE EXCEPTION 'ticket % is not covered by what is served', NEW.id USING ERRCODE = 'LC004';
        END IF;
    END IF;
    IF (NEW.payload_wrapped_key IS NULL OR NEW.payload_key <> OLD.payload_key) AND OLD.payload_wrapped_key IS NOT NULL
        AND EXISTS (SELECT 1 FROM ticket_hold WHERE ticket_id = NEW.id AND released_at IS NULL) THEN
        RAISE EXCEPTION 'ticket % is held', NEW.id USING ERRCODE = 'LC006';
    END IF;
    RETURN NEW;
END $$;
"""

# Lists of what is due are in the order in which it is due, over clocks that have not stopped.
TABLES = """
ALTER TABLE ticket_event ADD detail jsonb;
CREATE INDEX ticket_due ON ticket (tenant_id, due_at, id) WHERE clock <> 'stopped';
-- Every filing looks names up: a list of entries that still wait to be sorted in would be read through each time.
ALTER INDEX ticket_subject SET (fastupdate = off);
SELECT gin_clean_pending_list('ticket_subject');
"""


def upgrade() -> None:
    """Add it."""
    op.execute(TABLES)
    op.execute(GUARDS)


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
