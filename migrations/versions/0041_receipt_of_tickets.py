"""A ticket has the moment of its receipt, from which the law counts, and it never changes."""

from alembic import op

revision = "0041"
down_revision = "0040"

RECEIPTS = """
ALTER TABLE ticket ADD COLUMN received_at timestamptz;
ALTER TABLE ticket DISABLE TRIGGER USER;  -- nothing is decided, and nobody is told
UPDATE ticket SET received_at = coalesce(
    (SELECT min(at) FROM ticket_clock WHERE ticket_id = ticket.id AND kind = 'received'), submitted_at);
ALTER TABLE ticket ENABLE TRIGGER USER;
ALTER TABLE ticket ALTER COLUMN received_at SET NOT NULL;
ALTER TABLE ticket ALTER COLUMN received_at SET DEFAULT now();  -- a process of the version before goes on filing
CREATE FUNCTION guard_receipt() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF NEW.received_at <> OLD.received_at THEN
        RAISE EXCEPTION 'when the request of ticket % was received cannot be changed', OLD.id USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard_receipt BEFORE UPDATE OF received_at ON ticket
    FOR EACH ROW EXECUTE FUNCTION guard_receipt();
"""


def upgrade() -> None:
    """Add the column, fill it from the clocks, and guard it."""
    op.execute(RECEIPTS)


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
