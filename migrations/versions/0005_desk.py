"""The desk: facets of a ticket (clock, identity, hold), duplicates, coverage commitments, break-glass, exposure."""

from alembic import op

revision = "0005"
down_revision = "0004"

TABLES = """
ALTER TABLE ticket
    ADD COLUMN regime text NOT NULL DEFAULT 'gdpr' CHECK (regime IN ('gdpr', 'uk_gdpr', 'ccpa')),
    ADD COLUMN calendar text NOT NULL DEFAULT '', ADD COLUMN zone text NOT NULL DEFAULT 'UTC',
    ADD COLUMN clock text NOT NULL DEFAULT 'running' CHECK (clock IN ('running', 'paused', 'stopped')),
    ADD COLUMN due_at timestamptz, ADD COLUMN escalate_at timestamptz, ADD COLUMN acknowledged_at timestamptz,
    ADD COLUMN identity text NOT NULL DEFAULT 'assumed' CHECK (identity IN ('assumed', 'doubted', 'verified')),
    ADD COLUMN identity_by text, ADD COLUMN identity_method text, ADD COLUMN identity_at timestamptz,
    ADD COLUMN fact_index text[] NOT NULL DEFAULT '{}',
    ADD COLUMN duplicate_of text REFERENCES ticket,
    ADD CONSTRAINT verified_by_somebody CHECK (identity <> 'verified'
        OR (identity_by IS NOT NULL AND identity_method IS NOT NULL AND identity_at IS NOT NULL)),
    ADD CONSTRAINT not_approved_in_doubt CHECK (identity <> 'doubted'
        OR state IN ('received', 'identity_pending', 'rejected', 'withdrawn', 'duplicate', 'expired')),
    ADD CONSTRAINT duplicate_points CHECK (state <> 'duplicate' OR duplicate_of IS NOT NULL);
CREATE INDEX ticket_subject ON ticket USING gin (subject_index);
CREATE INDEX ticket_escalate ON ticket (escalate_at) WHERE escalate_at IS NOT NULL;

ALTER TABLE ticket_event ADD COLUMN kind text NOT NULL DEFAULT 'state';

CREATE TABLE lifecycle_move (origin text NOT NULL, target text NOT NULL, PRIMARY KEY (origin, target));

CREATE TABLE ticket_clock (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ticket_id text NOT NULL REFERENCES ticket,
    kind text NOT NULL CHECK (kind IN ('received', 'paused', 'resumed', 'extended', 'stopped')),
    at timestamptz NOT NULL, actor text NOT NULL, reason text,
    CHECK (kind <> 'extended' OR reason IS NOT NULL));
CREATE INDEX ticket_clock_ticket ON ticket_clock (ticket_id, id);

CREATE TABLE escalation (
    ticket_id text NOT NULL REFERENCES ticket, percent integer NOT NULL CHECK (percent IN (50, 75, 90, 100)),
    extensions integer NOT NULL, due_at timestamptz NOT NULL, at timestamptz NOT NULL,
    PRIMARY KEY (ticket_id, percent, extensions));

CREATE TABLE ticket_hold (
    id uuid PRIMARY KEY, ticket_id text NOT NULL REFERENCES ticket, reason text NOT NULL,
    set_by text NOT NULL, set_at timestamptz NOT NULL,
    release_asked_by text, release_asked_at timestamptz, released_by text, released_at timestamptz,
    CHECK (released_by IS NULL OR (release_asked_by IS NOT NULL AND released_by <> release_asked_by)),
    CHECK ((released_by IS NULL) = (released_at IS NULL)));
CREATE UNIQUE INDEX ticket_hold_open ON ticket_hold (ticket_id) WHERE released_at IS NULL;

ALTER TABLE refit_run ADD COLUMN recipe text;
ALTER TABLE refit_run DROP CONSTRAINT refit_run_kind_check;
ALTER TABLE refit_run ADD CONSTRAINT refit_run_kind_check
    CHECK (kind IN ('initial', 'nightly', 'urgent', 'forward'));

ALTER TABLE eraser_version ADD COLUMN coverage_root text;

ALTER TABLE promotion DROP CONSTRAINT promotion_kind_check;
ALTER TABLE promotion ADD CONSTRAINT promotion_kind_check
    CHECK (kind IN ('automatic', 'manual', 'rollback', 'break_glass', 'restore'));

CREATE TABLE break_glass (
    id uuid PRIMARY KEY, model_id text NOT NULL REFERENCES model, version_id uuid NOT NULL REFERENCES eraser_version,
    reason text NOT NULL, minutes integer NOT NULL CHECK (minutes BETWEEN 1 AND 1440),
    asked_by text NOT NULL, asked_at timestamptz NOT NULL,
    confirmed_by text, confirmed_at timestamptz, expires_at timestamptz, ended_at timestamptz, ended_by text,
    CHECK (confirmed_by IS NULL OR confirmed_by <> asked_by),
    CHECK ((confirmed_by IS NULL) = (confirmed_at IS NULL)), CHECK ((confirmed_by IS NULL) = (expires_at IS NULL)),
    CHECK (expires_at <= confirmed_at + make_interval(mins => minutes)));

CREATE TABLE break_glass_ticket (
    break_glass_id uuid NOT NULL REFERENCES break_glass, ticket_id text NOT NULL REFERENCES ticket,
    PRIMARY KEY (break_glass_id, ticket_id));

CREATE TABLE exposure (
    break_glass_id uuid NOT NULL REFERENCES break_glass, ticket_id text NOT NULL REFERENCES ticket,
    started_at timestamptz NOT NULL, ended_at timestamptz,
    seconds double precision GENERATED ALWAYS AS (extract(epoch FROM ended_at - started_at)) STORED,
    PRIMARY KEY (break_glass_id, ticket_id), CHECK (ended_at >= started_at));
"""

MOVES = """
INSERT INTO lifecycle_move (origin, target) VALUES
    ('received', 'under_review'), ('received', 'identity_pending'), ('under_review', 'identity_pending'),
    ('identity_pending', 'under_review'), ('under_review', 'approved'), ('received', 'rejected'),
    ('identity_pending', 'rejected'), ('under_review', 'rejected'), ('received', 'duplicate'),
    ('duplicate', 'under_review'), ('identity_pending', 'expired'),
    ('approved', 'scheduled'), ('failed', 'scheduled'), ('deploying', 'scheduled'),
    ('approved', 'fitting'), ('scheduled', 'fitting'), ('failed', 'fitting'), ('regressed', 'fitting'),
    ('approved', 'under_review'), ('scheduled', 'under_review'), ('fitting', 'under_review'),
    ('failed', 'under_review'),
    ('approved', 'auditing'), ('scheduled', 'auditing'), ('fitting', 'auditing'), ('failed', 'auditing'),
    ('regressed', 'auditing'),
    ('approved', 'deploying'), ('scheduled', 'deploying'), ('fitting', 'deploying'), ('auditing', 'deploying'),
    ('failed', 'deploying'), ('regressed', 'deploying'),
    ('deploying', 'completed'), ('approved', 'failed'), ('scheduled', 'failed'), ('fitting', 'failed'),
    ('auditing', 'failed'), ('deploying', 'failed'), ('failed', 'approved'),
    ('received', 'withdrawn'), ('identity_pending', 'withdrawn'), ('under_review', 'withdrawn'),
    ('approved', 'withdrawn'), ('scheduled', 'withdrawn'), ('fitting', 'withdrawn'), ('auditing', 'withdrawn'),
    ('deploying', 'withdrawn'), ('completed', 'withdrawn'), ('failed', 'withdrawn'), ('regressed', 'withdrawn'),
    ('completed', 'regressed');
"""

GUARDS = """
-- RFC 6962, section 2.1, over leaf hashes: neighbours are paired, an odd one is passed up.
CREATE FUNCTION merkle_root(level bytea[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE n integer := coalesce(array_length(level, 1), 0);
BEGIN
    IF n = 0 THEN RETURN encode(sha256(''), 'hex'); END IF;
    WHILE n > 1 LOOP
        SELECT array_agg(CASE WHEN 2 * i <= n THEN sha256('\\x01'::bytea || level[2 * i - 1] || level[2 * i])
                              ELSE level[n] END ORDER BY i)
        INTO level FROM generate_series(1, (n + 1) / 2) AS i;
        n := (n + 1) / 2;
    END LOOP;
    RETURN encode(level[1], 'hex');
END $$;

CREATE FUNCTION coverage_root_of(of_version uuid) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT merkle_root(array_agg(sha256('\\x00'::bytea || convert_to(ticket_id || ' ' || rows_sha256, 'UTF8'))
                                 ORDER BY ticket_id COLLATE "C"))
    FROM version_ticket WHERE version_id = of_version
$$;

-- As before, less those whom two people exposed knowingly, for as long as that is allowed.
CREATE OR REPLACE FUNCTION uncovered_tickets(of_model text, by_version uuid) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT ticket.id FROM ticket
    WHERE ticket.model_id = of_model AND ticket.required_since IS NOT NULL AND ticket.state <> 'withdrawn'
      AND NOT EXISTS (SELECT 1 FROM version_ticket AS covered
                      WHERE covered.version_id = by_version AND covered.ticket_id = ticket.id)
      AND NOT EXISTS (SELECT 1 FROM break_glass AS glass JOIN break_glass_ticket AS exempt
                          ON exempt.break_glass_id = glass.id
                      WHERE exempt.ticket_id = ticket.id AND glass.version_id = by_version
                        AND glass.confirmed_at IS NOT NULL AND glass.ended_at IS NULL
                        AND clock_timestamp() < glass.expires_at)
    ORDER BY ticket.id
$$;

CREATE OR REPLACE FUNCTION guard_desired_state() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE exposed text; committed text; signed text;
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.model_id <> OLD.model_id OR NEW.generation <= OLD.generation) THEN
        RAISE EXCEPTION 'a generation only grows' USING ERRCODE = 'LC004';
    END IF;
    IF NOT EXISTS (SELECT 1 FROM audit_run WHERE version_id = NEW.version_id AND verdict = 'passed') THEN
        RAISE EXCEPTION 'version % has passed no audit', NEW.version_id USING ERRCODE = 'LC002';
    END IF;
    IF EXISTS (SELECT 1 FROM eraser_version WHERE id = NEW.version_id AND model_id <> NEW.model_id) THEN
        RAISE EXCEPTION 'version % belongs to another model', NEW.version_id USING ERRCODE = 'LC002';
    END IF;
    SELECT coverage_root, manifest #>> '{coverage,root}' INTO committed, signed
        FROM eraser_version WHERE id = NEW.version_id;
    IF committed IS NOT NULL
        AND (committed <> coverage_root_of(NEW.version_id) OR committed <> coalesce(signed, committed)) THEN
        RAISE EXCEPTION 'version % does not cover what it committed to', NEW.version_id USING ERRCODE = 'LC005';
    END IF;
    SELECT string_agg(id, ' ') INTO exposed FROM uncovered_tickets(NEW.model_id, NEW.version_id) AS id;
    IF exposed IS NOT NULL THEN
        RAISE EXCEPTION 'version % leaves required tickets uncovered', NEW.version_id
            USING ERRCODE = 'LC001', DETAIL = exposed;
    END IF;
    RETURN NEW;
END $$;

-- Versions made before this migration have no commitment; whoever makes one from now on must commit.
CREATE FUNCTION guard_version() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.coverage_root IS NULL THEN
        RAISE EXCEPTION 'a version commits to the tickets that it covers' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT ON eraser_version FOR EACH ROW EXECUTE FUNCTION guard_version();

CREATE FUNCTION guard_ticket() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'received' OR NEW.required_since IS NOT NULL THEN
            RAISE EXCEPTION 'a ticket begins as received' USING ERRCODE = 'LC004';
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
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON ticket FOR EACH ROW EXECUTE FUNCTION guard_ticket();

CREATE FUNCTION guard_hold() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.release_asked_by IS NOT NULL OR NEW.released_by IS NOT NULL THEN
            RAISE EXCEPTION 'a hold begins unreleased' USING ERRCODE = 'LC004';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.released_by IS NOT NULL OR (NEW.id, NEW.ticket_id, NEW.reason, NEW.set_by, NEW.set_at)
        <> (OLD.id, OLD.ticket_id, OLD.reason, OLD.set_by, OLD.set_at) THEN
        RAISE EXCEPTION 'a hold is released, never changed' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON ticket_hold FOR EACH ROW EXECUTE FUNCTION guard_hold();

CREATE FUNCTION guard_break_glass() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.confirmed_by IS NOT NULL OR NEW.ended_at IS NOT NULL THEN
            RAISE EXCEPTION 'breaking the glass begins with asking' USING ERRCODE = 'LC004';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.model_id, NEW.version_id, NEW.reason, NEW.minutes, NEW.asked_by, NEW.asked_at)
        <> (OLD.id, OLD.model_id, OLD.version_id, OLD.reason, OLD.minutes, OLD.asked_by, OLD.asked_at)
        OR (OLD.confirmed_by IS NOT NULL AND (NEW.confirmed_by, NEW.confirmed_at, NEW.expires_at)
            IS DISTINCT FROM (OLD.confirmed_by, OLD.confirmed_at, OLD.expires_at))
        OR (OLD.ended_at IS NOT NULL AND NEW.ended_at IS DISTINCT FROM OLD.ended_at)
        OR (OLD.confirmed_by IS NULL AND NEW.confirmed_by IS NOT NULL
            AND (NEW.confirmed_at > clock_timestamp() + interval '1 minute' OR NEW.ended_at IS NOT NULL)) THEN
        RAISE EXCEPTION 'a broken glass is not changed, only ended' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON break_glass FOR EACH ROW EXECUTE FUNCTION guard_break_glass();

-- The tickets that are exempt are listed while it is asked for, so that whoever confirms has seen them.
CREATE FUNCTION guard_break_glass_ticket() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM break_glass WHERE id = NEW.break_glass_id AND confirmed_at IS NOT NULL) THEN
        RAISE EXCEPTION 'nobody is added after the confirmation' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT ON break_glass_ticket
    FOR EACH ROW EXECUTE FUNCTION guard_break_glass_ticket();

CREATE FUNCTION guard_exposure() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL OR (NEW.break_glass_id, NEW.ticket_id, NEW.started_at)
        <> (OLD.break_glass_id, OLD.ticket_id, OLD.started_at) THEN
        RAISE EXCEPTION 'the ledger is not rewritten' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE UPDATE ON exposure FOR EACH ROW EXECUTE FUNCTION guard_exposure();

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ticket_clock
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON escalation
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON version_ticket
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON lifecycle_move
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

# What was open before the clock existed runs from when it was filed; the officer's API recomputes what is due.
OLD_TICKETS = """
INSERT INTO ticket_clock (ticket_id, kind, at, actor) SELECT id, 'received', submitted_at, submitted_by FROM ticket;
INSERT INTO ticket_clock (ticket_id, kind, at, actor)
    SELECT id, 'stopped', coalesce(decided_at, submitted_at), 'migration' FROM ticket
    WHERE state IN ('completed', 'rejected', 'withdrawn', 'duplicate', 'expired', 'regressed');
UPDATE ticket SET clock = 'stopped'
    WHERE state IN ('completed', 'rejected', 'withdrawn', 'duplicate', 'expired', 'regressed');
UPDATE ticket SET escalate_at = submitted_at WHERE clock = 'running';
"""

GRANTS = """
REVOKE ALL ON FUNCTION coverage_root_of(uuid), merkle_root(bytea[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coverage_root_of(uuid), merkle_root(bytea[]) TO lacuna_request;
GRANT SELECT ON lifecycle_move, ticket_clock, escalation, ticket_hold, break_glass, break_glass_ticket, exposure
    TO lacuna_request;
GRANT INSERT ON ticket_clock, escalation, ticket_hold, break_glass, break_glass_ticket, exposure TO lacuna_request;
GRANT UPDATE (release_asked_by, release_asked_at, released_by, released_at) ON ticket_hold TO lacuna_request;
GRANT UPDATE (confirmed_by, confirmed_at, expires_at, ended_at, ended_by) ON break_glass TO lacuna_request;
GRANT UPDATE (ended_at) ON exposure TO lacuna_request;
"""


def upgrade() -> None:
    """Make everything."""
    for block in (TABLES, OLD_TICKETS, MOVES, GUARDS, GRANTS):
        op.execute(block)


def downgrade() -> None:
    """Holds, exposures and commitments are evidence: they are not taken back."""
    raise NotImplementedError("restore a backup instead")
