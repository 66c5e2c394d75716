"""Changes that give a process something to do are announced (NOTIFY), so that nobody has to poll for them."""

from alembic import op

revision = "0014"
down_revision = "0013"

# An announcement is made by a trigger, in the transaction of the change: whoever writes the row, under whatever role,
# cannot forget it, and it is heard after the commit or not at all. It carries nothing: whoever hears it looks.
FUNCTIONS = """
CREATE FUNCTION announce() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE channel text;
BEGIN
    FOREACH channel IN ARRAY TG_ARGV LOOP
        PERFORM pg_notify(channel, '');
    END LOOP;
    RETURN NULL;
END $$;

-- While a leaf waits for its position, the sequencer has been told. PostgreSQL commits one announcing transaction
-- after the other, so a thousand filings should not announce a thousand leaves.
CREATE FUNCTION announce_leaf() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM log_leaf WHERE position IS NULL) THEN
        PERFORM pg_notify('lacuna_work', '');
    END IF;
    RETURN NULL;
END $$;
"""

# What is written again and again without news (the lease of a run, of a replica) is not announced.
TRIGGERS = """
CREATE TRIGGER announced BEFORE INSERT ON log_leaf FOR EACH STATEMENT EXECUTE FUNCTION announce_leaf();
CREATE TRIGGER announced AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION announce('lacuna_work');
CREATE TRIGGER announced AFTER INSERT ON import_job FOR EACH STATEMENT EXECUTE FUNCTION announce('lacuna_work');
CREATE TRIGGER announced AFTER INSERT ON rewrap FOR EACH STATEMENT EXECUTE FUNCTION announce('lacuna_work');
CREATE TRIGGER announced AFTER INSERT ON webhook_delivery FOR EACH STATEMENT EXECUTE FUNCTION announce('lacuna_work');
CREATE TRIGGER announced AFTER UPDATE ON restore_acceptance
    FOR EACH STATEMENT EXECUTE FUNCTION announce('lacuna_work');
CREATE TRIGGER announced AFTER INSERT OR UPDATE ON refit_run_ticket
    FOR EACH STATEMENT EXECUTE FUNCTION announce('lacuna_work');
CREATE TRIGGER announced AFTER UPDATE ON refit_run
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION announce('lacuna_work');
CREATE TRIGGER announced AFTER UPDATE ON audit_run
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION announce('lacuna_work');
CREATE TRIGGER announced_first AFTER INSERT ON replica FOR EACH ROW EXECUTE FUNCTION announce('lacuna_work');
CREATE TRIGGER announced AFTER UPDATE ON replica
    FOR EACH ROW WHEN (OLD.generation IS DISTINCT FROM NEW.generation OR OLD.state IS DISTINCT FROM NEW.state
                       OR OLD.version_number IS DISTINCT FROM NEW.version_number OR OLD.lease_until < now())
    EXECUTE FUNCTION announce('lacuna_work');
CREATE TRIGGER announced AFTER INSERT OR UPDATE ON desired_state
    FOR EACH STATEMENT EXECUTE FUNCTION announce('lacuna_work', 'lacuna_desired_state');
CREATE TRIGGER announced AFTER UPDATE ON break_glass
    FOR EACH STATEMENT EXECUTE FUNCTION announce('lacuna_work', 'lacuna_desired_state');
"""


def upgrade() -> None:
    """Add it."""
    op.execute(FUNCTIONS)
    op.execute(TRIGGERS)


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
