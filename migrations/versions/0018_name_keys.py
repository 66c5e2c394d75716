"""The keys of a ticket's names in their canonical form, by which duplicates, search and the retain guard look."""

from alembic import op

revision = "0018"
down_revision = "0017"

# `subject_index` stays as it is: the version before looks by it, and tickets whose material was shredded have nothing
# else. A job of the control loop fills `name_keys` of earlier tickets; `name_keys_form` is 0 until it has done so.
COLUMNS = """
ALTER TABLE ticket
    ADD COLUMN name_keys text[] DEFAULT '{}' NOT NULL,
    ADD COLUMN name_keys_form smallint DEFAULT 0 NOT NULL CHECK (name_keys_form >= 0);
CREATE INDEX ticket_name_keys ON ticket USING gin (name_keys) WITH (fastupdate=off);
CREATE INDEX ticket_name_keys_form ON ticket (name_keys_form, id);
"""

TRIGGER = """
-- A name that the version before amends has no keys by the canonical form until the job looks at the ticket again.
CREATE FUNCTION renew_name_keys() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF NEW.subject_index <> OLD.subject_index AND NEW.name_keys = OLD.name_keys THEN
        NEW.name_keys_form := 0;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER renew_name_keys BEFORE UPDATE OF subject_index ON ticket
    FOR EACH ROW EXECUTE FUNCTION renew_name_keys();
"""


def upgrade() -> None:
    """Add them."""
    op.execute(COLUMNS)
    op.execute(TRIGGER)


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
