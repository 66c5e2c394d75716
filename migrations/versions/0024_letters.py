"""Letters to the person, as they were recorded: each sealed under a key of its own, which is destroyed with time."""

from alembic import op

revision = "0024"
down_revision = "0023"

TABLE = """
CREATE TABLE letter (
    id uuid PRIMARY KEY,
    ticket_id text NOT NULL REFERENCES ticket,
    kind text NOT NULL CHECK (kind IN ('receipt', 'extension', 'information', 'completion', 'refusal')),
    regime text NOT NULL,
    language text NOT NULL,
    edited boolean NOT NULL,
    sealed bytea,
    wrapped_key bytea,
    sha256 text NOT NULL,
    recorded_by text NOT NULL,
    recorded_at timestamptz NOT NULL,
    destroyed_at timestamptz,
    CONSTRAINT letter_sealed_or_destroyed CHECK (
        (sealed IS NULL) = (wrapped_key IS NULL) AND (sealed IS NULL) = (destroyed_at IS NOT NULL))
);
CREATE INDEX letter_ticket ON letter (ticket_id, recorded_at);
CREATE INDEX letter_sealed ON letter (recorded_at) WHERE wrapped_key IS NOT NULL;

CREATE FUNCTION guard_letter() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.destroyed_at IS NOT NULL THEN
            RAISE EXCEPTION 'a new letter is not destroyed yet' USING ERRCODE = 'LC004';
        END IF;
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - '{sealed,wrapped_key,destroyed_at}'::text[]
        <> to_jsonb(OLD) - '{sealed,wrapped_key,destroyed_at}'::text[]
        OR (NEW.sealed IS NOT NULL AND NEW.sealed IS DISTINCT FROM OLD.sealed) THEN
        RAISE EXCEPTION 'a letter stays as it was recorded' USING ERRCODE = 'LC004';
    END IF;
    IF NEW.destroyed_at IS NULL AND NEW.wrapped_key <> OLD.wrapped_key
        AND NOT EXISTS (SELECT 1 FROM rewrap WHERE finished_at IS NULL) THEN
        RAISE EXCEPTION 'the key of a letter is replaced by a key rotation alone' USING ERRCODE = 'LC004';
    END IF;
    IF NEW.destroyed_at IS NOT NULL AND OLD.destroyed_at IS NULL
        AND EXISTS (SELECT 1 FROM ticket_hold WHERE ticket_id = NEW.ticket_id AND released_at IS NULL) THEN
        RAISE EXCEPTION 'a letter is kept under a legal hold' USING ERRCODE = 'LC006';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON letter FOR EACH ROW EXECUTE FUNCTION guard_letter();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON letter FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT ON letter TO lacuna_request;
GRANT SELECT, UPDATE (sealed, wrapped_key, destroyed_at) ON letter TO lacuna_control;
"""


def upgrade() -> None:
    """Add it."""
    op.execute(TABLE)


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
