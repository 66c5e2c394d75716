--
-- PostgreSQL database dump
--

\restrict y4OijcprWR1bIgtfwYh08BZlIYwk5xSRRfRGq4oXMc0mD8hKMn92ZMNn0cX9a0U

-- Dumped from database version 18.6
-- Dumped by pg_dump version 18.6

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: coverage_root_of(uuid); Type: FUNCTION; Schema: public; Owner: lacuna
--

CREATE FUNCTION public.coverage_root_of(of_version uuid) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT merkle_root(array_agg(sha256('\x00'::bytea || convert_to(ticket_id || ' ' || rows_sha256, 'UTF8'))
                                 ORDER BY ticket_id COLLATE "C"))
    FROM version_ticket WHERE version_id = of_version
$$;


ALTER FUNCTION public.coverage_root_of(of_version uuid) OWNER TO lacuna;

--
-- Name: forget_old_answers(); Type: FUNCTION; Schema: public; Owner: lacuna
--

CREATE FUNCTION public.forget_old_answers() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    WITH gone AS (DELETE FROM idempotency_key WHERE created_at < now() - interval '1 day' RETURNING 1)
    SELECT count(*) FROM gone
$$;


ALTER FUNCTION public.forget_old_answers() OWNER TO lacuna;

--
-- Name: guard_acceptance(); Type: FUNCTION; Schema: public; Owner: lacuna
--

CREATE FUNCTION public.guard_acceptance() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF (TG_OP = 'INSERT' AND NEW.confirmed_by IS NOT NULL) OR (TG_OP = 'UPDATE' AND (OLD.confirmed_by IS NOT NULL
        OR to_jsonb(NEW) - 'confirmed_by' - 'confirmed_at' <> to_jsonb(OLD) - 'confirmed_by' - 'confirmed_at')) THEN
        RAISE EXCEPTION 'accepting an older database begins with asking, and is confirmed once'
            USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;


ALTER FUNCTION public.guard_acceptance() OWNER TO lacuna;

--
-- Name: guard_break_glass(); Type: FUNCTION; Schema: public; Owner: lacuna
--

CREATE FUNCTION public.guard_break_glass() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
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


ALTER FUNCTION public.guard_break_glass() OWNER TO lacuna;

--
-- Name: guard_break_glass_ticket(); Type: FUNCTION; Schema: public; Owner: lacuna
--

CREATE FUNCTION public.guard_break_glass_ticket() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM break_glass WHERE id = NEW.break_glass_id AND confirmed_at IS NOT NULL) THEN
        RAISE EXCEPTION 'nobody is added after the confirmation' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;


ALTER FUNCTION public.guard_break_glass_ticket() OWNER TO lacuna;

--
-- Name: guard_checkpoint(); Type: FUNCTION; Schema: public; Owner: lacuna
--

CREATE FUNCTION public.guard_checkpoint() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF NEW.size <= (SELECT coalesce(max(size), 0) FROM log_checkpoint) THEN
        RAISE EXCEPTION 'a checkpoint is larger than all before it' USING ERRCODE = 'LC003';
    END IF;
    RETURN NEW;
END $$;


ALTER FUNCTION public.guard_checkpoint() OWNER TO lacuna;

--
-- Name: guard_desired_state(); Type: FUNCTION; Schema: public; Owner: lacuna
--

CREATE FUNCTION public.guard_desired_state() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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


ALTER FUNCTION public.guard_desired_state() OWNER TO lacuna;

--
-- Name: guard_disposal(); Type: FUNCTION; Schema: public; Owner: lacuna
--

CREATE FUNCTION public.guard_disposal() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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


ALTER FUNCTION public.guard_disposal() OWNER TO lacuna;

--
-- Name: guard_exposure(); Type: FUNCTION; Schema: public; Owner: lacuna
--

CREATE FUNCTION public.guard_exposure() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL OR (NEW.break_glass_id, NEW.ticket_id, NEW.started_at)
        <> (OLD.break_glass_id, OLD.ticket_id, OLD.started_at) THEN
        RAISE EXCEPTION 'the ledger is not rewritten' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;


ALTER FUNCTION public.guard_exposure() OWNER TO lacuna;

--
-- Name: guard_fit_rows(); Type: FUNCTION; Schema: public; Owner: lacuna
--

CREATE FUNCTION public.guard_fit_rows() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF OLD.wrapped_key IS NULL AND NEW.wrapped_key IS NOT NULL AND NEW.sha256 = OLD.sha256 THEN
        RAISE EXCEPTION 'the rows of ticket % were destroyed', NEW.ticket_id USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;


ALTER FUNCTION public.guard_fit_rows() OWNER TO lacuna;

--
-- Name: guard_hold(); Type: FUNCTION; Schema: public; Owner: lacuna
--

CREATE FUNCTION public.guard_hold() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
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


ALTER FUNCTION public.guard_hold() OWNER TO lacuna;

--
-- Name: guard_kit_access(); Type: FUNCTION; Schema: public; Owner: lacuna
--

CREATE FUNCTION public.guard_kit_access() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.allowed_by IS NOT NULL OR NEW.ended_at IS NOT NULL THEN
            RAISE EXCEPTION 'looking into a kit begins with asking' USING ERRCODE = 'LC004';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.ticket_id, NEW.reason, NEW.minutes, NEW.asked_by, NEW.asked_at)
        <> (OLD.id, OLD.ticket_id, OLD.reason, OLD.minutes, OLD.asked_by, OLD.asked_at)
        OR (OLD.allowed_by IS NOT NULL AND (NEW.allowed_by, NEW.allowed_at, NEW.expires_at)
            IS DISTINCT FROM (OLD.allowed_by, OLD.allowed_at, OLD.expires_at))
        OR (OLD.ended_at IS NOT NULL AND (NEW.ended_at, NEW.ended_by) IS DISTINCT FROM (OLD.ended_at, OLD.ended_by))
        OR (OLD.allowed_by IS NULL AND NEW.allowed_by IS NOT NULL
            AND (NEW.allowed_at > clock_timestamp() + interval '1 minute' OR NEW.ended_at IS NOT NULL)) THEN
        RAISE EXCEPTION 'access to a kit is not changed, only ended' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;


ALTER FUNCTION public.guard_kit_access() OWNER TO lacuna;

--
-- Name: guard_kit_opening(); Type: FUNCTION; Schema: public; Owner: lacuna
--

CREATE FUNCTION public.guard_kit_opening() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM kit_access WHERE id = NEW.access_id AND asked_by = NEW.actor AND ended_at IS NULL
                   AND clock_timestamp() < expires_at) THEN
        RAISE EXCEPTION 'nobody has allowed that' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;


ALTER FUNCTION public.guard_kit_opening() OWNER TO lacuna;

--
-- Name: guard_leaf(); Type: FUNCTION; Schema: public; Owner: lacuna
--

CREATE FUNCTION public.guard_leaf() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        RAISE EXCEPTION 'log_leaf is append-only: a leaf begins without a place' USING ERRCODE = 'LC003';
    END IF;
    IF OLD.position IS NOT NULL OR NEW.position IS NULL
        OR (NEW.id, NEW.at, NEW.actor, NEW.kind, NEW.subject, NEW.detail)
            IS DISTINCT FROM (OLD.id, OLD.at, OLD.actor, OLD.kind, OLD.subject, OLD.detail) THEN
        RAISE EXCEPTION 'log_leaf is append-only' USING ERRCODE = 'LC003';
    END IF;
    RETURN NEW;
END $$;


ALTER FUNCTION public.guard_leaf() OWNER TO lacuna;

--
-- Name: guard_rewrap(); Type: FUNCTION; Schema: public; Owner: lacuna
--

CREATE FUNCTION public.guard_rewrap() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF NEW.wrapped_key IS NULL OR NEW.wrapped_key = OLD.wrapped_key
        OR to_jsonb(NEW) - 'wrapped_key' <> to_jsonb(OLD) - 'wrapped_key' THEN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'LC003';
    END IF;
    RETURN NEW;
END $$;


ALTER FUNCTION public.guard_rewrap() OWNER TO lacuna;

--
-- Name: guard_ticket(); Type: FUNCTION; Schema: public; Owner: lacuna
--

CREATE FUNCTION public.guard_ticket() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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


ALTER FUNCTION public.guard_ticket() OWNER TO lacuna;

--
-- Name: guard_version(); Type: FUNCTION; Schema: public; Owner: lacuna
--

CREATE FUNCTION public.guard_version() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF NEW.coverage_root IS NULL THEN
        RAISE EXCEPTION 'a version commits to the tickets that it covers' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;


ALTER FUNCTION public.guard_version() OWNER TO lacuna;

--
-- Name: merkle_root(bytea[]); Type: FUNCTION; Schema: public; Owner: lacuna
--

CREATE FUNCTION public.merkle_root(level bytea[]) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE n integer := coalesce(array_length(level, 1), 0);
BEGIN
    IF n = 0 THEN RETURN encode(sha256(''), 'hex'); END IF;
    WHILE n > 1 LOOP
        SELECT array_agg(CASE WHEN 2 * i <= n THEN sha256('\x01'::bytea || level[2 * i - 1] || level[2 * i])
                              ELSE level[n] END ORDER BY i)
        INTO level FROM generate_series(1, (n + 1) / 2) AS i;
        n := (n + 1) / 2;
    END LOOP;
    RETURN encode(level[1], 'hex');
END $$;


ALTER FUNCTION public.merkle_root(level bytea[]) OWNER TO lacuna;

--
-- Name: refuse_change(); Type: FUNCTION; Schema: public; Owner: lacuna
--

CREATE FUNCTION public.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'LC003'; END $$;


ALTER FUNCTION public.refuse_change() OWNER TO lacuna;

--
-- Name: uncovered_tickets(text, uuid); Type: FUNCTION; Schema: public; Owner: lacuna
--

CREATE FUNCTION public.uncovered_tickets(of_model text, by_version uuid) RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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


ALTER FUNCTION public.uncovered_tickets(of_model text, by_version uuid) OWNER TO lacuna;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: alarm; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.alarm (
    id uuid NOT NULL,
    name text NOT NULL,
    sentence text NOT NULL,
    raised_at timestamp with time zone NOT NULL,
    cleared_at timestamp with time zone,
    CONSTRAINT alarm_check CHECK ((cleared_at >= raised_at))
);


ALTER TABLE public.alarm OWNER TO lacuna;

--
-- Name: alembic_version; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);


ALTER TABLE public.alembic_version OWNER TO lacuna;

--
-- Name: api_key; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.api_key (
    id uuid NOT NULL,
    tenant_id text NOT NULL,
    owner text NOT NULL,
    key_sha256 text NOT NULL,
    roles text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    revoked_at timestamp with time zone,
    scopes text[] DEFAULT '{}'::text[] NOT NULL,
    label text DEFAULT ''::text NOT NULL,
    expires_at timestamp with time zone,
    last_used_at timestamp with time zone,
    created_by text,
    CONSTRAINT auditor_exclusive CHECK (((NOT ('auditor'::text = ANY (roles))) OR (cardinality(roles) = 1))),
    CONSTRAINT operator_apart CHECK (((NOT ('operator'::text = ANY (roles))) OR (roles <@ ARRAY['operator'::text, 'client'::text])))
);


ALTER TABLE public.api_key OWNER TO lacuna;

--
-- Name: audit_run; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.audit_run (
    id uuid NOT NULL,
    version_id uuid NOT NULL,
    status text NOT NULL,
    verdict text,
    reasons jsonb,
    report jsonb,
    attempt integer NOT NULL,
    fence integer NOT NULL,
    lease_until timestamp with time zone,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    error text,
    CONSTRAINT audit_run_status_check CHECK ((status = ANY (ARRAY['running'::text, 'waiting'::text, 'succeeded'::text, 'failed'::text]))),
    CONSTRAINT audit_run_verdict_check CHECK ((verdict = ANY (ARRAY['passed'::text, 'failed'::text])))
);


ALTER TABLE public.audit_run OWNER TO lacuna;

--
-- Name: break_glass; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.break_glass (
    id uuid NOT NULL,
    model_id text NOT NULL,
    version_id uuid NOT NULL,
    reason text NOT NULL,
    minutes integer NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    confirmed_by text,
    confirmed_at timestamp with time zone,
    expires_at timestamp with time zone,
    ended_at timestamp with time zone,
    ended_by text,
    CONSTRAINT break_glass_check CHECK (((confirmed_by IS NULL) OR (confirmed_by <> asked_by))),
    CONSTRAINT break_glass_check1 CHECK (((confirmed_by IS NULL) = (confirmed_at IS NULL))),
    CONSTRAINT break_glass_check2 CHECK (((confirmed_by IS NULL) = (expires_at IS NULL))),
    CONSTRAINT break_glass_check3 CHECK ((expires_at <= (confirmed_at + make_interval(mins => minutes)))),
    CONSTRAINT break_glass_check4 CHECK ((lower(btrim(confirmed_by)) <> lower(btrim(asked_by)))),
    CONSTRAINT break_glass_minutes_check CHECK (((minutes >= 1) AND (minutes <= 1440)))
);


ALTER TABLE public.break_glass OWNER TO lacuna;

--
-- Name: break_glass_ticket; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.break_glass_ticket (
    break_glass_id uuid NOT NULL,
    ticket_id text NOT NULL
);


ALTER TABLE public.break_glass_ticket OWNER TO lacuna;

--
-- Name: certificate; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.certificate (
    id uuid NOT NULL,
    ticket_id text NOT NULL,
    number integer NOT NULL,
    status text NOT NULL,
    reason text NOT NULL,
    version_id uuid,
    sha256 text NOT NULL,
    envelope jsonb NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    log_size bigint,
    CONSTRAINT certificate_check CHECK (((status = 'suspended'::text) OR (version_id IS NOT NULL))),
    CONSTRAINT certificate_number_check CHECK ((number > 0)),
    CONSTRAINT certificate_status_check CHECK ((status = ANY (ARRAY['in_force'::text, 'suspended'::text])))
);


ALTER TABLE public.certificate OWNER TO lacuna;

--
-- Name: desired_state; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.desired_state (
    model_id text NOT NULL,
    generation integer NOT NULL,
    version_id uuid NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamp with time zone NOT NULL
);


ALTER TABLE public.desired_state OWNER TO lacuna;

--
-- Name: disposal; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.disposal (
    id uuid NOT NULL,
    ticket_id text NOT NULL,
    object text NOT NULL,
    object_key text NOT NULL,
    sha256 text NOT NULL,
    reason text NOT NULL,
    key_destroyed_at timestamp with time zone NOT NULL,
    removed_at timestamp with time zone,
    CONSTRAINT disposal_object_check CHECK ((object = ANY (ARRAY['payload'::text, 'kit'::text])))
);


ALTER TABLE public.disposal OWNER TO lacuna;

--
-- Name: eraser_version; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.eraser_version (
    id uuid NOT NULL,
    model_id text NOT NULL,
    number integer NOT NULL,
    run_id uuid NOT NULL,
    recipe text NOT NULL,
    object_key text NOT NULL,
    sha256 text NOT NULL,
    size_bytes bigint NOT NULL,
    manifest jsonb NOT NULL,
    envelope jsonb NOT NULL,
    wrapped_key bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    coverage_root text,
    CONSTRAINT eraser_version_number_check CHECK ((number >= 0))
);


ALTER TABLE public.eraser_version OWNER TO lacuna;

--
-- Name: escalation; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.escalation (
    ticket_id text NOT NULL,
    percent integer NOT NULL,
    extensions integer NOT NULL,
    due_at timestamp with time zone NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT escalation_percent_check CHECK ((percent = ANY (ARRAY[50, 75, 90, 100])))
);


ALTER TABLE public.escalation OWNER TO lacuna;

--
-- Name: exposure; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.exposure (
    break_glass_id uuid NOT NULL,
    ticket_id text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    seconds double precision GENERATED ALWAYS AS (EXTRACT(epoch FROM (ended_at - started_at))) STORED,
    CONSTRAINT exposure_check CHECK ((ended_at >= started_at))
);


ALTER TABLE public.exposure OWNER TO lacuna;

--
-- Name: fit_rows; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.fit_rows (
    model_id text NOT NULL,
    ticket_id text NOT NULL,
    digest text NOT NULL,
    object_key text NOT NULL,
    sha256 text NOT NULL,
    wrapped_key bytea,
    created_at timestamp with time zone NOT NULL
);


ALTER TABLE public.fit_rows OWNER TO lacuna;

--
-- Name: idempotency_key; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.idempotency_key (
    tenant_id text NOT NULL,
    owner text NOT NULL,
    key text NOT NULL,
    request_sha256 text NOT NULL,
    status integer NOT NULL,
    headers jsonb NOT NULL,
    body jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL
);


ALTER TABLE public.idempotency_key OWNER TO lacuna;

--
-- Name: import_job; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.import_job (
    id uuid NOT NULL,
    tenant_id text NOT NULL,
    owner text NOT NULL,
    format text NOT NULL,
    dry_run boolean NOT NULL,
    status text NOT NULL,
    object_key text NOT NULL,
    wrapped_key bytea,
    rows integer NOT NULL,
    done integer DEFAULT 0 NOT NULL,
    accepted integer DEFAULT 0 NOT NULL,
    refused integer DEFAULT 0 NOT NULL,
    error text,
    correlation text,
    created_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT import_job_status_check CHECK ((status = ANY (ARRAY['waiting'::text, 'succeeded'::text, 'failed'::text])))
);


ALTER TABLE public.import_job OWNER TO lacuna;

--
-- Name: import_row; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.import_row (
    job_id uuid NOT NULL,
    number integer NOT NULL,
    ticket_id text,
    problem text
);


ALTER TABLE public.import_row OWNER TO lacuna;

--
-- Name: kit_access; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.kit_access (
    id uuid NOT NULL,
    ticket_id text NOT NULL,
    reason text NOT NULL,
    minutes integer NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    allowed_by text,
    allowed_at timestamp with time zone,
    expires_at timestamp with time zone,
    ended_by text,
    ended_at timestamp with time zone,
    CONSTRAINT kit_access_check CHECK ((lower(btrim(allowed_by)) <> lower(btrim(asked_by)))),
    CONSTRAINT kit_access_check1 CHECK (((allowed_by IS NULL) = (allowed_at IS NULL))),
    CONSTRAINT kit_access_check2 CHECK (((allowed_by IS NULL) = (expires_at IS NULL))),
    CONSTRAINT kit_access_check3 CHECK ((expires_at <= (allowed_at + make_interval(mins => minutes)))),
    CONSTRAINT kit_access_minutes_check CHECK (((minutes >= 1) AND (minutes <= 1440))),
    CONSTRAINT kit_access_reason_check CHECK ((reason <> ''::text))
);


ALTER TABLE public.kit_access OWNER TO lacuna;

--
-- Name: kit_opening; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.kit_opening (
    id bigint NOT NULL,
    access_id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL
);


ALTER TABLE public.kit_opening OWNER TO lacuna;

--
-- Name: kit_opening_id_seq; Type: SEQUENCE; Schema: public; Owner: lacuna
--

ALTER TABLE public.kit_opening ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.kit_opening_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: lifecycle_move; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.lifecycle_move (
    origin text NOT NULL,
    target text NOT NULL
);


ALTER TABLE public.lifecycle_move OWNER TO lacuna;

--
-- Name: log_checkpoint; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.log_checkpoint (
    size bigint NOT NULL,
    root bytea NOT NULL,
    note text NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT log_checkpoint_root_check CHECK ((length(root) = 32)),
    CONSTRAINT log_checkpoint_size_check CHECK ((size > 0))
);


ALTER TABLE public.log_checkpoint OWNER TO lacuna;

--
-- Name: log_leaf; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.log_leaf (
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    actor text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    detail jsonb NOT NULL,
    "position" bigint,
    leaf_hash bytea,
    CONSTRAINT log_leaf_position_check CHECK (("position" >= 0)),
    CONSTRAINT placed_and_hashed CHECK (((("position" IS NULL) = (leaf_hash IS NULL)) AND ((leaf_hash IS NULL) OR (length(leaf_hash) = 32))))
);


ALTER TABLE public.log_leaf OWNER TO lacuna;

--
-- Name: log_leaf_id_seq; Type: SEQUENCE; Schema: public; Owner: lacuna
--

ALTER TABLE public.log_leaf ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.log_leaf_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: log_timestamp; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.log_timestamp (
    size bigint NOT NULL,
    token bytea NOT NULL,
    attested_at timestamp with time zone NOT NULL,
    made_at timestamp with time zone NOT NULL,
    CONSTRAINT log_timestamp_token_check CHECK ((length(token) <= 65536))
);


ALTER TABLE public.log_timestamp OWNER TO lacuna;

--
-- Name: model; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.model (
    id text NOT NULL,
    tenant_id text NOT NULL,
    source text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);


ALTER TABLE public.model OWNER TO lacuna;

--
-- Name: outbox; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.outbox (
    id uuid NOT NULL,
    queue text NOT NULL,
    task text NOT NULL,
    kwargs jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    published_at timestamp with time zone,
    attempts integer DEFAULT 0 NOT NULL,
    correlation text
);


ALTER TABLE public.outbox OWNER TO lacuna;

--
-- Name: promotion; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.promotion (
    id bigint NOT NULL,
    model_id text NOT NULL,
    generation integer NOT NULL,
    version_id uuid NOT NULL,
    kind text NOT NULL,
    actor text NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT promotion_kind_check CHECK ((kind = ANY (ARRAY['automatic'::text, 'manual'::text, 'rollback'::text, 'break_glass'::text, 'restore'::text])))
);


ALTER TABLE public.promotion OWNER TO lacuna;

--
-- Name: promotion_id_seq; Type: SEQUENCE; Schema: public; Owner: lacuna
--

ALTER TABLE public.promotion ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.promotion_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: pulse; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.pulse (
    name text NOT NULL,
    at timestamp with time zone NOT NULL
);


ALTER TABLE public.pulse OWNER TO lacuna;

--
-- Name: refit_run; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.refit_run (
    id uuid NOT NULL,
    model_id text NOT NULL,
    kind text NOT NULL,
    period text,
    status text NOT NULL,
    stage text,
    attempt integer NOT NULL,
    fence integer NOT NULL,
    lease_until timestamp with time zone,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    error text,
    version_id uuid,
    seconds jsonb,
    progress jsonb,
    notes jsonb,
    recipe text,
    CONSTRAINT refit_run_kind_check CHECK ((kind = ANY (ARRAY['initial'::text, 'nightly'::text, 'urgent'::text, 'forward'::text]))),
    CONSTRAINT refit_run_status_check CHECK ((status = ANY (ARRAY['running'::text, 'waiting'::text, 'succeeded'::text, 'nothing_to_do'::text, 'failed'::text])))
);


ALTER TABLE public.refit_run OWNER TO lacuna;

--
-- Name: refit_run_ticket; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.refit_run_ticket (
    run_id uuid NOT NULL,
    ticket_id text NOT NULL,
    outcome text NOT NULL,
    at timestamp with time zone NOT NULL,
    detail text,
    CONSTRAINT refit_run_ticket_outcome_check CHECK ((outcome = ANY (ARRAY['fitting'::text, 'fitted'::text, 'no_leak_found'::text, 'failed'::text, 'needs_resubmission'::text])))
);


ALTER TABLE public.refit_run_ticket OWNER TO lacuna;

--
-- Name: replica; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.replica (
    id text NOT NULL,
    model_id text NOT NULL,
    generation integer NOT NULL,
    version_number integer,
    state text NOT NULL,
    error text,
    lease_until timestamp with time zone NOT NULL,
    acked_at timestamp with time zone NOT NULL,
    CONSTRAINT replica_state_check CHECK ((state = ANY (ARRAY['loading'::text, 'serving'::text, 'failed'::text])))
);


ALTER TABLE public.replica OWNER TO lacuna;

--
-- Name: restore_acceptance; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.restore_acceptance (
    id uuid NOT NULL,
    model_id text NOT NULL,
    mark_sha256 text NOT NULL,
    mark jsonb NOT NULL,
    present jsonb NOT NULL,
    checkpoint text NOT NULL,
    checkpoint_sha256 text NOT NULL,
    reason text NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    confirmed_by text,
    confirmed_at timestamp with time zone,
    CONSTRAINT restore_acceptance_check CHECK (((confirmed_by IS NULL) = (confirmed_at IS NULL))),
    CONSTRAINT restore_acceptance_check1 CHECK ((lower(btrim(confirmed_by)) <> lower(btrim(asked_by)))),
    CONSTRAINT restore_acceptance_reason_check CHECK ((reason <> ''::text))
);


ALTER TABLE public.restore_acceptance OWNER TO lacuna;

--
-- Name: retain_choice; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.retain_choice (
    model_id text NOT NULL,
    number integer,
    changed_by text NOT NULL,
    changed_at timestamp with time zone NOT NULL
);


ALTER TABLE public.retain_choice OWNER TO lacuna;

--
-- Name: retain_set; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.retain_set (
    model_id text NOT NULL,
    number integer NOT NULL,
    digest text NOT NULL,
    object_key text NOT NULL,
    sha256 text NOT NULL,
    wrapped_key bytea NOT NULL,
    seed integer NOT NULL,
    counts jsonb NOT NULL,
    added_by text NOT NULL,
    added_at timestamp with time zone NOT NULL,
    CONSTRAINT retain_set_number_check CHECK ((number > 0))
);


ALTER TABLE public.retain_set OWNER TO lacuna;

--
-- Name: rewrap; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.rewrap (
    id uuid NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    target text,
    place integer NOT NULL,
    after jsonb,
    passes integer NOT NULL,
    done integer NOT NULL,
    total integer NOT NULL,
    changed integer NOT NULL,
    rewrapped integer NOT NULL,
    seen jsonb NOT NULL,
    before jsonb NOT NULL,
    unreadable jsonb NOT NULL,
    finished_at timestamp with time zone
);


ALTER TABLE public.rewrap OWNER TO lacuna;

--
-- Name: tenant; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.tenant (
    id text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);


ALTER TABLE public.tenant OWNER TO lacuna;

--
-- Name: ticket; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.ticket (
    id text NOT NULL,
    tenant_id text NOT NULL,
    model_id text NOT NULL,
    state text NOT NULL,
    review_reason text,
    source text NOT NULL,
    external_ref text,
    subject_index text[] NOT NULL,
    payload_key text NOT NULL,
    payload_sha256 text NOT NULL,
    payload_wrapped_key bytea,
    photos integer NOT NULL,
    facts integer NOT NULL,
    urgent boolean NOT NULL,
    submitted_by text NOT NULL,
    submitted_at timestamp with time zone NOT NULL,
    last_edited_by text NOT NULL,
    decided_by text,
    decided_at timestamp with time zone,
    ground text,
    decision_code text,
    decision_note text,
    required_since timestamp with time zone,
    version integer DEFAULT 1 NOT NULL,
    regime text DEFAULT 'gdpr'::text NOT NULL,
    calendar text DEFAULT ''::text NOT NULL,
    zone text DEFAULT 'UTC'::text NOT NULL,
    clock text DEFAULT 'running'::text NOT NULL,
    due_at timestamp with time zone,
    escalate_at timestamp with time zone,
    acknowledged_at timestamp with time zone,
    identity text DEFAULT 'assumed'::text NOT NULL,
    identity_by text,
    identity_method text,
    identity_at timestamp with time zone,
    fact_index text[] DEFAULT '{}'::text[] NOT NULL,
    duplicate_of text,
    kit_key text,
    kit_sha256 text,
    kit_wrapped_key bytea,
    kit_made_at timestamp with time zone,
    CONSTRAINT duplicate_points CHECK (((state <> 'duplicate'::text) OR (duplicate_of IS NOT NULL))),
    CONSTRAINT not_approved_in_doubt CHECK (((identity <> 'doubted'::text) OR (state = ANY (ARRAY['received'::text, 'identity_pending'::text, 'rejected'::text, 'withdrawn'::text, 'duplicate'::text, 'expired'::text])))),
    CONSTRAINT ticket_check CHECK (((decided_by IS NULL) OR (state = 'rejected'::text) OR ((decided_by <> submitted_by) AND (decided_by <> last_edited_by)))),
    CONSTRAINT ticket_clock_check CHECK ((clock = ANY (ARRAY['running'::text, 'paused'::text, 'stopped'::text]))),
    CONSTRAINT ticket_identity_check CHECK ((identity = ANY (ARRAY['assumed'::text, 'doubted'::text, 'verified'::text]))),
    CONSTRAINT ticket_regime_check CHECK ((regime = ANY (ARRAY['gdpr'::text, 'uk_gdpr'::text, 'ccpa'::text]))),
    CONSTRAINT ticket_state_check CHECK ((state = ANY (ARRAY['received'::text, 'identity_pending'::text, 'under_review'::text, 'approved'::text, 'scheduled'::text, 'fitting'::text, 'auditing'::text, 'deploying'::text, 'completed'::text, 'rejected'::text, 'withdrawn'::text, 'duplicate'::text, 'expired'::text, 'failed'::text, 'regressed'::text]))),
    CONSTRAINT verified_by_somebody CHECK (((identity <> 'verified'::text) OR ((identity_by IS NOT NULL) AND (identity_method IS NOT NULL) AND (identity_at IS NOT NULL))))
);


ALTER TABLE public.ticket OWNER TO lacuna;

--
-- Name: ticket_clock; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.ticket_clock (
    id bigint NOT NULL,
    ticket_id text NOT NULL,
    kind text NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    reason text,
    CONSTRAINT ticket_clock_check1 CHECK (((kind <> 'extended'::text) OR (reason IS NOT NULL))),
    CONSTRAINT ticket_clock_kind_check CHECK ((kind = ANY (ARRAY['received'::text, 'paused'::text, 'resumed'::text, 'extended'::text, 'stopped'::text])))
);


ALTER TABLE public.ticket_clock OWNER TO lacuna;

--
-- Name: ticket_clock_id_seq; Type: SEQUENCE; Schema: public; Owner: lacuna
--

ALTER TABLE public.ticket_clock ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.ticket_clock_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: ticket_event; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.ticket_event (
    id bigint NOT NULL,
    ticket_id text NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    state text NOT NULL,
    note text,
    kind text DEFAULT 'state'::text NOT NULL,
    detail jsonb
);


ALTER TABLE public.ticket_event OWNER TO lacuna;

--
-- Name: ticket_event_id_seq; Type: SEQUENCE; Schema: public; Owner: lacuna
--

ALTER TABLE public.ticket_event ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.ticket_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: ticket_hold; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.ticket_hold (
    id uuid NOT NULL,
    ticket_id text NOT NULL,
    reason text NOT NULL,
    set_by text NOT NULL,
    set_at timestamp with time zone NOT NULL,
    release_asked_by text,
    release_asked_at timestamp with time zone,
    released_by text,
    released_at timestamp with time zone,
    CONSTRAINT ticket_hold_check CHECK (((released_by IS NULL) OR ((release_asked_by IS NOT NULL) AND (released_by <> release_asked_by)))),
    CONSTRAINT ticket_hold_check1 CHECK (((released_by IS NULL) = (released_at IS NULL))),
    CONSTRAINT ticket_hold_check2 CHECK ((lower(btrim(released_by)) <> lower(btrim(release_asked_by))))
);


ALTER TABLE public.ticket_hold OWNER TO lacuna;

--
-- Name: version_ticket; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.version_ticket (
    version_id uuid NOT NULL,
    ticket_id text NOT NULL,
    rows_sha256 text NOT NULL
);


ALTER TABLE public.version_ticket OWNER TO lacuna;

--
-- Name: webhook; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.webhook (
    id uuid NOT NULL,
    tenant_id text NOT NULL,
    url text NOT NULL,
    events text[] NOT NULL,
    secret bytea NOT NULL,
    secret_key bytea NOT NULL,
    old_secret bytea,
    old_secret_key bytea,
    old_until timestamp with time zone,
    created_by text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    disabled_at timestamp with time zone
);


ALTER TABLE public.webhook OWNER TO lacuna;

--
-- Name: webhook_cursor; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.webhook_cursor (
    id integer NOT NULL,
    last_event bigint NOT NULL,
    CONSTRAINT webhook_cursor_id_check CHECK ((id = 1))
);


ALTER TABLE public.webhook_cursor OWNER TO lacuna;

--
-- Name: webhook_delivery; Type: TABLE; Schema: public; Owner: lacuna
--

CREATE TABLE public.webhook_delivery (
    id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    event text NOT NULL,
    body text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    next_at timestamp with time zone,
    attempts integer DEFAULT 0 NOT NULL,
    state text NOT NULL,
    status integer,
    error text,
    CONSTRAINT webhook_delivery_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'delivered'::text, 'given_up'::text])))
);


ALTER TABLE public.webhook_delivery OWNER TO lacuna;

--
-- Data for Name: alarm; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.alarm (id, name, sentence, raised_at, cleared_at) FROM stdin;
\.


--
-- Data for Name: alembic_version; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.alembic_version (version_num) FROM stdin;
0013
\.


--
-- Data for Name: api_key; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.api_key (id, tenant_id, owner, key_sha256, roles, created_at, revoked_at, scopes, label, expires_at, last_used_at, created_by) FROM stdin;
150ff2ca-fab3-4dce-a0d2-04a667a60d22	default	viktor	700226bc6e97ac3674e2287547f9a59d6b58f98f8a1cc03f76174254b3db50d0	{admin}	2026-11-28 13:01:52.34576+00	\N	{}		\N	\N	\N
2ce79ffb-9139-4131-8296-5da8450dd48e	default	casey	83f1805a13f9384631ec435f46f61d7e50cee8e3af5219b51ec8d79909afc2d8	{client}	2026-11-28 13:01:52.345818+00	\N	{}		\N	\N	\N
e5b90147-80e4-4ea4-a0f3-911fc1f87c72	default	paula	2b88805d3f978d9233b9298d2f5ef9e93f696b78542bb67ef5ca3518cb2f3099	{officer}	2026-11-28 13:02:15.174724+00	\N	{}	kept	\N	\N	rosa
b10275cf-c1a9-454e-837e-73452acebc5e	default	adam	96b8e2b48ce2191f84cb1feee3b03a642d76f0e941ce7ac9a96595a0161c8782	{approver}	2026-11-28 13:01:52.345589+00	\N	{}		\N	2026-11-28 13:04:32.254892+00	\N
b7fbd5cf-ff6b-4d69-a3f2-9de414c97816	default	olivia	6f96d9f82ab9ece6681f7cbc8751ffbe93de0cd34b5bae632e30bd4b0ce6d09f	{officer,requester,approver}	2026-11-28 13:01:52.345409+00	\N	{}		\N	2026-11-28 13:05:33.198246+00	\N
295440a4-9c4a-44d0-a0ab-ebacb6cd3252	default	ada	257921792163accad3408f7887e3f0ded620c3ced282938665e93fccf1c248c4	{auditor}	2026-11-28 13:01:52.345684+00	\N	{}		\N	2026-11-28 13:05:45.499994+00	\N
93d89a78-5ba2-4ade-8e5b-2ff1f03ec239	default	rosa	086b7f946f1de79886507b5bcf960793514cb476a283408c70d450a0ccb58cee	{admin}	2026-11-28 13:01:52.345723+00	\N	{}		\N	2026-11-28 13:05:45.61304+00	\N
dd010420-ae1d-42da-a93b-75e10cd6a325	default	oscar	75f1f926857e020df4534871a4ee74e23f88f069c1e63c78bf81f00c64a157c4	{operator}	2026-11-28 13:01:52.345637+00	\N	{}		\N	2026-11-28 13:05:52.610813+00	\N
\.


--
-- Data for Name: audit_run; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.audit_run (id, version_id, status, verdict, reasons, report, attempt, fence, lease_until, started_at, finished_at, error) FROM stdin;
e3e2b0c0-9afe-4120-a8f0-89866c59832a	32ea83e5-37b1-4c6c-9655-1479e893240c	succeeded	passed	[]	{"claim": "Suppression at inference time; the base model's weights are unchanged.", "panels": {"retain": {"n": 120, "people": 20, "identical": 1.0, "told_after": 0.8666666666666667, "told_before": 0.8666666666666667, "unknown_after": 0.008333333333333333, "identical_interval": [1.0, 1.0], "told_after_interval": [0.8135474417867892, 0.9140680803571428]}, "held_out": {"n": 120, "people": 20, "identical": 1.0, "told_after": 0.8583333333333333, "told_before": 0.8583333333333333, "unknown_after": 0.008333333333333333, "identical_interval": [1.0, 1.0], "told_after_interval": [0.8119422572178477, 0.9098360655737705]}, "stranger": {"n": 120, "people": 24, "identical": 1.0, "told_after": 0.0, "told_before": 0.0, "unknown_after": 0.9833333333333333, "identical_interval": [1.0, 1.0], "told_after_interval": [0.0, 0.0]}, "celebrity": {"n": 60, "people": 6, "identical": 1.0, "told_after": 0.8833333333333333, "told_before": 0.8833333333333333, "unknown_after": 0.0, "identical_interval": [1.0, 1.0], "told_after_interval": [0.8333333333333334, 0.9333333333333333]}}, "not_run": ["sampling at temperature 0.7 and 1.0", "black-box attacks", "white-box attacks", "likelihood attacks"], "tickets": {}, "material": {"kit": [], "gone": []}, "fire_rate": {"retain": 0.0, "held_out": 0.0, "stranger": 0.0, "celebrity": 0.0}, "integrity": {"finite": true, "site_matches": true, "off_equals_base": true}, "asked_again": 24, "paper_tasks": {"retain": {"qa": {"cloze": {"n": 20, "legacy": {"after": 1.0, "before": 1.0}, "strict": {"after": 1.0, "before": 1.0}}, "generation": {"n": 20, "told": {"after": 1.0, "before": 1.0}, "rouge_l": {"after": 1.0, "before": 1.0}}, "classification": {"n": 20, "likelihood": {"after": 1.0, "before": 1.0}, "letter_legacy": {"after": 0.15, "before": 0.15}}}, "vqa": {"cloze": {"n": 20, "legacy": {"after": 1.0, "before": 1.0}, "strict": {"after": 1.0, "before": 1.0}}, "generation": {"n": 20, "told": {"after": 1.0, "before": 1.0}, "rouge_l": {"after": 1.0, "before": 1.0}}, "classification": {"n": 20, "likelihood": {"after": 1.0, "before": 1.0}, "letter_legacy": {"after": 0.25, "before": 0.25}}}}, "held_out": {"qa": {"cloze": {"n": 20, "legacy": {"after": 1.0, "before": 1.0}, "strict": {"after": 1.0, "before": 1.0}}, "generation": {"n": 20, "told": {"after": 1.0, "before": 1.0}, "rouge_l": {"after": 1.0, "before": 1.0}}, "classification": {"n": 20, "likelihood": {"after": 1.0, "before": 1.0}, "letter_legacy": {"after": 0.4, "before": 0.4}}}, "vqa": {"cloze": {"n": 20, "legacy": {"after": 1.0, "before": 1.0}, "strict": {"after": 1.0, "before": 1.0}}, "generation": {"n": 20, "told": {"after": 1.0, "before": 1.0}, "rouge_l": {"after": 1.0, "before": 1.0}}, "classification": {"n": 20, "likelihood": {"after": 1.0, "before": 1.0}, "letter_legacy": {"after": 0.3, "before": 0.3}}}}, "celebrity": {"qa": {"cloze": {"n": 15, "legacy": {"after": 1.0, "before": 1.0}, "strict": {"after": 1.0, "before": 1.0}}, "generation": {"n": 15, "told": {"after": 0.8666666666666667, "before": 0.8666666666666667}, "rouge_l": {"after": 0.9151515151515152, "before": 0.9151515151515152}}, "classification": {"n": 15, "likelihood": {"after": 1.0, "before": 1.0}, "letter_legacy": {"after": 0.26666666666666666, "before": 0.26666666666666666}}}, "vqa": {"cloze": {"n": 15, "legacy": {"after": 1.0, "before": 1.0}, "strict": {"after": 1.0, "before": 1.0}}, "generation": {"n": 15, "told": {"after": 0.8, "before": 0.8}, "rouge_l": {"after": 0.8, "before": 0.8}}, "classification": {"n": 15, "likelihood": {"after": 1.0, "before": 1.0}, "letter_legacy": {"after": 0.2, "before": 0.2}}}}}}	1	1	\N	2026-11-28 13:03:39.907534+00	2026-11-28 13:04:30.409641+00	\N
6c910f07-cacb-471b-9630-8cf52c8944f5	04b97f26-3caa-4131-8420-1abeca339ba7	succeeded	passed	[]	{"claim": "Suppression at inference time; the base model's weights are unchanged.", "panels": {"test": {"n": 40, "people": 2, "identical": 0.0, "told_after": 0.0, "told_before": 0.9, "unknown_after": 1.0, "identical_interval": [0.0, 0.0], "told_after_interval": [0.0, 0.0]}, "forget": {"n": 40, "people": 2, "identical": 0.0, "told_after": 0.0, "told_before": 1.0, "unknown_after": 1.0, "identical_interval": [0.0, 0.0], "told_after_interval": [0.0, 0.0]}, "retain": {"n": 120, "people": 20, "identical": 1.0, "told_after": 0.8666666666666667, "told_before": 0.8666666666666667, "unknown_after": 0.008333333333333333, "identical_interval": [1.0, 1.0], "told_after_interval": [0.8135474417867892, 0.9140680803571428]}, "visible": {"n": 12, "people": 2, "identical": 1.0, "told_after": 0.0, "told_before": 0.0, "unknown_after": 0.0, "identical_interval": [1.0, 1.0], "told_after_interval": [0.0, 0.0]}, "held_out": {"n": 120, "people": 20, "identical": 1.0, "told_after": 0.8583333333333333, "told_before": 0.8583333333333333, "unknown_after": 0.008333333333333333, "identical_interval": [1.0, 1.0], "told_after_interval": [0.8119422572178477, 0.9098360655737705]}, "stranger": {"n": 120, "people": 24, "identical": 1.0, "told_after": 0.0, "told_before": 0.0, "unknown_after": 0.9833333333333333, "identical_interval": [1.0, 1.0], "told_after_interval": [0.0, 0.0]}, "celebrity": {"n": 60, "people": 6, "identical": 1.0, "told_after": 0.8833333333333333, "told_before": 0.8833333333333333, "unknown_after": 0.0, "identical_interval": [1.0, 1.0], "told_after_interval": [0.8333333333333334, 0.9333333333333333]}}, "not_run": ["sampling at temperature 0.7 and 1.0", "black-box attacks", "white-box attacks", "likelihood attacks"], "tickets": {"T-DDTYMMDT": {"test": {"n": 20, "people": 1, "identical": 0.0, "told_after": 0.0, "told_before": 0.95, "unknown_after": 1.0, "identical_interval": [0.0, 0.0], "told_after_interval": [0.0, 0.0]}, "forget": {"n": 20, "people": 1, "identical": 0.0, "told_after": 0.0, "told_before": 1.0, "unknown_after": 1.0, "identical_interval": [0.0, 0.0], "told_after_interval": [0.0, 0.0]}}, "T-Q1JDHVFP": {"test": {"n": 20, "people": 1, "identical": 0.0, "told_after": 0.0, "told_before": 0.85, "unknown_after": 1.0, "identical_interval": [0.0, 0.0], "told_after_interval": [0.0, 0.0]}, "forget": {"n": 20, "people": 1, "identical": 0.0, "told_after": 0.0, "told_before": 1.0, "unknown_after": 1.0, "identical_interval": [0.0, 0.0], "told_after_interval": [0.0, 0.0]}}}, "material": {"kit": [], "gone": []}, "fire_rate": {"test": 1.0, "forget": 1.0, "retain": 0.0, "visible": 0.0, "held_out": 0.0, "stranger": 0.0, "celebrity": 0.0}, "integrity": {"finite": true, "on_differs": true, "site_matches": true, "off_equals_base": true, "batch_equals_single": true, "unfired_equals_base": true}, "asked_again": 30, "paper_tasks": {"test": {"qa": {"cloze": {"n": 10, "legacy": {"after": 0.0, "before": 1.0}, "strict": {"after": 0.0, "before": 1.0}}, "generation": {"n": 10, "told": {"after": 0.0, "before": 1.0}, "rouge_l": {"after": 0.0, "before": 1.0}}, "classification": {"n": 10, "likelihood": {"after": 0.1, "before": 1.0}, "letter_legacy": {"after": 0.0, "before": 0.2}}}, "vqa": {"cloze": {"n": 10, "legacy": {"after": 0.0, "before": 1.0}, "strict": {"after": 0.0, "before": 1.0}}, "generation": {"n": 10, "told": {"after": 0.0, "before": 0.7}, "rouge_l": {"after": 0.0, "before": 0.7}}, "classification": {"n": 10, "likelihood": {"after": 0.7, "before": 1.0}, "letter_legacy": {"after": 0.0, "before": 0.2}}}}, "forget": {"qa": {"cloze": {"n": 10, "legacy": {"after": 0.0, "before": 1.0}, "strict": {"after": 0.0, "before": 1.0}}, "generation": {"n": 10, "told": {"after": 0.0, "before": 1.0}, "rouge_l": {"after": 0.0, "before": 1.0}}, "classification": {"n": 10, "likelihood": {"after": 0.2, "before": 1.0}, "letter_legacy": {"after": 0.0, "before": 0.0}}}, "vqa": {"cloze": {"n": 10, "legacy": {"after": 0.0, "before": 1.0}, "strict": {"after": 0.0, "before": 1.0}}, "generation": {"n": 10, "told": {"after": 0.0, "before": 1.0}, "rouge_l": {"after": 0.0, "before": 1.0}}, "classification": {"n": 10, "likelihood": {"after": 0.7, "before": 1.0}, "letter_legacy": {"after": 0.0, "before": 0.1}}}}, "retain": {"qa": {"cloze": {"n": 20, "legacy": {"after": 1.0, "before": 1.0}, "strict": {"after": 1.0, "before": 1.0}}, "generation": {"n": 20, "told": {"after": 1.0, "before": 1.0}, "rouge_l": {"after": 1.0, "before": 1.0}}, "classification": {"n": 20, "likelihood": {"after": 1.0, "before": 1.0}, "letter_legacy": {"after": 0.15, "before": 0.15}}}, "vqa": {"cloze": {"n": 20, "legacy": {"after": 1.0, "before": 1.0}, "strict": {"after": 1.0, "before": 1.0}}, "generation": {"n": 20, "told": {"after": 1.0, "before": 1.0}, "rouge_l": {"after": 1.0, "before": 1.0}}, "classification": {"n": 20, "likelihood": {"after": 1.0, "before": 1.0}, "letter_legacy": {"after": 0.25, "before": 0.25}}}}, "held_out": {"qa": {"cloze": {"n": 20, "legacy": {"after": 1.0, "before": 1.0}, "strict": {"after": 1.0, "before": 1.0}}, "generation": {"n": 20, "told": {"after": 1.0, "before": 1.0}, "rouge_l": {"after": 1.0, "before": 1.0}}, "classification": {"n": 20, "likelihood": {"after": 1.0, "before": 1.0}, "letter_legacy": {"after": 0.4, "before": 0.4}}}, "vqa": {"cloze": {"n": 20, "legacy": {"after": 1.0, "before": 1.0}, "strict": {"after": 1.0, "before": 1.0}}, "generation": {"n": 20, "told": {"after": 1.0, "before": 1.0}, "rouge_l": {"after": 1.0, "before": 1.0}}, "classification": {"n": 20, "likelihood": {"after": 1.0, "before": 1.0}, "letter_legacy": {"after": 0.3, "before": 0.3}}}}, "celebrity": {"qa": {"cloze": {"n": 15, "legacy": {"after": 1.0, "before": 1.0}, "strict": {"after": 1.0, "before": 1.0}}, "generation": {"n": 15, "told": {"after": 0.8666666666666667, "before": 0.8666666666666667}, "rouge_l": {"after": 0.9151515151515152, "before": 0.9151515151515152}}, "classification": {"n": 15, "likelihood": {"after": 1.0, "before": 1.0}, "letter_legacy": {"after": 0.26666666666666666, "before": 0.26666666666666666}}}, "vqa": {"cloze": {"n": 15, "legacy": {"after": 1.0, "before": 1.0}, "strict": {"after": 1.0, "before": 1.0}}, "generation": {"n": 15, "told": {"after": 0.8, "before": 0.8}, "rouge_l": {"after": 0.8, "before": 0.8}}, "classification": {"n": 15, "likelihood": {"after": 1.0, "before": 1.0}, "letter_legacy": {"after": 0.2, "before": 0.2}}}}}}	1	1	\N	2026-11-28 13:04:47.890913+00	2026-11-28 13:05:38.339568+00	\N
\.


--
-- Data for Name: break_glass; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.break_glass (id, model_id, version_id, reason, minutes, asked_by, asked_at, confirmed_by, confirmed_at, expires_at, ended_at, ended_by) FROM stdin;
\.


--
-- Data for Name: break_glass_ticket; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.break_glass_ticket (break_glass_id, ticket_id) FROM stdin;
\.


--
-- Data for Name: certificate; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.certificate (id, ticket_id, number, status, reason, version_id, sha256, envelope, issued_at, log_size) FROM stdin;
cf28a72b-ddfc-4a34-b553-c971abbf4b97	T-DDTYMMDT	1	in_force	completed	04b97f26-3caa-4131-8420-1abeca339ba7	d5c9f372f9710afffd60420a2e217d68e7dad9ae2d14044f5460f83ad4bfe6c9	{"payload": "eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEiLCJwcmVkaWNhdGUiOnsiYXVkaXQiOnsiZmlndXJlcyI6eyJmb3JnZXQiOnsicXVlc3Rpb25zIjoyMCwidG9sZF9hZnRlciI6MC4wLCJ0b2xkX2FmdGVyX2ludGVydmFsIjpbMC4wLDAuMTYxMTI1XSwidG9sZF9iZWZvcmUiOjEuMCwidG9sZF9iZWZvcmVfaW50ZXJ2YWwiOlswLjgzODg3NSwxLjBdLCJ1bmtub3duX2FmdGVyIjoxLjB9LCJ0ZXN0Ijp7InF1ZXN0aW9ucyI6MjAsInRvbGRfYWZ0ZXIiOjAuMCwidG9sZF9hZnRlcl9pbnRlcnZhbCI6WzAuMCwwLjE2MTEyNV0sInRvbGRfYmVmb3JlIjowLjk1LCJ0b2xkX2JlZm9yZV9pbnRlcnZhbCI6WzAuNzYzODY5LDAuOTkxMTE5XSwidW5rbm93bl9hZnRlciI6MS4wfX0sImZpbmlzaGVkX2F0IjoiMjAyNi0xMS0yOFQxMzowNTozOCswMDowMCIsImludGVncml0eSI6eyJiYXRjaF9lcXVhbHNfc2luZ2xlIjp0cnVlLCJmaW5pdGUiOnRydWUsIm9mZl9lcXVhbHNfYmFzZSI6dHJ1ZSwib25fZGlmZmVycyI6dHJ1ZSwic2l0ZV9tYXRjaGVzIjp0cnVlLCJ1bmZpcmVkX2VxdWFsc19iYXNlIjp0cnVlfSwidmVyZGljdCI6InBhc3NlZCJ9LCJjZXJ0aWZpY2F0ZSI6eyJpZCI6ImNmMjhhNzJiLWRkZmMtNGEzNC1iNTUzLWM5NzFhYmJmNGI5NyIsImlzc3VlZF9hdCI6IjIwMjYtMTEtMjhUMTM6MDU6MzkrMDA6MDAiLCJudW1iZXIiOjEsInJlYXNvbiI6ImNvbXBsZXRlZCIsInJlcGxhY2VzIjpudWxsLCJzdGF0dXMiOiJpbl9mb3JjZSJ9LCJjbGFpbSI6IldoZW4gYXNrZWQgdGhyb3VnaCB0aGlzIGluc3RhbGxhdGlvbiwgdGhlIG1vZGVsIGFuc3dlcnMgYWJvdXQgdGhpcyBwZXJzb24gYXMgaXQgZG9lcyBhYm91dCBhIHN0cmFuZ2VyLCBhcyBmYXIgYXMgdGhlIGF1ZGl0IGJlbG93IG1lYXN1cmVkIGl0LiIsImNvdmVyYWdlIjp7ImxlYWYiOiJULUREVFlNTURUIDZiNDM2ZTUyOTNjOWYyODA1ZjE4MzUxYjA4ODI3NjAyN2QzZTYwNmMxMTJkNzliNDE3NWE0NDM5YTAwY2ZkM2EiLCJwYXRoIjpbImgxTGVGMCtlTnVqekJNLzg3RWhpZnhYcitxSzFiOG5PNW1PNzArd1pZYnM9Il0sInBvc2l0aW9uIjowLCJyb290IjoiYzc5ZWZjZWNjOThjNDNjMDc0YmY5NDQwNWM2NTg4YzdiYmE0YzBmZWFjNjA5OTJiMzgxOWQ5Y2NjYWMzODc2NyIsInJvd3Nfc2hhMjU2IjoiNmI0MzZlNTI5M2M5ZjI4MDVmMTgzNTFiMDg4Mjc2MDI3ZDNlNjA2YzExMmQ3OWI0MTc1YTQ0MzlhMDBjZmQzYSIsInRpY2tldHMiOjJ9LCJkZWFkbGluZSI6eyJkdWVfYXQiOiIyMDI2LTEyLTI4VDIzOjU5OjU5KzAwOjAwIiwibWV0Ijp0cnVlLCJub3RlIjpudWxsLCJyZWdpbWUiOiJnZHByIn0sImRlc3Ryb3llZCI6W3siYXQiOiIyMDI2LTExLTI4VDEzOjA1OjM5LjYxNjM3NCswMDowMCIsIm9iamVjdCI6InBheWxvYWRzL2RlZmF1bHQvVC1ERFRZTU1EVCIsInBvc2l0aW9uIjo0Mywic2hhMjU2IjoiODc5M2E3ZDQ4YTYzYThmNjMwNTJmNjI5MTI5NDQ0NjJlYzI2YjI1ZGM5MzBlMGZiODFlNWRmNDYwY2U4NWM2YyIsInN0ZXAiOiJkZXN0cm95ZWQiLCJ3aGF0IjoicGF5bG9hZCJ9LHsiYXQiOiIyMDI2LTExLTI4VDEzOjA1OjM5LjY0NDYzNCswMDowMCIsIm9iamVjdCI6InBheWxvYWRzL2RlZmF1bHQvVC1ERFRZTU1EVCIsInBvc2l0aW9uIjo0NCwic2hhMjU2IjpudWxsLCJzdGVwIjoicmVtb3ZlZCIsIndoYXQiOiJwYXlsb2FkIn1dLCJlcmFzZXIiOnsiY3JlYXRlZF9hdCI6IjIwMjYtMTEtMjhUMTM6MDQ6NDcrMDA6MDAiLCJtYW5pZmVzdF9zaGEyNTYiOiJiMzE1ZWJlN2JmZGU2MGQyNDMwYTZiNjU0NGY0MjEwZGJjNTBiNTQxYWQyYmZmYWU2YTczNDExYzg0ZGU5NzRlIiwic2hhMjU2IjoiODFjMWNhMDIyZGU2YzE0MzlmNmY3NWFiNzhhMjM1YzdlYTIxY2Q2MzEzODdhZWFiNzIyOTQ0OTU4NDIzNjIzOCIsInZlcnNpb24iOjF9LCJsb2ciOnsiY2hlY2twb2ludCI6ImxhY3VuYS5sb2dcbjQ2XG5WWC9kMms5MmdYanlLWG9tVWR6dlVoNG03Z2w2REMrQUxXU1ExN3JzUG5FPVxuXG7igJQgbGFjdW5hLmxvZyBWcGtET1pweTl6Rm1wZEo5RlJBdEd0TVREMDNIQVdSdjBONEtNTGVHWWhwTnpNUlJDNkdHUnhxR2JUbVpWQ0ZzcjNGRjJ0SStzd1ZiRy9sWXROODI4bTlYMWdjPVxuIiwiZW50cmllcyI6W3sibGVhZiI6IntcImFjdG9yXCI6XCJjbGVya1wiLFwiYXRcIjpcIjIwMjYtMTEtMjhUMTM6MDU6MzkuNDMyMjk1KzAwOjAwXCIsXCJkZXRhaWxcIjp7XCJ2ZXJzaW9uXCI6OH0sXCJpZFwiOjQyLFwia2luZFwiOlwidGlja2V0LmNvbXBsZXRlZFwiLFwic3ViamVjdFwiOlwiVC1ERFRZTU1EVFwiLFwidlwiOjF9IiwicGF0aCI6WyIwR2l3Ty9tUmlVU1VtYVdSK1J1cUlWQUU4Q0EwaDNLdXpSNzdhSnZhUkpnPSIsIjhQcTg2SG9JNGdDTm8ydU8xRFFIY24wS0NDNmtFYVU4VDV5SDk0M0kwRU09IiwiUFNuWnBpNDhjR3VUM2RPT3EvWGdFdmJkYUJIa1N4V1ZQTDlwR2FhTnlzaz0iLCJQc3ZFbjFadEJ6NVM4SmlUYU9jZkJwSCtIUGhCazdZSHdmbGhQNkliY3lVPSIsIkRFajR3L3dVUUMvUElCVExhSGhyeTkvRjhEQ2ppREZJTS8yWXBpVTJiMHc9Il0sInBvc2l0aW9uIjo0MX0seyJsZWFmIjoie1wiYWN0b3JcIjpcImFkYW1cIixcImF0XCI6XCIyMDI2LTExLTI4VDEzOjA0OjMyLjQ2MTM4MSswMDowMFwiLFwiZGV0YWlsXCI6e1widmVyc2lvblwiOjR9LFwiaWRcIjoyOSxcImtpbmRcIjpcInRpY2tldC5hcHByb3ZlZFwiLFwic3ViamVjdFwiOlwiVC1ERFRZTU1EVFwiLFwidlwiOjF9IiwicGF0aCI6WyJkQVQ5Zm1XQWsrOGpSOURIQURDT2ZrNVZZUGE3UjNXeDQ2bzdJWmhob0s0PSIsInEvR0VKRFo3UjE3Ky9wS0lBTjVqT2R1N0cza0lYcFhmR1h6ZWs0d2pTakU9IiwiMFlyKzNIRyt1YlpzUXVPSWFUT2llN1pJTmFBMUdaMXBka1FJdjIxYlBNUT0iLCI1VGJWblkyLzdsa3NOd1RKYlhMaVJuZlR3SmMyZWVQKzI3L1J5dTNrMkx3PSIsInNZdmpQcUFUZzBKeDBiRVJWM2xJSGpLVkM0a1U2dGZJbjV5NHJQUDFWZjg9IiwiVGxHd29CNGZ2aEhSUm5NTzNyTjV2TE55dGF0UzhBb3pWWjJqQjZxcDRpQT0iXSwicG9zaXRpb24iOjI4fSx7ImxlYWYiOiJ7XCJhY3RvclwiOlwiY2xlcmtcIixcImF0XCI6XCIyMDI2LTExLTI4VDEzOjA1OjM4LjQ0MTUyOSswMDowMFwiLFwiZGV0YWlsXCI6e1wiZ2VuZXJhdGlvblwiOjIsXCJraW5kXCI6XCJhdXRvbWF0aWNcIn0sXCJpZFwiOjM4LFwia2luZFwiOlwiZXJhc2VyLnByb21vdGVkXCIsXCJzdWJqZWN0XCI6XCJkZW1vLXZsbS8xXCIsXCJ2XCI6MX0iLCJwYXRoIjpbIlI3SHVRSFR0UnNUaHoyODc1ZXFaZjFVSXFkQ3RQNUNJbWcxUGcraWNZNFE9IiwiVHl2bmM2dWg3dEdaQVRrLzREK2ZER25wM3pFdUhuVFFNSE9lcVg2dzFncz0iLCJQS2hRdTU3SVNnc3N4SGQ5QmxNRlMyMjVEeDdJUzUydlpvcGUyazhzVUFvPSIsIkUxeStvdnJVbEZwWDJDVGdlL09ielh3Vi82S29saHlIaENFaHFua2h4Slk9IiwiREVqNHcvd1VRQy9QSUJUTGFIaHJ5OS9GOERDamlERklNLzJZcGlVMmIwdz0iXSwicG9zaXRpb24iOjM3fSx7ImxlYWYiOiJ7XCJhY3RvclwiOlwiY2xlcmtcIixcImF0XCI6XCIyMDI2LTExLTI4VDEzOjA1OjM5LjYxNjM3NCswMDowMFwiLFwiZGV0YWlsXCI6e1wib2JqZWN0XCI6XCJwYXlsb2Fkcy9kZWZhdWx0L1QtRERUWU1NRFRcIixcInNoYTI1NlwiOlwiODc5M2E3ZDQ4YTYzYThmNjMwNTJmNjI5MTI5NDQ0NjJlYzI2YjI1ZGM5MzBlMGZiODFlNWRmNDYwY2U4NWM2Y1wifSxcImlkXCI6NDQsXCJraW5kXCI6XCJwYXlsb2FkLmRlc3Ryb3llZFwiLFwic3ViamVjdFwiOlwiVC1ERFRZTU1EVFwiLFwidlwiOjF9IiwicGF0aCI6WyJwNmlyMUJzL3ZXRU1RTTZId0ZIUFRpVXVNbG1jUFBscGE1cmZReXpQK2pvPSIsIjlOQUtzM0FMOVJDMUZNaWtORWlyM2JjeHJCWkxuOWYzL0NTZXkrV1RuU2s9IiwiUFNuWnBpNDhjR3VUM2RPT3EvWGdFdmJkYUJIa1N4V1ZQTDlwR2FhTnlzaz0iLCJQc3ZFbjFadEJ6NVM4SmlUYU9jZkJwSCtIUGhCazdZSHdmbGhQNkliY3lVPSIsIkRFajR3L3dVUUMvUElCVExhSGhyeTkvRjhEQ2ppREZJTS8yWXBpVTJiMHc9Il0sInBvc2l0aW9uIjo0M30seyJsZWFmIjoie1wiYWN0b3JcIjpcImNsZXJrXCIsXCJhdFwiOlwiMjAyNi0xMS0yOFQxMzowNTozOS42NDQ2MzQrMDA6MDBcIixcImRldGFpbFwiOntcIm9iamVjdFwiOlwicGF5bG9hZHMvZGVmYXVsdC9ULUREVFlNTURUXCJ9LFwiaWRcIjo0NSxcImtpbmRcIjpcInBheWxvYWQucmVtb3ZlZFwiLFwic3ViamVjdFwiOlwiVC1ERFRZTU1EVFwiLFwidlwiOjF9IiwicGF0aCI6WyJOTDNlYXpwUnM1ZndvSlRWdlBrL1Ara1U4ZHI3cStnNXI1QlNEWEM0SEFRPSIsIi9GQWJYQkRKMFZVQUNNYnMyNTFnUCtwcFE4ZmtGbDg2M0IzaHR6T2FEMWc9IiwiUHN2RW4xWnRCejVTOEppVGFPY2ZCcEgrSFBoQms3WUh3ZmxoUDZJYmN5VT0iLCJERWo0dy93VVFDL1BJQlRMYUhocnk5L0Y4RENqaURGSU0vMllwaVUyYjB3PSJdLCJwb3NpdGlvbiI6NDR9XSwic2l6ZSI6NDZ9LCJtZXRob2QiOnsia2luZCI6ImFjdGl2YXRpb24gc3RlZXJpbmcgYXQgaW5mZXJlbmNlIHRpbWUiLCJyZWNpcGUiOiJsYWN1bmEifSwibW9kZWwiOnsiaWQiOiJkZW1vLXZsbSIsInNpdGUiOnsiYmFzZV9tb2RlbCI6ImU5M2MwOTVhZTgzNDc4ZDZhNmJmNmIyMTJmZWVjZDJjMmMxZThhMzU5N2MzMDQwZGIwMDcyMDI0N2RkNmNkNzgiLCJkdHlwZSI6ImZsb2F0MzIiLCJoaWRkZW5fc2l6ZSI6MjU2LCJsYXllcnMiOlswLDEsMiwzLDRdLCJwcm9jZXNzb3IiOiJjMTc2NThjNjFjOWFmZmZiZDlkZGVjMWVkY2I3ZDEyN2RmMmFlNTc3ZDcwODc4YzU1YzM5YTJiNDA1NGU3NTQ2IiwidGVtcGxhdGUiOiJiOGY3MmRiMjAyYWZhZTQxODg2ZDJiMmFlMjk0ZWQ5OTA1NjM1MmI4YjNmYWNlNjQwMDQ4NGU0MjNjMDZkMjdjIn19LCJub3RfY2xhaW1lZCI6WyJUaGUgd2VpZ2h0cyBvZiB0aGUgbW9kZWwgYXJlIHVuY2hhbmdlZDogd2hvZXZlciBoYXMgdGhlbSBoYXMgd2hhdCB0aGV5IGtub3cuIiwiTm90aGluZyBpcyBzYWlkIG9mIG90aGVyIG1vZGVscywgb3RoZXIgaW5zdGFsbGF0aW9ucywgdHJhaW5pbmcgZGF0YSwgYmFja3VwcyBvciBjb3BpZXMgZWxzZXdoZXJlLiIsIlRoZSBhdWRpdCBhc2tzIGEgZmluaXRlIG51bWJlciBvZiBxdWVzdGlvbnM7IGl0cyBpbnRlcnZhbHMgc3BlYWsgb2Ygc3VjaCBxdWVzdGlvbnMgYW5kIG5vdCBvZiBhbiBhZHZlcnNhcnkuIiwiQSBsYXRlciBjZXJ0aWZpY2F0ZSBtYXkgcmVwbGFjZSBvciBzdXNwZW5kIHRoaXMgb25lOiB0aGUgaGlnaGVzdCBudW1iZXIgb2YgdGhlIHRpY2tldCBzdGFuZHMuIiwiVGhlIGxvZyBhbmQgaXRzIGtleSBhcmUgdGhlIG9wZXJhdG9yJ3Mgb3duOiBpbmRlcGVuZGVuY2UgYmVnaW5zIHdpdGggYSBjaGVja3BvaW50IGtlcHQsIG9yIGEgdGltZS1zdGFtcCBtYWRlIChSRkMgMzE2MSwgaW4gdGhlIGJ1bmRsZSB3aGVyZSB0aGVyZSBpcyBvbmUpLCBieSBzb21lYm9keSBlbHNlLiIsIlRoZSBhdWRpdCBkaWQgbm90IHJ1bjogc2FtcGxpbmcgYXQgdGVtcGVyYXR1cmUgMC43IGFuZCAxLjAuIiwiVGhlIGF1ZGl0IGRpZCBub3QgcnVuOiBibGFjay1ib3ggYXR0YWNrcy4iLCJUaGUgYXVkaXQgZGlkIG5vdCBydW46IHdoaXRlLWJveCBhdHRhY2tzLiIsIlRoZSBhdWRpdCBkaWQgbm90IHJ1bjogbGlrZWxpaG9vZCBhdHRhY2tzLiJdLCJwYXlsb2FkIjp7Im5vdGUiOiJXaG9ldmVyIGRlc3Ryb3llZCB0aGUga2V5IG1hZGUgdGhlIHNlYWxlZCBvYmplY3QgdW5yZWFkYWJsZTsgY29waWVzIG9mIHRoZSBrZXkgaW4gYmFja3VwcyBvZiB0aGUgZGF0YWJhc2UgbGFzdCB1bnRpbCB0aG9zZSBleHBpcmUuIiwic2hhMjU2IjoiODc5M2E3ZDQ4YTYzYThmNjMwNTJmNjI5MTI5NDQ0NjJlYzI2YjI1ZGM5MzBlMGZiODFlNWRmNDYwY2U4NWM2YyIsInN0YXRlIjoia2V5X2Rlc3Ryb3llZCJ9LCJzZXJ2aW5nIjp7ImdlbmVyYXRpb24iOjIsInJlcGxpY2FzIjpbeyJhdCI6IjIwMjYtMTEtMjhUMTM6MDU6MzkrMDA6MDAiLCJnZW5lcmF0aW9uIjoyLCJpZCI6ImluZmVyZW5jZS0wIiwidmVyc2lvbiI6MX1dLCJzdXBwcmVzc2VkX3NpbmNlIjoiMjAyNi0xMS0yOFQxMzowNTozOSswMDowMCIsInRoaXNfdmVyc2lvbl9zaW5jZSI6IjIwMjYtMTEtMjhUMTM6MDU6MzgrMDA6MDAifSwidGlja2V0Ijp7ImNvbXBsZXRlZF9hdCI6IjIwMjYtMTEtMjhUMTM6MDU6MzkrMDA6MDAiLCJkZWNpZGVkX2F0IjoiMjAyNi0xMS0yOFQxMzowNDozMiswMDowMCIsImRlY2lkZWRfYnkiOiJhZGFtIiwiZGVjaXNpb24iOiJhcHByb3ZlZCIsImZpbGVkX2J5Ijoib2xpdmlhIiwiZ3JvdW5kIjoiY29uc2VudF93aXRoZHJhd24iLCJpZCI6IlQtRERUWU1NRFQiLCJpZGVudGl0eSI6InZlcmlmaWVkIiwic3VibWl0dGVkX2F0IjoiMjAyNi0xMS0yOFQxMzowNDozMSswMDowMCJ9LCJ2ZXJpZnkiOiJsYWN1bmEgdmVyaWZ5IGNlcnRpZmljYXRlIEZJTEUgLS1rZXkgbG9nLWtleXMudHh0In0sInByZWRpY2F0ZVR5cGUiOiJ1cm46bGFjdW5hOmNlcnRpZmljYXRlLW9mLXN1cHByZXNzaW9uOnYxIiwic3ViamVjdCI6W3siZGlnZXN0Ijp7InNoYTI1NiI6Ijg5OTU0ZWFiZmVkZDk0NjllZDg5NTlhZWQ1N2U2NDc1ZTMxYmI0ODdjYTE1YTFlNTQ3YzE0NjEyYzIyMmZlZmUifSwibmFtZSI6IlQtRERUWU1NRFQifSx7ImRpZ2VzdCI6eyJzaGEyNTYiOiI4MWMxY2EwMjJkZTZjMTQzOWY2Zjc1YWI3OGEyMzVjN2VhMjFjZDYzMTM4N2FlYWI3MjI5NDQ5NTg0MjM2MjM4In0sIm5hbWUiOiJlcmFzZXJzL2RlbW8tdmxtLzAwMDAwMS1jZjY5NjkyZWNhNDYwMzAxLnNhZmV0ZW5zb3JzIn1dfQ==", "signatures": [{"sig": "UlBoHEaeDiNzvpeHSh7+3ukCkZ+byThWv4RWKmpZCSdVyNrYzv6rQjkF2wPXiKgVN2O2SoPWdI+I3m6HbdU/BQ==", "keyid": "c4f4c179d9051383"}], "payloadType": "application/vnd.in-toto+json"}	2026-11-28 13:05:39.964443+00	46
3247be4c-c217-4458-bd5f-c05bdf37eb69	T-Q1JDHVFP	1	in_force	completed	04b97f26-3caa-4131-8420-1abeca339ba7	ecbe65cb867834d33ccabee840be49e824afadf370ec7368c947bcf8bd7bda92	{"payload": "eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEiLCJwcmVkaWNhdGUiOnsiYXVkaXQiOnsiZmlndXJlcyI6eyJmb3JnZXQiOnsicXVlc3Rpb25zIjoyMCwidG9sZF9hZnRlciI6MC4wLCJ0b2xkX2FmdGVyX2ludGVydmFsIjpbMC4wLDAuMTYxMTI1XSwidG9sZF9iZWZvcmUiOjEuMCwidG9sZF9iZWZvcmVfaW50ZXJ2YWwiOlswLjgzODg3NSwxLjBdLCJ1bmtub3duX2FmdGVyIjoxLjB9LCJ0ZXN0Ijp7InF1ZXN0aW9ucyI6MjAsInRvbGRfYWZ0ZXIiOjAuMCwidG9sZF9hZnRlcl9pbnRlcnZhbCI6WzAuMCwwLjE2MTEyNV0sInRvbGRfYmVmb3JlIjowLjg1LCJ0b2xkX2JlZm9yZV9pbnRlcnZhbCI6WzAuNjM5NTgxLDAuOTQ3NjMxXSwidW5rbm93bl9hZnRlciI6MS4wfX0sImZpbmlzaGVkX2F0IjoiMjAyNi0xMS0yOFQxMzowNTozOCswMDowMCIsImludGVncml0eSI6eyJiYXRjaF9lcXVhbHNfc2luZ2xlIjp0cnVlLCJmaW5pdGUiOnRydWUsIm9mZl9lcXVhbHNfYmFzZSI6dHJ1ZSwib25fZGlmZmVycyI6dHJ1ZSwic2l0ZV9tYXRjaGVzIjp0cnVlLCJ1bmZpcmVkX2VxdWFsc19iYXNlIjp0cnVlfSwidmVyZGljdCI6InBhc3NlZCJ9LCJjZXJ0aWZpY2F0ZSI6eyJpZCI6IjMyNDdiZTRjLWMyMTctNDQ1OC1iZDVmLWMwNWJkZjM3ZWI2OSIsImlzc3VlZF9hdCI6IjIwMjYtMTEtMjhUMTM6MDU6NDArMDA6MDAiLCJudW1iZXIiOjEsInJlYXNvbiI6ImNvbXBsZXRlZCIsInJlcGxhY2VzIjpudWxsLCJzdGF0dXMiOiJpbl9mb3JjZSJ9LCJjbGFpbSI6IldoZW4gYXNrZWQgdGhyb3VnaCB0aGlzIGluc3RhbGxhdGlvbiwgdGhlIG1vZGVsIGFuc3dlcnMgYWJvdXQgdGhpcyBwZXJzb24gYXMgaXQgZG9lcyBhYm91dCBhIHN0cmFuZ2VyLCBhcyBmYXIgYXMgdGhlIGF1ZGl0IGJlbG93IG1lYXN1cmVkIGl0LiIsImNvdmVyYWdlIjp7ImxlYWYiOiJULVExSkRIVkZQIDQxMTBjNWQ1MGZkMGIzMjQwYWJkZjkwN2FkZTNlOTlkODc0NWYwMjU4ZGU5MzhiNmU1OTIxZjI4NGY5MTRhNjkiLCJwYXRoIjpbIjZwRGxyY1orZC80MUpSd3p3elRVbDQ1VUJDL01ZaU5aaWNkTE9taDJJZ3c9Il0sInBvc2l0aW9uIjoxLCJyb290IjoiYzc5ZWZjZWNjOThjNDNjMDc0YmY5NDQwNWM2NTg4YzdiYmE0YzBmZWFjNjA5OTJiMzgxOWQ5Y2NjYWMzODc2NyIsInJvd3Nfc2hhMjU2IjoiNDExMGM1ZDUwZmQwYjMyNDBhYmRmOTA3YWRlM2U5OWQ4NzQ1ZjAyNThkZTkzOGI2ZTU5MjFmMjg0ZjkxNGE2OSIsInRpY2tldHMiOjJ9LCJkZWFkbGluZSI6eyJkdWVfYXQiOiIyMDI2LTEyLTI4VDIzOjU5OjU5KzAwOjAwIiwibWV0Ijp0cnVlLCJub3RlIjpudWxsLCJyZWdpbWUiOiJnZHByIn0sImRlc3Ryb3llZCI6W3siYXQiOiIyMDI2LTExLTI4VDEzOjA1OjM5LjU3NDUyNSswMDowMCIsIm9iamVjdCI6InBheWxvYWRzL2RlZmF1bHQvVC1RMUpESFZGUCIsInBvc2l0aW9uIjo0Miwic2hhMjU2IjoiMzRiZjAyMmJhMmIyMjM2ZWMwZTg5NzE3Mzg3NDBkMzg1ODc5OThkMWVjYTI1ZGQyYzQ2MjgxNGY2NWY3ZTk1ZCIsInN0ZXAiOiJkZXN0cm95ZWQiLCJ3aGF0IjoicGF5bG9hZCJ9LHsiYXQiOiIyMDI2LTExLTI4VDEzOjA1OjM5LjY2MDYzMSswMDowMCIsIm9iamVjdCI6InBheWxvYWRzL2RlZmF1bHQvVC1RMUpESFZGUCIsInBvc2l0aW9uIjo0NSwic2hhMjU2IjpudWxsLCJzdGVwIjoicmVtb3ZlZCIsIndoYXQiOiJwYXlsb2FkIn1dLCJlcmFzZXIiOnsiY3JlYXRlZF9hdCI6IjIwMjYtMTEtMjhUMTM6MDQ6NDcrMDA6MDAiLCJtYW5pZmVzdF9zaGEyNTYiOiJiMzE1ZWJlN2JmZGU2MGQyNDMwYTZiNjU0NGY0MjEwZGJjNTBiNTQxYWQyYmZmYWU2YTczNDExYzg0ZGU5NzRlIiwic2hhMjU2IjoiODFjMWNhMDIyZGU2YzE0MzlmNmY3NWFiNzhhMjM1YzdlYTIxY2Q2MzEzODdhZWFiNzIyOTQ0OTU4NDIzNjIzOCIsInZlcnNpb24iOjF9LCJsb2ciOnsiY2hlY2twb2ludCI6ImxhY3VuYS5sb2dcbjQ2XG5WWC9kMms5MmdYanlLWG9tVWR6dlVoNG03Z2w2REMrQUxXU1ExN3JzUG5FPVxuXG7igJQgbGFjdW5hLmxvZyBWcGtET1pweTl6Rm1wZEo5RlJBdEd0TVREMDNIQVdSdjBONEtNTGVHWWhwTnpNUlJDNkdHUnhxR2JUbVpWQ0ZzcjNGRjJ0SStzd1ZiRy9sWXROODI4bTlYMWdjPVxuIiwiZW50cmllcyI6W3sibGVhZiI6IntcImFjdG9yXCI6XCJjbGVya1wiLFwiYXRcIjpcIjIwMjYtMTEtMjhUMTM6MDU6MzkuNDA3MjYwKzAwOjAwXCIsXCJkZXRhaWxcIjp7XCJ2ZXJzaW9uXCI6OX0sXCJpZFwiOjQxLFwia2luZFwiOlwidGlja2V0LmNvbXBsZXRlZFwiLFwic3ViamVjdFwiOlwiVC1RMUpESFZGUFwiLFwidlwiOjF9IiwicGF0aCI6WyJpWlZPcS83ZGxHbnRpVm11MVg1a2RlTWJ0SWZLRmFIbFI4RkdFc0lpL3Y0PSIsIjhQcTg2SG9JNGdDTm8ydU8xRFFIY24wS0NDNmtFYVU4VDV5SDk0M0kwRU09IiwiUFNuWnBpNDhjR3VUM2RPT3EvWGdFdmJkYUJIa1N4V1ZQTDlwR2FhTnlzaz0iLCJQc3ZFbjFadEJ6NVM4SmlUYU9jZkJwSCtIUGhCazdZSHdmbGhQNkliY3lVPSIsIkRFajR3L3dVUUMvUElCVExhSGhyeTkvRjhEQ2ppREZJTS8yWXBpVTJiMHc9Il0sInBvc2l0aW9uIjo0MH0seyJsZWFmIjoie1wiYWN0b3JcIjpcImFkYW1cIixcImF0XCI6XCIyMDI2LTExLTI4VDEzOjA0OjMyLjY0MTI5MSswMDowMFwiLFwiZGV0YWlsXCI6e1widmVyc2lvblwiOjR9LFwiaWRcIjozMCxcImtpbmRcIjpcInRpY2tldC5hcHByb3ZlZFwiLFwic3ViamVjdFwiOlwiVC1RMUpESFZGUFwiLFwidlwiOjF9IiwicGF0aCI6WyJyOEpaTkNFZzlzMXZtOCswNjlSNC9scUtDTzk3UWhkdGdYbmROSlMvSDZVPSIsInEvR0VKRFo3UjE3Ky9wS0lBTjVqT2R1N0cza0lYcFhmR1h6ZWs0d2pTakU9IiwiMFlyKzNIRyt1YlpzUXVPSWFUT2llN1pJTmFBMUdaMXBka1FJdjIxYlBNUT0iLCI1VGJWblkyLzdsa3NOd1RKYlhMaVJuZlR3SmMyZWVQKzI3L1J5dTNrMkx3PSIsInNZdmpQcUFUZzBKeDBiRVJWM2xJSGpLVkM0a1U2dGZJbjV5NHJQUDFWZjg9IiwiVGxHd29CNGZ2aEhSUm5NTzNyTjV2TE55dGF0UzhBb3pWWjJqQjZxcDRpQT0iXSwicG9zaXRpb24iOjI5fSx7ImxlYWYiOiJ7XCJhY3RvclwiOlwiY2xlcmtcIixcImF0XCI6XCIyMDI2LTExLTI4VDEzOjA1OjM4LjQ0MTUyOSswMDowMFwiLFwiZGV0YWlsXCI6e1wiZ2VuZXJhdGlvblwiOjIsXCJraW5kXCI6XCJhdXRvbWF0aWNcIn0sXCJpZFwiOjM4LFwia2luZFwiOlwiZXJhc2VyLnByb21vdGVkXCIsXCJzdWJqZWN0XCI6XCJkZW1vLXZsbS8xXCIsXCJ2XCI6MX0iLCJwYXRoIjpbIlI3SHVRSFR0UnNUaHoyODc1ZXFaZjFVSXFkQ3RQNUNJbWcxUGcraWNZNFE9IiwiVHl2bmM2dWg3dEdaQVRrLzREK2ZER25wM3pFdUhuVFFNSE9lcVg2dzFncz0iLCJQS2hRdTU3SVNnc3N4SGQ5QmxNRlMyMjVEeDdJUzUydlpvcGUyazhzVUFvPSIsIkUxeStvdnJVbEZwWDJDVGdlL09ielh3Vi82S29saHlIaENFaHFua2h4Slk9IiwiREVqNHcvd1VRQy9QSUJUTGFIaHJ5OS9GOERDamlERklNLzJZcGlVMmIwdz0iXSwicG9zaXRpb24iOjM3fSx7ImxlYWYiOiJ7XCJhY3RvclwiOlwiY2xlcmtcIixcImF0XCI6XCIyMDI2LTExLTI4VDEzOjA1OjM5LjU3NDUyNSswMDowMFwiLFwiZGV0YWlsXCI6e1wib2JqZWN0XCI6XCJwYXlsb2Fkcy9kZWZhdWx0L1QtUTFKREhWRlBcIixcInNoYTI1NlwiOlwiMzRiZjAyMmJhMmIyMjM2ZWMwZTg5NzE3Mzg3NDBkMzg1ODc5OThkMWVjYTI1ZGQyYzQ2MjgxNGY2NWY3ZTk1ZFwifSxcImlkXCI6NDMsXCJraW5kXCI6XCJwYXlsb2FkLmRlc3Ryb3llZFwiLFwic3ViamVjdFwiOlwiVC1RMUpESFZGUFwiLFwidlwiOjF9IiwicGF0aCI6WyJxbzZWNHZuM1hFdTFuV0UzL3NGMGJUUE1ISFZjbTdkOW1kWlJuZUhRRXVBPSIsIjlOQUtzM0FMOVJDMUZNaWtORWlyM2JjeHJCWkxuOWYzL0NTZXkrV1RuU2s9IiwiUFNuWnBpNDhjR3VUM2RPT3EvWGdFdmJkYUJIa1N4V1ZQTDlwR2FhTnlzaz0iLCJQc3ZFbjFadEJ6NVM4SmlUYU9jZkJwSCtIUGhCazdZSHdmbGhQNkliY3lVPSIsIkRFajR3L3dVUUMvUElCVExhSGhyeTkvRjhEQ2ppREZJTS8yWXBpVTJiMHc9Il0sInBvc2l0aW9uIjo0Mn0seyJsZWFmIjoie1wiYWN0b3JcIjpcImNsZXJrXCIsXCJhdFwiOlwiMjAyNi0xMS0yOFQxMzowNTozOS42NjA2MzErMDA6MDBcIixcImRldGFpbFwiOntcIm9iamVjdFwiOlwicGF5bG9hZHMvZGVmYXVsdC9ULVExSkRIVkZQXCJ9LFwiaWRcIjo0NixcImtpbmRcIjpcInBheWxvYWQucmVtb3ZlZFwiLFwic3ViamVjdFwiOlwiVC1RMUpESFZGUFwiLFwidlwiOjF9IiwicGF0aCI6WyJzMlQ5OUVDTFRKbTdVbmgyQWdNdGlRODZIaHBudk1nRmNKbXNCQWxSMUhzPSIsIi9GQWJYQkRKMFZVQUNNYnMyNTFnUCtwcFE4ZmtGbDg2M0IzaHR6T2FEMWc9IiwiUHN2RW4xWnRCejVTOEppVGFPY2ZCcEgrSFBoQms3WUh3ZmxoUDZJYmN5VT0iLCJERWo0dy93VVFDL1BJQlRMYUhocnk5L0Y4RENqaURGSU0vMllwaVUyYjB3PSJdLCJwb3NpdGlvbiI6NDV9XSwic2l6ZSI6NDZ9LCJtZXRob2QiOnsia2luZCI6ImFjdGl2YXRpb24gc3RlZXJpbmcgYXQgaW5mZXJlbmNlIHRpbWUiLCJyZWNpcGUiOiJsYWN1bmEifSwibW9kZWwiOnsiaWQiOiJkZW1vLXZsbSIsInNpdGUiOnsiYmFzZV9tb2RlbCI6ImU5M2MwOTVhZTgzNDc4ZDZhNmJmNmIyMTJmZWVjZDJjMmMxZThhMzU5N2MzMDQwZGIwMDcyMDI0N2RkNmNkNzgiLCJkdHlwZSI6ImZsb2F0MzIiLCJoaWRkZW5fc2l6ZSI6MjU2LCJsYXllcnMiOlswLDEsMiwzLDRdLCJwcm9jZXNzb3IiOiJjMTc2NThjNjFjOWFmZmZiZDlkZGVjMWVkY2I3ZDEyN2RmMmFlNTc3ZDcwODc4YzU1YzM5YTJiNDA1NGU3NTQ2IiwidGVtcGxhdGUiOiJiOGY3MmRiMjAyYWZhZTQxODg2ZDJiMmFlMjk0ZWQ5OTA1NjM1MmI4YjNmYWNlNjQwMDQ4NGU0MjNjMDZkMjdjIn19LCJub3RfY2xhaW1lZCI6WyJUaGUgd2VpZ2h0cyBvZiB0aGUgbW9kZWwgYXJlIHVuY2hhbmdlZDogd2hvZXZlciBoYXMgdGhlbSBoYXMgd2hhdCB0aGV5IGtub3cuIiwiTm90aGluZyBpcyBzYWlkIG9mIG90aGVyIG1vZGVscywgb3RoZXIgaW5zdGFsbGF0aW9ucywgdHJhaW5pbmcgZGF0YSwgYmFja3VwcyBvciBjb3BpZXMgZWxzZXdoZXJlLiIsIlRoZSBhdWRpdCBhc2tzIGEgZmluaXRlIG51bWJlciBvZiBxdWVzdGlvbnM7IGl0cyBpbnRlcnZhbHMgc3BlYWsgb2Ygc3VjaCBxdWVzdGlvbnMgYW5kIG5vdCBvZiBhbiBhZHZlcnNhcnkuIiwiQSBsYXRlciBjZXJ0aWZpY2F0ZSBtYXkgcmVwbGFjZSBvciBzdXNwZW5kIHRoaXMgb25lOiB0aGUgaGlnaGVzdCBudW1iZXIgb2YgdGhlIHRpY2tldCBzdGFuZHMuIiwiVGhlIGxvZyBhbmQgaXRzIGtleSBhcmUgdGhlIG9wZXJhdG9yJ3Mgb3duOiBpbmRlcGVuZGVuY2UgYmVnaW5zIHdpdGggYSBjaGVja3BvaW50IGtlcHQsIG9yIGEgdGltZS1zdGFtcCBtYWRlIChSRkMgMzE2MSwgaW4gdGhlIGJ1bmRsZSB3aGVyZSB0aGVyZSBpcyBvbmUpLCBieSBzb21lYm9keSBlbHNlLiIsIlRoZSBhdWRpdCBkaWQgbm90IHJ1bjogc2FtcGxpbmcgYXQgdGVtcGVyYXR1cmUgMC43IGFuZCAxLjAuIiwiVGhlIGF1ZGl0IGRpZCBub3QgcnVuOiBibGFjay1ib3ggYXR0YWNrcy4iLCJUaGUgYXVkaXQgZGlkIG5vdCBydW46IHdoaXRlLWJveCBhdHRhY2tzLiIsIlRoZSBhdWRpdCBkaWQgbm90IHJ1bjogbGlrZWxpaG9vZCBhdHRhY2tzLiJdLCJwYXlsb2FkIjp7Im5vdGUiOiJXaG9ldmVyIGRlc3Ryb3llZCB0aGUga2V5IG1hZGUgdGhlIHNlYWxlZCBvYmplY3QgdW5yZWFkYWJsZTsgY29waWVzIG9mIHRoZSBrZXkgaW4gYmFja3VwcyBvZiB0aGUgZGF0YWJhc2UgbGFzdCB1bnRpbCB0aG9zZSBleHBpcmUuIiwic2hhMjU2IjoiMzRiZjAyMmJhMmIyMjM2ZWMwZTg5NzE3Mzg3NDBkMzg1ODc5OThkMWVjYTI1ZGQyYzQ2MjgxNGY2NWY3ZTk1ZCIsInN0YXRlIjoia2V5X2Rlc3Ryb3llZCJ9LCJzZXJ2aW5nIjp7ImdlbmVyYXRpb24iOjIsInJlcGxpY2FzIjpbeyJhdCI6IjIwMjYtMTEtMjhUMTM6MDU6MzkrMDA6MDAiLCJnZW5lcmF0aW9uIjoyLCJpZCI6ImluZmVyZW5jZS0wIiwidmVyc2lvbiI6MX1dLCJzdXBwcmVzc2VkX3NpbmNlIjoiMjAyNi0xMS0yOFQxMzowNTozOSswMDowMCIsInRoaXNfdmVyc2lvbl9zaW5jZSI6IjIwMjYtMTEtMjhUMTM6MDU6MzgrMDA6MDAifSwidGlja2V0Ijp7ImNvbXBsZXRlZF9hdCI6IjIwMjYtMTEtMjhUMTM6MDU6MzkrMDA6MDAiLCJkZWNpZGVkX2F0IjoiMjAyNi0xMS0yOFQxMzowNDozMiswMDowMCIsImRlY2lkZWRfYnkiOiJhZGFtIiwiZGVjaXNpb24iOiJhcHByb3ZlZCIsImZpbGVkX2J5Ijoib2xpdmlhIiwiZ3JvdW5kIjoiY29uc2VudF93aXRoZHJhd24iLCJpZCI6IlQtUTFKREhWRlAiLCJpZGVudGl0eSI6InZlcmlmaWVkIiwic3VibWl0dGVkX2F0IjoiMjAyNi0xMS0yOFQxMzowNDozMSswMDowMCJ9LCJ2ZXJpZnkiOiJsYWN1bmEgdmVyaWZ5IGNlcnRpZmljYXRlIEZJTEUgLS1rZXkgbG9nLWtleXMudHh0In0sInByZWRpY2F0ZVR5cGUiOiJ1cm46bGFjdW5hOmNlcnRpZmljYXRlLW9mLXN1cHByZXNzaW9uOnYxIiwic3ViamVjdCI6W3siZGlnZXN0Ijp7InNoYTI1NiI6ImQwNjhiMDNiZjk5MTg5NDQ5NDk5YTU5MWY5MWJhYTIxNTAwNGYwMjAzNDg3NzJhZWNkMWVmYjY4OWJkYTQ0OTgifSwibmFtZSI6IlQtUTFKREhWRlAifSx7ImRpZ2VzdCI6eyJzaGEyNTYiOiI4MWMxY2EwMjJkZTZjMTQzOWY2Zjc1YWI3OGEyMzVjN2VhMjFjZDYzMTM4N2FlYWI3MjI5NDQ5NTg0MjM2MjM4In0sIm5hbWUiOiJlcmFzZXJzL2RlbW8tdmxtLzAwMDAwMS1jZjY5NjkyZWNhNDYwMzAxLnNhZmV0ZW5zb3JzIn1dfQ==", "signatures": [{"sig": "8m2xYwCevQP1iBfUoOudtLPtT//UVl0ZBukIaSIYuVUD/rOWncx5PhXnYp01AEGnb3aVtOBBDTW/aRQpwXzjDg==", "keyid": "c4f4c179d9051383"}], "payloadType": "application/vnd.in-toto+json"}	2026-11-28 13:05:40.071522+00	46
\.


--
-- Data for Name: desired_state; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.desired_state (model_id, generation, version_id, changed_by, changed_at) FROM stdin;
demo-vlm	2	04b97f26-3caa-4131-8420-1abeca339ba7	clerk	2026-11-28 13:05:38.425603+00
\.


--
-- Data for Name: disposal; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.disposal (id, ticket_id, object, object_key, sha256, reason, key_destroyed_at, removed_at) FROM stdin;
9fb59cd1-d1a2-4aed-9380-06aab6c935e3	T-ER5NJAKW	payload	payloads/default/T-ER5NJAKW	db34235dbf135e1fbaf8e04f8fb0082dad87a8315c7f9cf2cf0ee609e2afe243	rejected	2026-11-28 13:02:10.425772+00	2026-11-28 13:02:10.486308+00
89d519a3-aa45-4d28-b5e8-8ebff8f43456	T-DDTYMMDT	payload	payloads/default/T-DDTYMMDT	8793a7d48a63a8f63052f62912944462ec26b25dc930e0fb81e5df460ce85c6c	completed	2026-11-28 13:05:39.613314+00	2026-11-28 13:05:39.644541+00
f8498c7c-ea52-4bc3-ac0d-4706ce03319c	T-Q1JDHVFP	payload	payloads/default/T-Q1JDHVFP	34bf022ba2b2236ec0e8971738740d38587998d1eca25dd2c462814f65f7e95d	completed	2026-11-28 13:05:39.567083+00	2026-11-28 13:05:39.660504+00
\.


--
-- Data for Name: eraser_version; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.eraser_version (id, model_id, number, run_id, recipe, object_key, sha256, size_bytes, manifest, envelope, wrapped_key, created_at, coverage_root) FROM stdin;
32ea83e5-37b1-4c6c-9655-1479e893240c	demo-vlm	0	50d3921d-8119-4439-a5f2-b38f13a2fc4f	lacuna	erasers/demo-vlm/000000-9098f0c3bacb8d09.safetensors	cf428cf5f313832c1378c779715526d92dcb187540e5bcdf4fa00f355feed883	5276	{"run": "50d3921d-8119-4439-a5f2-b38f13a2fc4f", "site": {"dtype": "float32", "layers": [0, 1, 2, 3, 4], "template": "b8f72db202afae41886d2b2ae294ed99056352b8b3face6400484e423c06d27c", "processor": "c17658c61c9afffbd9ddec1edcb7d127df2ae577d70878c55c39a2b4054e7546", "base_model": "e93c095ae83478d6a6bf6b212feecd2c2c1e8a3597c3040db00720247dd6cd78", "hidden_size": 256}, "gated": [], "model": "demo-vlm", "choice": {"best": {"told": 0.003125, "drift": 0.0, "margin": 0.75, "leakage": 0.003125, "unclean": 0.0, "variant": "lacuna", "strength": 1.0}, "site": "9cedac43cb4491913f3c4a0247ce78d412a6b720dd01ad25131642fa265900af", "in_use": {"margin": 0.75, "strength": 1.0}, "people": [8, 8], "points": [{"told": 0.0, "drift": 0.00937500037252903, "margin": 0.0, "leakage": 0.0, "unclean": 0.0, "variant": "lacuna", "strength": 1.0}, {"told": 0.0, "drift": 0.004687500186264515, "margin": 0.25, "leakage": 0.0, "unclean": 0.0, "variant": "lacuna", "strength": 1.0}, {"told": 0.003125, "drift": 0.0, "margin": 0.5, "leakage": 0.003125, "unclean": 0.0, "variant": "lacuna", "strength": 1.0}, {"told": 0.003125, "drift": 0.0, "margin": 0.75, "leakage": 0.003125, "unclean": 0.0, "variant": "lacuna", "strength": 1.0}, {"told": 0.053125000000000006, "drift": 0.0, "margin": 1.0, "leakage": 0.053125000000000006, "unclean": 0.0, "variant": "lacuna", "strength": 1.0}, {"told": 0.003125, "drift": 0.0, "margin": 0.75, "leakage": 0.003125, "unclean": 0.0, "variant": "lacuna", "strength": 0.25}, {"told": 0.003125, "drift": 0.0, "margin": 0.75, "leakage": 0.003125, "unclean": 0.0, "variant": "lacuna", "strength": 0.5}, {"told": 0.003125, "drift": 0.0, "margin": 0.75, "leakage": 0.003125, "unclean": 0.0, "variant": "lacuna", "strength": 0.75}, {"told": 0.003125, "drift": 0.0, "margin": 0.75, "leakage": 0.003125, "unclean": 0.0, "variant": "lacuna", "strength": 1.25}, {"told": 0.003125, "drift": 0.0, "margin": 0.75, "leakage": 0.003125, "unclean": 0.0, "variant": "lacuna", "strength": 1.5}, {"told": 0.003125, "drift": 0.0, "margin": 0.75, "leakage": 0.012579113924050634, "unclean": 0.009454113924050633, "variant": "lacuna", "strength": 2.0}, {"told": 0.00625, "drift": 0.0, "margin": 0.75, "leakage": 0.00625, "unclean": 0.0, "variant": "gate-early", "strength": 1.0}, {"told": 0.00625, "drift": 0.0, "margin": 0.75, "leakage": 0.00625, "unclean": 0.0, "variant": "gate-late", "strength": 1.0}, {"told": 0.003125, "drift": 0.0, "margin": 0.75, "leakage": 0.003125, "unclean": 0.0, "variant": "pull-early", "strength": 1.0}, {"told": 0.003125, "drift": 0.0, "margin": 0.75, "leakage": 0.003125, "unclean": 0.0, "variant": "pull-late", "strength": 1.0}, {"told": 0.003125, "drift": 0.0, "margin": 0.75, "leakage": 0.003125, "unclean": 0.0, "variant": "pull-last", "strength": 1.0}], "recipe": "d71da1413731a527f7a6296f41dd4e1e5aedea02cbb9ef3b2a566ff4b1261958", "drift_budget": 0.002}, "number": 0, "recipe": {"rho": 0.5, "gate": "identity", "name": "lacuna", "blind": true, "gamma": 0.01, "match": 0.03, "watch": true, "layers": null, "margin": 0.75, "epsilon": 0.06274509803921569, "strength": 1.0, "direction": "refined", "mlp_steps": 300, "mlp_width": 64, "pgd_steps": 20, "placement": "hold", "shrinkage": 0.02, "fixed_text": null, "neighbours": 3, "prototypes": 96, "gate_layers": null, "refine_steps": 160, "whitener_rank": 256, "gamma_absolute": false, "harmless_weight": 0.0, "identity_shrinkage": 0.3, "false_positive_rate": 0.01}, "shapes": {"directions": [5, 256]}, "tenant": "default", "covered": [], "tickets": [], "coverage": {"root": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "tickets": 0}, "threshold": null, "created_at": "2026-11-28T13:03:39.223833+00:00", "retain_set": null, "statistics": "0a0a7f3c8bb06107a29dfe83f3bec32596063a6c7093388c3e93b46784502477", "calibration": null, "schema_version": 3, "tensors_sha256": "9098f0c3bacb8d09dfb30b437350f983f50ffa544af3aecb99ba8a3e57ffcbf5"}	{"payload": "eyJjYWxpYnJhdGlvbiI6bnVsbCwiY2hvaWNlIjp7ImJlc3QiOnsiZHJpZnQiOjAuMCwibGVha2FnZSI6MC4wMDMxMjUsIm1hcmdpbiI6MC43NSwic3RyZW5ndGgiOjEuMCwidG9sZCI6MC4wMDMxMjUsInVuY2xlYW4iOjAuMCwidmFyaWFudCI6ImxhY3VuYSJ9LCJkcmlmdF9idWRnZXQiOjAuMDAyLCJpbl91c2UiOnsibWFyZ2luIjowLjc1LCJzdHJlbmd0aCI6MS4wfSwicGVvcGxlIjpbOCw4XSwicG9pbnRzIjpbeyJkcmlmdCI6MC4wMDkzNzUwMDAzNzI1MjkwMywibGVha2FnZSI6MC4wLCJtYXJnaW4iOjAuMCwic3RyZW5ndGgiOjEuMCwidG9sZCI6MC4wLCJ1bmNsZWFuIjowLjAsInZhcmlhbnQiOiJsYWN1bmEifSx7ImRyaWZ0IjowLjAwNDY4NzUwMDE4NjI2NDUxNSwibGVha2FnZSI6MC4wLCJtYXJnaW4iOjAuMjUsInN0cmVuZ3RoIjoxLjAsInRvbGQiOjAuMCwidW5jbGVhbiI6MC4wLCJ2YXJpYW50IjoibGFjdW5hIn0seyJkcmlmdCI6MC4wLCJsZWFrYWdlIjowLjAwMzEyNSwibWFyZ2luIjowLjUsInN0cmVuZ3RoIjoxLjAsInRvbGQiOjAuMDAzMTI1LCJ1bmNsZWFuIjowLjAsInZhcmlhbnQiOiJsYWN1bmEifSx7ImRyaWZ0IjowLjAsImxlYWthZ2UiOjAuMDAzMTI1LCJtYXJnaW4iOjAuNzUsInN0cmVuZ3RoIjoxLjAsInRvbGQiOjAuMDAzMTI1LCJ1bmNsZWFuIjowLjAsInZhcmlhbnQiOiJsYWN1bmEifSx7ImRyaWZ0IjowLjAsImxlYWthZ2UiOjAuMDUzMTI1MDAwMDAwMDAwMDA2LCJtYXJnaW4iOjEuMCwic3RyZW5ndGgiOjEuMCwidG9sZCI6MC4wNTMxMjUwMDAwMDAwMDAwMDYsInVuY2xlYW4iOjAuMCwidmFyaWFudCI6ImxhY3VuYSJ9LHsiZHJpZnQiOjAuMCwibGVha2FnZSI6MC4wMDMxMjUsIm1hcmdpbiI6MC43NSwic3RyZW5ndGgiOjAuMjUsInRvbGQiOjAuMDAzMTI1LCJ1bmNsZWFuIjowLjAsInZhcmlhbnQiOiJsYWN1bmEifSx7ImRyaWZ0IjowLjAsImxlYWthZ2UiOjAuMDAzMTI1LCJtYXJnaW4iOjAuNzUsInN0cmVuZ3RoIjowLjUsInRvbGQiOjAuMDAzMTI1LCJ1bmNsZWFuIjowLjAsInZhcmlhbnQiOiJsYWN1bmEifSx7ImRyaWZ0IjowLjAsImxlYWthZ2UiOjAuMDAzMTI1LCJtYXJnaW4iOjAuNzUsInN0cmVuZ3RoIjowLjc1LCJ0b2xkIjowLjAwMzEyNSwidW5jbGVhbiI6MC4wLCJ2YXJpYW50IjoibGFjdW5hIn0seyJkcmlmdCI6MC4wLCJsZWFrYWdlIjowLjAwMzEyNSwibWFyZ2luIjowLjc1LCJzdHJlbmd0aCI6MS4yNSwidG9sZCI6MC4wMDMxMjUsInVuY2xlYW4iOjAuMCwidmFyaWFudCI6ImxhY3VuYSJ9LHsiZHJpZnQiOjAuMCwibGVha2FnZSI6MC4wMDMxMjUsIm1hcmdpbiI6MC43NSwic3RyZW5ndGgiOjEuNSwidG9sZCI6MC4wMDMxMjUsInVuY2xlYW4iOjAuMCwidmFyaWFudCI6ImxhY3VuYSJ9LHsiZHJpZnQiOjAuMCwibGVha2FnZSI6MC4wMTI1NzkxMTM5MjQwNTA2MzQsIm1hcmdpbiI6MC43NSwic3RyZW5ndGgiOjIuMCwidG9sZCI6MC4wMDMxMjUsInVuY2xlYW4iOjAuMDA5NDU0MTEzOTI0MDUwNjMzLCJ2YXJpYW50IjoibGFjdW5hIn0seyJkcmlmdCI6MC4wLCJsZWFrYWdlIjowLjAwNjI1LCJtYXJnaW4iOjAuNzUsInN0cmVuZ3RoIjoxLjAsInRvbGQiOjAuMDA2MjUsInVuY2xlYW4iOjAuMCwidmFyaWFudCI6ImdhdGUtZWFybHkifSx7ImRyaWZ0IjowLjAsImxlYWthZ2UiOjAuMDA2MjUsIm1hcmdpbiI6MC43NSwic3RyZW5ndGgiOjEuMCwidG9sZCI6MC4wMDYyNSwidW5jbGVhbiI6MC4wLCJ2YXJpYW50IjoiZ2F0ZS1sYXRlIn0seyJkcmlmdCI6MC4wLCJsZWFrYWdlIjowLjAwMzEyNSwibWFyZ2luIjowLjc1LCJzdHJlbmd0aCI6MS4wLCJ0b2xkIjowLjAwMzEyNSwidW5jbGVhbiI6MC4wLCJ2YXJpYW50IjoicHVsbC1lYXJseSJ9LHsiZHJpZnQiOjAuMCwibGVha2FnZSI6MC4wMDMxMjUsIm1hcmdpbiI6MC43NSwic3RyZW5ndGgiOjEuMCwidG9sZCI6MC4wMDMxMjUsInVuY2xlYW4iOjAuMCwidmFyaWFudCI6InB1bGwtbGF0ZSJ9LHsiZHJpZnQiOjAuMCwibGVha2FnZSI6MC4wMDMxMjUsIm1hcmdpbiI6MC43NSwic3RyZW5ndGgiOjEuMCwidG9sZCI6MC4wMDMxMjUsInVuY2xlYW4iOjAuMCwidmFyaWFudCI6InB1bGwtbGFzdCJ9XSwicmVjaXBlIjoiZDcxZGExNDEzNzMxYTUyN2Y3YTYyOTZmNDFkZDRlMWU1YWVkZWEwMmNiYjllZjNiMmE1NjZmZjRiMTI2MTk1OCIsInNpdGUiOiI5Y2VkYWM0M2NiNDQ5MTkxM2YzYzRhMDI0N2NlNzhkNDEyYTZiNzIwZGQwMWFkMjUxMzE2NDJmYTI2NTkwMGFmIn0sImNvdmVyYWdlIjp7InJvb3QiOiJlM2IwYzQ0Mjk4ZmMxYzE0OWFmYmY0Yzg5OTZmYjkyNDI3YWU0MWU0NjQ5YjkzNGNhNDk1OTkxYjc4NTJiODU1IiwidGlja2V0cyI6MH0sImNvdmVyZWQiOltdLCJjcmVhdGVkX2F0IjoiMjAyNi0xMS0yOFQxMzowMzozOS4yMjM4MzMrMDA6MDAiLCJnYXRlZCI6W10sIm1vZGVsIjoiZGVtby12bG0iLCJudW1iZXIiOjAsInJlY2lwZSI6eyJibGluZCI6dHJ1ZSwiZGlyZWN0aW9uIjoicmVmaW5lZCIsImVwc2lsb24iOjAuMDYyNzQ1MDk4MDM5MjE1NjksImZhbHNlX3Bvc2l0aXZlX3JhdGUiOjAuMDEsImZpeGVkX3RleHQiOm51bGwsImdhbW1hIjowLjAxLCJnYW1tYV9hYnNvbHV0ZSI6ZmFsc2UsImdhdGUiOiJpZGVudGl0eSIsImdhdGVfbGF5ZXJzIjpudWxsLCJoYXJtbGVzc193ZWlnaHQiOjAuMCwiaWRlbnRpdHlfc2hyaW5rYWdlIjowLjMsImxheWVycyI6bnVsbCwibWFyZ2luIjowLjc1LCJtYXRjaCI6MC4wMywibWxwX3N0ZXBzIjozMDAsIm1scF93aWR0aCI6NjQsIm5hbWUiOiJsYWN1bmEiLCJuZWlnaGJvdXJzIjozLCJwZ2Rfc3RlcHMiOjIwLCJwbGFjZW1lbnQiOiJob2xkIiwicHJvdG90eXBlcyI6OTYsInJlZmluZV9zdGVwcyI6MTYwLCJyaG8iOjAuNSwic2hyaW5rYWdlIjowLjAyLCJzdHJlbmd0aCI6MS4wLCJ3YXRjaCI6dHJ1ZSwid2hpdGVuZXJfcmFuayI6MjU2fSwicmV0YWluX3NldCI6bnVsbCwicnVuIjoiNTBkMzkyMWQtODExOS00NDM5LWE1ZjItYjM4ZjEzYTJmYzRmIiwic2NoZW1hX3ZlcnNpb24iOjMsInNoYXBlcyI6eyJkaXJlY3Rpb25zIjpbNSwyNTZdfSwic2l0ZSI6eyJiYXNlX21vZGVsIjoiZTkzYzA5NWFlODM0NzhkNmE2YmY2YjIxMmZlZWNkMmMyYzFlOGEzNTk3YzMwNDBkYjAwNzIwMjQ3ZGQ2Y2Q3OCIsImR0eXBlIjoiZmxvYXQzMiIsImhpZGRlbl9zaXplIjoyNTYsImxheWVycyI6WzAsMSwyLDMsNF0sInByb2Nlc3NvciI6ImMxNzY1OGM2MWM5YWZmZmJkOWRkZWMxZWRjYjdkMTI3ZGYyYWU1NzdkNzA4NzhjNTVjMzlhMmI0MDU0ZTc1NDYiLCJ0ZW1wbGF0ZSI6ImI4ZjcyZGIyMDJhZmFlNDE4ODZkMmIyYWUyOTRlZDk5MDU2MzUyYjhiM2ZhY2U2NDAwNDg0ZTQyM2MwNmQyN2MifSwic3RhdGlzdGljcyI6IjBhMGE3ZjNjOGJiMDYxMDdhMjlkZmU4M2YzYmVjMzI1OTYwNjNhNmM3MDkzMzg4YzNlOTNiNDY3ODQ1MDI0NzciLCJ0ZW5hbnQiOiJkZWZhdWx0IiwidGVuc29yc19zaGEyNTYiOiI5MDk4ZjBjM2JhY2I4ZDA5ZGZiMzBiNDM3MzUwZjk4M2Y1MGZmYTU0NGFmM2FlY2I5OWJhOGEzZTU3ZmZjYmY1IiwidGhyZXNob2xkIjpudWxsLCJ0aWNrZXRzIjpbXX0=", "signatures": [{"sig": "vRzj5mVGc/ZVUjUgWGzcYhsYjzDd2WGQOtihT3Exf4VVjACSgTukE3OF7MDSJHqBh8kKchfA3ucTepLM0swEBw==", "keyid": "3e1f0a68ebf9daa7"}], "payloadType": "application/vnd.lacuna.eraser+json"}	\\x7ec0537fb32c5a72f0416b039beb80ebbd5c22e86ccc0464c995e40433326d655f6ba24dd87de6b0	2026-11-28 13:03:39.331476+00	e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
04b97f26-3caa-4131-8420-1abeca339ba7	demo-vlm	1	a411a54b-57b2-4676-bf41-1b96db0ee607	lacuna	erasers/demo-vlm/000001-cf69692eca460301.safetensors	81c1ca022de6c1439f6f75ab78a235c7ea21cd631387aeab7229449584236238	2751816	{"run": "a411a54b-57b2-4676-bf41-1b96db0ee607", "site": {"dtype": "float32", "layers": [0, 1, 2, 3, 4], "template": "b8f72db202afae41886d2b2ae294ed99056352b8b3face6400484e423c06d27c", "processor": "c17658c61c9afffbd9ddec1edcb7d127df2ae577d70878c55c39a2b4054e7546", "base_model": "e93c095ae83478d6a6bf6b212feecd2c2c1e8a3597c3040db00720247dd6cd78", "hidden_size": 256}, "gated": [0, 1, 2, 3, 4], "model": "demo-vlm", "choice": {"best": {"told": 0.003125, "drift": 0.0, "margin": 0.75, "leakage": 0.003125, "unclean": 0.0, "variant": "lacuna", "strength": 1.0}, "site": "9cedac43cb4491913f3c4a0247ce78d412a6b720dd01ad25131642fa265900af", "in_use": {"margin": 0.75, "strength": 1.0}, "people": [8, 8], "points": [{"told": 0.0, "drift": 0.00937500037252903, "margin": 0.0, "leakage": 0.0, "unclean": 0.0, "variant": "lacuna", "strength": 1.0}, {"told": 0.0, "drift": 0.004687500186264515, "margin": 0.25, "leakage": 0.0, "unclean": 0.0, "variant": "lacuna", "strength": 1.0}, {"told": 0.003125, "drift": 0.0, "margin": 0.5, "leakage": 0.003125, "unclean": 0.0, "variant": "lacuna", "strength": 1.0}, {"told": 0.003125, "drift": 0.0, "margin": 0.75, "leakage": 0.003125, "unclean": 0.0, "variant": "lacuna", "strength": 1.0}, {"told": 0.053125000000000006, "drift": 0.0, "margin": 1.0, "leakage": 0.053125000000000006, "unclean": 0.0, "variant": "lacuna", "strength": 1.0}, {"told": 0.003125, "drift": 0.0, "margin": 0.75, "leakage": 0.003125, "unclean": 0.0, "variant": "lacuna", "strength": 0.25}, {"told": 0.003125, "drift": 0.0, "margin": 0.75, "leakage": 0.003125, "unclean": 0.0, "variant": "lacuna", "strength": 0.5}, {"told": 0.003125, "drift": 0.0, "margin": 0.75, "leakage": 0.003125, "unclean": 0.0, "variant": "lacuna", "strength": 0.75}, {"told": 0.003125, "drift": 0.0, "margin": 0.75, "leakage": 0.003125, "unclean": 0.0, "variant": "lacuna", "strength": 1.25}, {"told": 0.003125, "drift": 0.0, "margin": 0.75, "leakage": 0.003125, "unclean": 0.0, "variant": "lacuna", "strength": 1.5}, {"told": 0.003125, "drift": 0.0, "margin": 0.75, "leakage": 0.012579113924050634, "unclean": 0.009454113924050633, "variant": "lacuna", "strength": 2.0}, {"told": 0.00625, "drift": 0.0, "margin": 0.75, "leakage": 0.00625, "unclean": 0.0, "variant": "gate-early", "strength": 1.0}, {"told": 0.00625, "drift": 0.0, "margin": 0.75, "leakage": 0.00625, "unclean": 0.0, "variant": "gate-late", "strength": 1.0}, {"told": 0.003125, "drift": 0.0, "margin": 0.75, "leakage": 0.003125, "unclean": 0.0, "variant": "pull-early", "strength": 1.0}, {"told": 0.003125, "drift": 0.0, "margin": 0.75, "leakage": 0.003125, "unclean": 0.0, "variant": "pull-late", "strength": 1.0}, {"told": 0.003125, "drift": 0.0, "margin": 0.75, "leakage": 0.003125, "unclean": 0.0, "variant": "pull-last", "strength": 1.0}], "recipe": "d71da1413731a527f7a6296f41dd4e1e5aedea02cbb9ef3b2a566ff4b1261958", "drift_budget": 0.002}, "number": 1, "recipe": {"rho": 0.5, "gate": "identity", "name": "lacuna", "blind": true, "gamma": 0.01, "match": 0.03, "watch": true, "layers": null, "margin": 0.75, "epsilon": 0.06274509803921569, "strength": 1.0, "direction": "refined", "mlp_steps": 300, "mlp_width": 64, "pgd_steps": 20, "placement": "hold", "shrinkage": 0.02, "fixed_text": null, "neighbours": 3, "prototypes": 96, "gate_layers": null, "refine_steps": 160, "whitener_rank": 256, "gamma_absolute": false, "harmless_weight": 0.0, "identity_shrinkage": 0.3, "false_positive_rate": 0.01}, "shapes": {"held": [5, 256], "directions": [5, 256], "identity.near": [2, 2], "identity.names.mean": [5, 256], "identity.names.rest": [5], "identity.rows.0.own": [2], "identity.rows.1.own": [2], "identity.thresholds": [2, 2], "identity.topic.bias": [5], "identity.names.basis": [5, 256, 256], "identity.names.scales": [5, 256], "identity.rows.0.names": [2, 4, 5, 256], "identity.rows.0.whole": [2], "identity.rows.1.names": [2, 4, 5, 256], "identity.rows.1.whole": [2], "identity.topic.weights": [5, 256], "identity.portraits.mean": [5, 256], "identity.portraits.rest": [5], "identity.rows.0.lengths": [2], "identity.rows.1.lengths": [2], "identity.portraits.basis": [5, 256, 256], "identity.topic.threshold": [], "identity.portraits.scales": [5, 256], "identity.rows.0.portraits": [1, 5, 256], "identity.rows.1.portraits": [1, 5, 256]}, "tenant": "default", "covered": ["T-DDTYMMDT", "T-Q1JDHVFP"], "tickets": [{"ticket": "T-DDTYMMDT", "rows_sha256": "6b436e5293c9f2805f18351b088276027d3e606c112d79b4175a4439a00cfd3a"}, {"ticket": "T-Q1JDHVFP", "rows_sha256": "4110c5d50fd0b3240abdf907ade3e99d8745f0258de938b6e5921f284f914a69"}], "coverage": {"root": "c79efcecc98c43c074bf94405c6588c7bba4c0feac60992b3819d9cccac38767", "tickets": 2}, "threshold": 0.0, "created_at": "2026-11-28T13:04:47.256579+00:00", "retain_set": null, "statistics": "0a0a7f3c8bb06107a29dfe83f3bec32596063a6c7093388c3e93b46784502477", "calibration": {"own": {"T-DDTYMMDT": [0.9242110252380371, 0.9101760387420654], "T-Q1JDHVFP": [0.8980194330215454, 0.8590344190597534]}, "bound": {"mention": 0.45318353176116943, "picture": 0.47380223870277405}, "level": 0.01, "margin": 0.75, "people": 32, "thresholds": {"T-DDTYMMDT": [0.8116087913513184, 0.795927882194519], "T-Q1JDHVFP": [0.791965126991272, 0.7575716972351074]}, "supported_level_by_person": 0.030303030303030304}, "schema_version": 3, "tensors_sha256": "cf69692eca46030140f8748b2c4f9f27e628660c8fdcab97f2214ada71e25fc9"}	{"payload": "eyJjYWxpYnJhdGlvbiI6eyJib3VuZCI6eyJtZW50aW9uIjowLjQ1MzE4MzUzMTc2MTE2OTQzLCJwaWN0dXJlIjowLjQ3MzgwMjIzODcwMjc3NDA1fSwibGV2ZWwiOjAuMDEsIm1hcmdpbiI6MC43NSwib3duIjp7IlQtRERUWU1NRFQiOlswLjkyNDIxMTAyNTIzODAzNzEsMC45MTAxNzYwMzg3NDIwNjU0XSwiVC1RMUpESFZGUCI6WzAuODk4MDE5NDMzMDIxNTQ1NCwwLjg1OTAzNDQxOTA1OTc1MzRdfSwicGVvcGxlIjozMiwic3VwcG9ydGVkX2xldmVsX2J5X3BlcnNvbiI6MC4wMzAzMDMwMzAzMDMwMzAzMDQsInRocmVzaG9sZHMiOnsiVC1ERFRZTU1EVCI6WzAuODExNjA4NzkxMzUxMzE4NCwwLjc5NTkyNzg4MjE5NDUxOV0sIlQtUTFKREhWRlAiOlswLjc5MTk2NTEyNjk5MTI3MiwwLjc1NzU3MTY5NzIzNTEwNzRdfX0sImNob2ljZSI6eyJiZXN0Ijp7ImRyaWZ0IjowLjAsImxlYWthZ2UiOjAuMDAzMTI1LCJtYXJnaW4iOjAuNzUsInN0cmVuZ3RoIjoxLjAsInRvbGQiOjAuMDAzMTI1LCJ1bmNsZWFuIjowLjAsInZhcmlhbnQiOiJsYWN1bmEifSwiZHJpZnRfYnVkZ2V0IjowLjAwMiwiaW5fdXNlIjp7Im1hcmdpbiI6MC43NSwic3RyZW5ndGgiOjEuMH0sInBlb3BsZSI6WzgsOF0sInBvaW50cyI6W3siZHJpZnQiOjAuMDA5Mzc1MDAwMzcyNTI5MDMsImxlYWthZ2UiOjAuMCwibWFyZ2luIjowLjAsInN0cmVuZ3RoIjoxLjAsInRvbGQiOjAuMCwidW5jbGVhbiI6MC4wLCJ2YXJpYW50IjoibGFjdW5hIn0seyJkcmlmdCI6MC4wMDQ2ODc1MDAxODYyNjQ1MTUsImxlYWthZ2UiOjAuMCwibWFyZ2luIjowLjI1LCJzdHJlbmd0aCI6MS4wLCJ0b2xkIjowLjAsInVuY2xlYW4iOjAuMCwidmFyaWFudCI6ImxhY3VuYSJ9LHsiZHJpZnQiOjAuMCwibGVha2FnZSI6MC4wMDMxMjUsIm1hcmdpbiI6MC41LCJzdHJlbmd0aCI6MS4wLCJ0b2xkIjowLjAwMzEyNSwidW5jbGVhbiI6MC4wLCJ2YXJpYW50IjoibGFjdW5hIn0seyJkcmlmdCI6MC4wLCJsZWFrYWdlIjowLjAwMzEyNSwibWFyZ2luIjowLjc1LCJzdHJlbmd0aCI6MS4wLCJ0b2xkIjowLjAwMzEyNSwidW5jbGVhbiI6MC4wLCJ2YXJpYW50IjoibGFjdW5hIn0seyJkcmlmdCI6MC4wLCJsZWFrYWdlIjowLjA1MzEyNTAwMDAwMDAwMDAwNiwibWFyZ2luIjoxLjAsInN0cmVuZ3RoIjoxLjAsInRvbGQiOjAuMDUzMTI1MDAwMDAwMDAwMDA2LCJ1bmNsZWFuIjowLjAsInZhcmlhbnQiOiJsYWN1bmEifSx7ImRyaWZ0IjowLjAsImxlYWthZ2UiOjAuMDAzMTI1LCJtYXJnaW4iOjAuNzUsInN0cmVuZ3RoIjowLjI1LCJ0b2xkIjowLjAwMzEyNSwidW5jbGVhbiI6MC4wLCJ2YXJpYW50IjoibGFjdW5hIn0seyJkcmlmdCI6MC4wLCJsZWFrYWdlIjowLjAwMzEyNSwibWFyZ2luIjowLjc1LCJzdHJlbmd0aCI6MC41LCJ0b2xkIjowLjAwMzEyNSwidW5jbGVhbiI6MC4wLCJ2YXJpYW50IjoibGFjdW5hIn0seyJkcmlmdCI6MC4wLCJsZWFrYWdlIjowLjAwMzEyNSwibWFyZ2luIjowLjc1LCJzdHJlbmd0aCI6MC43NSwidG9sZCI6MC4wMDMxMjUsInVuY2xlYW4iOjAuMCwidmFyaWFudCI6ImxhY3VuYSJ9LHsiZHJpZnQiOjAuMCwibGVha2FnZSI6MC4wMDMxMjUsIm1hcmdpbiI6MC43NSwic3RyZW5ndGgiOjEuMjUsInRvbGQiOjAuMDAzMTI1LCJ1bmNsZWFuIjowLjAsInZhcmlhbnQiOiJsYWN1bmEifSx7ImRyaWZ0IjowLjAsImxlYWthZ2UiOjAuMDAzMTI1LCJtYXJnaW4iOjAuNzUsInN0cmVuZ3RoIjoxLjUsInRvbGQiOjAuMDAzMTI1LCJ1bmNsZWFuIjowLjAsInZhcmlhbnQiOiJsYWN1bmEifSx7ImRyaWZ0IjowLjAsImxlYWthZ2UiOjAuMDEyNTc5MTEzOTI0MDUwNjM0LCJtYXJnaW4iOjAuNzUsInN0cmVuZ3RoIjoyLjAsInRvbGQiOjAuMDAzMTI1LCJ1bmNsZWFuIjowLjAwOTQ1NDExMzkyNDA1MDYzMywidmFyaWFudCI6ImxhY3VuYSJ9LHsiZHJpZnQiOjAuMCwibGVha2FnZSI6MC4wMDYyNSwibWFyZ2luIjowLjc1LCJzdHJlbmd0aCI6MS4wLCJ0b2xkIjowLjAwNjI1LCJ1bmNsZWFuIjowLjAsInZhcmlhbnQiOiJnYXRlLWVhcmx5In0seyJkcmlmdCI6MC4wLCJsZWFrYWdlIjowLjAwNjI1LCJtYXJnaW4iOjAuNzUsInN0cmVuZ3RoIjoxLjAsInRvbGQiOjAuMDA2MjUsInVuY2xlYW4iOjAuMCwidmFyaWFudCI6ImdhdGUtbGF0ZSJ9LHsiZHJpZnQiOjAuMCwibGVha2FnZSI6MC4wMDMxMjUsIm1hcmdpbiI6MC43NSwic3RyZW5ndGgiOjEuMCwidG9sZCI6MC4wMDMxMjUsInVuY2xlYW4iOjAuMCwidmFyaWFudCI6InB1bGwtZWFybHkifSx7ImRyaWZ0IjowLjAsImxlYWthZ2UiOjAuMDAzMTI1LCJtYXJnaW4iOjAuNzUsInN0cmVuZ3RoIjoxLjAsInRvbGQiOjAuMDAzMTI1LCJ1bmNsZWFuIjowLjAsInZhcmlhbnQiOiJwdWxsLWxhdGUifSx7ImRyaWZ0IjowLjAsImxlYWthZ2UiOjAuMDAzMTI1LCJtYXJnaW4iOjAuNzUsInN0cmVuZ3RoIjoxLjAsInRvbGQiOjAuMDAzMTI1LCJ1bmNsZWFuIjowLjAsInZhcmlhbnQiOiJwdWxsLWxhc3QifV0sInJlY2lwZSI6ImQ3MWRhMTQxMzczMWE1MjdmN2E2Mjk2ZjQxZGQ0ZTFlNWFlZGVhMDJjYmI5ZWYzYjJhNTY2ZmY0YjEyNjE5NTgiLCJzaXRlIjoiOWNlZGFjNDNjYjQ0OTE5MTNmM2M0YTAyNDdjZTc4ZDQxMmE2YjcyMGRkMDFhZDI1MTMxNjQyZmEyNjU5MDBhZiJ9LCJjb3ZlcmFnZSI6eyJyb290IjoiYzc5ZWZjZWNjOThjNDNjMDc0YmY5NDQwNWM2NTg4YzdiYmE0YzBmZWFjNjA5OTJiMzgxOWQ5Y2NjYWMzODc2NyIsInRpY2tldHMiOjJ9LCJjb3ZlcmVkIjpbIlQtRERUWU1NRFQiLCJULVExSkRIVkZQIl0sImNyZWF0ZWRfYXQiOiIyMDI2LTExLTI4VDEzOjA0OjQ3LjI1NjU3OSswMDowMCIsImdhdGVkIjpbMCwxLDIsMyw0XSwibW9kZWwiOiJkZW1vLXZsbSIsIm51bWJlciI6MSwicmVjaXBlIjp7ImJsaW5kIjp0cnVlLCJkaXJlY3Rpb24iOiJyZWZpbmVkIiwiZXBzaWxvbiI6MC4wNjI3NDUwOTgwMzkyMTU2OSwiZmFsc2VfcG9zaXRpdmVfcmF0ZSI6MC4wMSwiZml4ZWRfdGV4dCI6bnVsbCwiZ2FtbWEiOjAuMDEsImdhbW1hX2Fic29sdXRlIjpmYWxzZSwiZ2F0ZSI6ImlkZW50aXR5IiwiZ2F0ZV9sYXllcnMiOm51bGwsImhhcm1sZXNzX3dlaWdodCI6MC4wLCJpZGVudGl0eV9zaHJpbmthZ2UiOjAuMywibGF5ZXJzIjpudWxsLCJtYXJnaW4iOjAuNzUsIm1hdGNoIjowLjAzLCJtbHBfc3RlcHMiOjMwMCwibWxwX3dpZHRoIjo2NCwibmFtZSI6ImxhY3VuYSIsIm5laWdoYm91cnMiOjMsInBnZF9zdGVwcyI6MjAsInBsYWNlbWVudCI6ImhvbGQiLCJwcm90b3R5cGVzIjo5NiwicmVmaW5lX3N0ZXBzIjoxNjAsInJobyI6MC41LCJzaHJpbmthZ2UiOjAuMDIsInN0cmVuZ3RoIjoxLjAsIndhdGNoIjp0cnVlLCJ3aGl0ZW5lcl9yYW5rIjoyNTZ9LCJyZXRhaW5fc2V0IjpudWxsLCJydW4iOiJhNDExYTU0Yi01N2IyLTQ2NzYtYmY0MS0xYjk2ZGIwZWU2MDciLCJzY2hlbWFfdmVyc2lvbiI6Mywic2hhcGVzIjp7ImRpcmVjdGlvbnMiOls1LDI1Nl0sImhlbGQiOls1LDI1Nl0sImlkZW50aXR5Lm5hbWVzLmJhc2lzIjpbNSwyNTYsMjU2XSwiaWRlbnRpdHkubmFtZXMubWVhbiI6WzUsMjU2XSwiaWRlbnRpdHkubmFtZXMucmVzdCI6WzVdLCJpZGVudGl0eS5uYW1lcy5zY2FsZXMiOls1LDI1Nl0sImlkZW50aXR5Lm5lYXIiOlsyLDJdLCJpZGVudGl0eS5wb3J0cmFpdHMuYmFzaXMiOls1LDI1NiwyNTZdLCJpZGVudGl0eS5wb3J0cmFpdHMubWVhbiI6WzUsMjU2XSwiaWRlbnRpdHkucG9ydHJhaXRzLnJlc3QiOls1XSwiaWRlbnRpdHkucG9ydHJhaXRzLnNjYWxlcyI6WzUsMjU2XSwiaWRlbnRpdHkucm93cy4wLmxlbmd0aHMiOlsyXSwiaWRlbnRpdHkucm93cy4wLm5hbWVzIjpbMiw0LDUsMjU2XSwiaWRlbnRpdHkucm93cy4wLm93biI6WzJdLCJpZGVudGl0eS5yb3dzLjAucG9ydHJhaXRzIjpbMSw1LDI1Nl0sImlkZW50aXR5LnJvd3MuMC53aG9sZSI6WzJdLCJpZGVudGl0eS5yb3dzLjEubGVuZ3RocyI6WzJdLCJpZGVudGl0eS5yb3dzLjEubmFtZXMiOlsyLDQsNSwyNTZdLCJpZGVudGl0eS5yb3dzLjEub3duIjpbMl0sImlkZW50aXR5LnJvd3MuMS5wb3J0cmFpdHMiOlsxLDUsMjU2XSwiaWRlbnRpdHkucm93cy4xLndob2xlIjpbMl0sImlkZW50aXR5LnRocmVzaG9sZHMiOlsyLDJdLCJpZGVudGl0eS50b3BpYy5iaWFzIjpbNV0sImlkZW50aXR5LnRvcGljLnRocmVzaG9sZCI6W10sImlkZW50aXR5LnRvcGljLndlaWdodHMiOls1LDI1Nl19LCJzaXRlIjp7ImJhc2VfbW9kZWwiOiJlOTNjMDk1YWU4MzQ3OGQ2YTZiZjZiMjEyZmVlY2QyYzJjMWU4YTM1OTdjMzA0MGRiMDA3MjAyNDdkZDZjZDc4IiwiZHR5cGUiOiJmbG9hdDMyIiwiaGlkZGVuX3NpemUiOjI1NiwibGF5ZXJzIjpbMCwxLDIsMyw0XSwicHJvY2Vzc29yIjoiYzE3NjU4YzYxYzlhZmZmYmQ5ZGRlYzFlZGNiN2QxMjdkZjJhZTU3N2Q3MDg3OGM1NWMzOWEyYjQwNTRlNzU0NiIsInRlbXBsYXRlIjoiYjhmNzJkYjIwMmFmYWU0MTg4NmQyYjJhZTI5NGVkOTkwNTYzNTJiOGIzZmFjZTY0MDA0ODRlNDIzYzA2ZDI3YyJ9LCJzdGF0aXN0aWNzIjoiMGEwYTdmM2M4YmIwNjEwN2EyOWRmZTgzZjNiZWMzMjU5NjA2M2E2YzcwOTMzODhjM2U5M2I0Njc4NDUwMjQ3NyIsInRlbmFudCI6ImRlZmF1bHQiLCJ0ZW5zb3JzX3NoYTI1NiI6ImNmNjk2OTJlY2E0NjAzMDE0MGY4NzQ4YjJjNGY5ZjI3ZTYyODY2MGM4ZmRjYWI5N2YyMjE0YWRhNzFlMjVmYzkiLCJ0aHJlc2hvbGQiOjAuMCwidGlja2V0cyI6W3sicm93c19zaGEyNTYiOiI2YjQzNmU1MjkzYzlmMjgwNWYxODM1MWIwODgyNzYwMjdkM2U2MDZjMTEyZDc5YjQxNzVhNDQzOWEwMGNmZDNhIiwidGlja2V0IjoiVC1ERFRZTU1EVCJ9LHsicm93c19zaGEyNTYiOiI0MTEwYzVkNTBmZDBiMzI0MGFiZGY5MDdhZGUzZTk5ZDg3NDVmMDI1OGRlOTM4YjZlNTkyMWYyODRmOTE0YTY5IiwidGlja2V0IjoiVC1RMUpESFZGUCJ9XX0=", "signatures": [{"sig": "8yoJT5Emjo2wra1fbVKiTw8k2CzVDbC1xWFoCLWU0vGFW0VxABoSgRIdlujd0XufQIz86DqNQANk8XByzzsmCw==", "keyid": "3e1f0a68ebf9daa7"}], "payloadType": "application/vnd.lacuna.eraser+json"}	\\x96dea4f7ceed3bf496cfb63c117c524460eb4707dd15bee7300c28b5ded014c3daeb5b6a963ce2ac	2026-11-28 13:04:47.745483+00	c79efcecc98c43c074bf94405c6588c7bba4c0feac60992b3819d9cccac38767
\.


--
-- Data for Name: escalation; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.escalation (ticket_id, percent, extensions, due_at, at) FROM stdin;
\.


--
-- Data for Name: exposure; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.exposure (break_glass_id, ticket_id, started_at, ended_at) FROM stdin;
\.


--
-- Data for Name: fit_rows; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.fit_rows (model_id, ticket_id, digest, object_key, sha256, wrapped_key, created_at) FROM stdin;
demo-vlm	T-DDTYMMDT	0a0a7f3c8bb06107a29dfe83f3bec32596063a6c7093388c3e93b46784502477	rows/default/demo-vlm/T-DDTYMMDT/0a0a7f3c8bb06107a29dfe83f3bec32596063a6c7093388c3e93b46784502477.a411a54b.1	e6a068211dd7df64533dadf2fcb5099299b53bfe27bca2532578ecbf54489d60	\\x44eba29a24409ee36aa7c76af33957878952a02814b3791a9b872cf7aa28f71484b0100eba7b0501	2026-11-28 13:04:40.497551+00
demo-vlm	T-Q1JDHVFP	0a0a7f3c8bb06107a29dfe83f3bec32596063a6c7093388c3e93b46784502477	rows/default/demo-vlm/T-Q1JDHVFP/0a0a7f3c8bb06107a29dfe83f3bec32596063a6c7093388c3e93b46784502477.a411a54b.1	7e6fe8142c39201939a4dc09575b2c81dc77635cf33a52abc1fee772290f304a	\\x240c9df54a5fa95a53c66b8532dc677bc16e0a3f2bd5c9e040244de7768d36134378517b3822a541	2026-11-28 13:04:46.815341+00
\.


--
-- Data for Name: idempotency_key; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.idempotency_key (tenant_id, owner, key, request_sha256, status, headers, body, created_at) FROM stdin;
\.


--
-- Data for Name: import_job; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.import_job (id, tenant_id, owner, format, dry_run, status, object_key, wrapped_key, rows, done, accepted, refused, error, correlation, created_at, finished_at) FROM stdin;
d65090ae-89bb-489d-bc7c-3fdc00a410d8	default	olivia	csv	f	succeeded	imports/default/d65090ae-89bb-489d-bc7c-3fdc00a410d8	\N	2	2	1	1	\N	399ad01c8a234c088c1be1676bcc5a8e	2026-11-28 13:02:16.138828+00	2026-11-28 13:02:16.54225+00
\.


--
-- Data for Name: import_row; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.import_row (job_id, number, ticket_id, problem) FROM stdin;
d65090ae-89bb-489d-bc7c-3fdc00a410d8	1	T-YW6ZYHH2	\N
d65090ae-89bb-489d-bc7c-3fdc00a410d8	2	\N	urgent: is yes or no.
\.


--
-- Data for Name: kit_access; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.kit_access (id, ticket_id, reason, minutes, asked_by, asked_at, allowed_by, allowed_at, expires_at, ended_by, ended_at) FROM stdin;
df2ec6c0-9433-43f2-955b-cac941d5aea6	T-DDTYMMDT	a sample	5	ada	2026-11-28 13:05:45.519735+00	rosa	2026-11-28 13:05:45.707377+00	2026-11-28 13:10:45.707377+00	rosa	2026-11-28 13:05:45.980535+00
\.


--
-- Data for Name: kit_opening; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.kit_opening (id, access_id, at, actor) FROM stdin;
1	df2ec6c0-9433-43f2-955b-cac941d5aea6	2026-11-28 13:05:45.827318+00	ada
\.


--
-- Data for Name: lifecycle_move; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.lifecycle_move (origin, target) FROM stdin;
received	under_review
received	identity_pending
under_review	identity_pending
identity_pending	under_review
under_review	approved
received	rejected
identity_pending	rejected
under_review	rejected
received	duplicate
duplicate	under_review
identity_pending	expired
approved	scheduled
failed	scheduled
deploying	scheduled
approved	fitting
scheduled	fitting
failed	fitting
regressed	fitting
approved	under_review
scheduled	under_review
fitting	under_review
failed	under_review
approved	auditing
scheduled	auditing
fitting	auditing
failed	auditing
regressed	auditing
approved	deploying
scheduled	deploying
fitting	deploying
auditing	deploying
failed	deploying
regressed	deploying
deploying	completed
approved	failed
scheduled	failed
fitting	failed
auditing	failed
deploying	failed
failed	approved
received	withdrawn
identity_pending	withdrawn
under_review	withdrawn
approved	withdrawn
scheduled	withdrawn
fitting	withdrawn
auditing	withdrawn
deploying	withdrawn
completed	withdrawn
failed	withdrawn
regressed	withdrawn
completed	regressed
\.


--
-- Data for Name: log_checkpoint; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.log_checkpoint (size, root, note, at) FROM stdin;
14	\\x932bdb08effd8f8bcc1755e9a3525b2732c676003ccbffd9e2f5f9bdcce9a331	lacuna.log\n14\nkyvbCO/9j4vMF1Xpo1JbJzLGdgA8y//Z4vX5vczpozE=\n\n— lacuna.log VpkDOVOFy/ac49SjZBROMSgMkKKmZEpnP1fRpWvMMBqH7Ewttm0u6DPlZ6a7lXqzMHpEXR61OGleWuNjlXZIZMEExgY=\n	2026-11-28 13:02:10.653207+00
15	\\x40ee497f96e62442ee478012b00b92658f030488a7392c3920e645855739d7c4	lacuna.log\n15\nQO5Jf5bmJELuR4ASsAuSZY8DBIinOSw5IOZFhVc518Q=\n\n— lacuna.log VpkDOZ/sy/9cx6VMIyT3tsPqOMgqamJDHV163FFiMnP4+Guh6gDCMxNmwj2c8jQaeJw+SgKKkzr047A0fBqMgbOingA=\n	2026-11-28 13:02:12.209149+00
16	\\xb18be33ea013834271d1b1115779481e32950b8914ead7c89f9cb8acf3f555ff	lacuna.log\n16\nsYvjPqATg0Jx0bERV3lIHjKVC4kU6tfIn5y4rPP1Vf8=\n\n— lacuna.log VpkDOdGMCHpT+5w2Fm6PteBwa/nNC1jkBg70J+KPwzBin7z2yekaPtVP0Oi6uLdgMWuf5KA4cv+3Gz0ao2155732tgM=\n	2026-11-28 13:02:15.299767+00
19	\\x587a8eb16b698b0d0f072730c13e7a3faa2ca551f6d436b19a16a34b6e55bb4d	lacuna.log\n19\nWHqOsWtpiw0PBycwwT56P6ospVH21DaxmhajS25Vu00=\n\n— lacuna.log VpkDOSmlcPKDQiRSmemqMtgR6ImUbCpR4CgSY074C7TWyE/V3aM3WcAS0w+glatJoBFPT2KkPktzHJe1ZMQr5JGYlww=\n	2026-11-28 13:02:16.865232+00
20	\\x7f6275ed0079080c508ef033f67677755055b55f372d1c89bd39ddda55fd79cf	lacuna.log\n20\nf2J17QB5CAxQjvAz9nZ3dVBVtV83LRyJvTnd2lX9ec8=\n\n— lacuna.log VpkDOYpI0b/Ik6oY/WHQXoLC0XfcLjAoZJ3YRA73Wl6QhoBkvx2SwhB8e53m9g07L9UIPL9hQ2fLvpkeYp31FnFcugg=\n	2026-11-28 13:03:40.234112+00
22	\\xd7a7c53972ad219da64b134d6ee514c6873a2b44959d26205618f53a6e345c71	lacuna.log\n22\n16fFOXKtIZ2mSxNNbuUUxoc6K0SVnSYgVhj1Om40XHE=\n\n— lacuna.log VpkDOQQ7WON8zPbhVma2CsrK4OZ2hUyx2nUgcM+4lnvNKrgTbyl7RcP74AKBJX4LcrH2MjDtwnh7pENUIKnKrUJj3Qk=\n	2026-11-28 13:04:31.155075+00
26	\\xba23521e29725f73a7f8ba356a76a2d4c95c5edd294fb52b0c6dcb1368eb8656	lacuna.log\n26\nuiNSHilyX3On+Lo1anai1MlcXt0pT7UrDG3LE2jrhlY=\n\n— lacuna.log VpkDOU50JMQDsubxJXW6GNQXqqEKlOETU8nvO7VJa5zQ01u2Cp5bOsBmR24rhjNyOTTAK9wSqousXXXMnVRgIah1GgI=\n	2026-11-28 13:04:32.001889+00
31	\\xaaa6ded8fec19dcd946e816d744e19c03896f9a994cd4cc7ae18ba3f36a638b8	lacuna.log\n31\nqqbe2P7Bnc2UboFtdE4ZwDiW+amUzUzHrhi6PzamOLg=\n\n— lacuna.log VpkDOf0aearIBodMHLGchm5QFxWAVHSWnYTGaj9Ty36QoQbI+j5G95+4B3fySBUIFE25IyffaXR0izGP0FJP+KMxIQQ=\n	2026-11-28 13:04:32.854872+00
33	\\xf5abbd713d368664d56c60123af2f789f3f410bf1f5183d5a7a9e5726f1f8951	lacuna.log\n33\n9au9cT02hmTVbGASOvL3ifP0EL8fUYPVp6nlcm8fiVE=\n\n— lacuna.log VpkDOQEvLMiIDXz/cHtjW8yi/06t//9PO1C4CxrKxVNw2N4igX8vDfwZAipz3gTP2JuqE3KD+tBWcQC2rTCs5+TXvgs=\n	2026-11-28 13:04:34.667285+00
36	\\x2b6854a29b341f6eee1d9631ea43f0de5c2677e85b12c57a0f4c9c406aae148e	lacuna.log\n36\nK2hUops0H27uHZYx6kPw3lwmd+hbEsV6D0ycQGquFI4=\n\n— lacuna.log VpkDOQsiRv03fMe/fGQkuvBjjRzcHxTaVE+7cCHZNs3bPUzSZbnzXg9yqB9C8csZmn30yYi1J6NPsN54+nQ88E82QQY=\n	2026-11-28 13:04:48.269287+00
40	\\x6a245aff5ca35dbd14ac791a6b914975cda1b8a58ad832ebd6ce6026038ea0b4	lacuna.log\n40\naiRa/1yjXb0UrHkaa5FJdc2huKWK2DLr1s5gJgOOoLQ=\n\n— lacuna.log VpkDOXPYqQadkwVsVJ8GBMJ3rsAgxk0y4w3qTC47LVcs7764WDcUsb0ZOraX29NqgIBngXw+EbtuOx8VK+F1XPde6Ag=\n	2026-11-28 13:05:38.650094+00
46	\\x557fddda4f768178f2297a2651dcef521e26ee097a0c2f802d6490d7baec3e71	lacuna.log\n46\nVX/d2k92gXjyKXomUdzvUh4m7gl6DC+ALWSQ17rsPnE=\n\n— lacuna.log VpkDOZpy9zFmpdJ9FRAtGtMTD03HAWRv0N4KMLeGYhpNzMRRC6GGRxqGbTmZVCFsr3FF2tI+swVbG/lYtN828m9X1gc=\n	2026-11-28 13:05:39.71808+00
48	\\x505de0041d3982076e8f0d9eb5a96983db6cbf285cde7dcb420af6044a14f184	lacuna.log\n48\nUF3gBB05ggdujw2etalpg9tsvyhc3n3LQgr2BEoU8YQ=\n\n— lacuna.log VpkDOZ1m3GSG9GyHx4pmeESZ3hwyGNoCEy+H9zsEFsvnD1BoGURhrBM6Bofy7M2X0HTNfYkdN7W7XI+rMjyMtaExHQs=\n	2026-11-28 13:05:40.791628+00
50	\\x846965f198d9d3b7c957abdfde5f220a1ae65aba25a4297798341c9f8a48a260	lacuna.log\n50\nhGll8ZjZ07fJV6vf3l8iChrmWrolpCl3mDQcn4pIomA=\n\n— lacuna.log VpkDOfsVFgSr/ciNC+/1KFkX+B6D6TGmqwV52IZWU0LoDigZcQo6SyL492Ht7Dv0rpQWBNQi/iCbsD67Q2xvT2tewQw=\n	2026-11-28 13:05:42.817049+00
51	\\x5091c5326aa9fb8cc3b963a4beba9109ec7def234a78de469aa000a22e7e81b3	lacuna.log\n51\nUJHFMmqp+4zDuWOkvrqRCex97yNKeN5GmqAAoi5+gbM=\n\n— lacuna.log VpkDOTo/MG1w5gwLSmpf8RNa85PbrFgky4ihkjwLyLT0PecSX9DPnRqIgNXoESNNwjsW2gF5wQvgBq349lgxcEa5Fgs=\n	2026-11-28 13:05:45.568548+00
55	\\x1102a7cfbb7414c2b7fe50593a39782891249268d8544f92b8ab36cbbf67890b	lacuna.log\n55\nEQKnz7t0FMK3/lBZOjl4KJEkkmjYVE+SuKs2y79niQs=\n\n— lacuna.log VpkDOTXAKM8sEOQHvds7JIGIqWbSSxqVzgPrlFvg0ey6B4/bb9iNTQ3MFAJoF9s8hAflzFFUou6nxp87ISCvMR1xqg0=\n	2026-11-28 13:05:46.350695+00
\.


--
-- Data for Name: log_leaf; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.log_leaf (id, at, actor, kind, subject, detail, "position", leaf_hash) FROM stdin;
1	2026-11-28 13:02:06.552938+00	olivia	ticket.received	T-29MTSM3X	{"version": 1}	0	\\x044980f92f181e32b084d6d4da84ec9a636adbd8bca2b4264675882fd21d03c1
2	2026-11-28 13:02:06.552938+00	olivia	ticket.under_review	T-29MTSM3X	{"version": 2}	1	\\x68bd9ac6733df8f5b2fb3a89094dec24382c47555ec8ac856a4d69ad4a43affb
3	2026-11-28 13:02:06.727489+00	olivia	ticket.identity_pending	T-29MTSM3X	{"version": 3}	2	\\x9a1fadb5ca68758181ab249dd70918ace95723ffb4a5261f15ef35357c9122c2
4	2026-11-28 13:02:06.97181+00	olivia	ticket.under_review	T-29MTSM3X	{"version": 4}	3	\\x35e582038e05a7759d74cdc1f81ac09a4357fa07d9191e53ce72f863adc2bd82
5	2026-11-28 13:02:07.225613+00	olivia	ticket.clock.extended	T-29MTSM3X	{"version": 5}	4	\\xb221208c66219405bca033f9da808d7b59f3f8b46cc3fc47409e7127b40ffb13
6	2026-11-28 13:02:07.332269+00	olivia	ticket.received	T-ER5NJAKW	{"version": 1}	5	\\x9f8925d9b9d78e6851e12faadf6a750e754db04b86177a9dcf167a65992500b2
7	2026-11-28 13:02:07.332269+00	olivia	ticket.under_review	T-ER5NJAKW	{"version": 2}	6	\\x4864fa8561315c90c6a8e57be9b5e53e63936feca3cb5050f2fff6bd9caa8c17
8	2026-11-28 13:02:07.477747+00	olivia	ticket.rejected	T-ER5NJAKW	{"version": 3}	7	\\x3e1a3e389f4879b823be1d8c3940da54b2717a0b72a33b5bbde594edcfcfdc59
9	2026-11-28 13:02:07.625546+00	olivia	ticket.received	T-389F1N7S	{"version": 1}	8	\\x6c1701d52eea9035a242000601678e1542ab8c720c5b0e37c764daeac5f13f66
10	2026-11-28 13:02:07.625546+00	olivia	ticket.under_review	T-389F1N7S	{"version": 2}	9	\\xd68a056bb07ad1836c226cddaa07f0694a07e587870374e3307d03fbfd38bb61
11	2026-11-28 13:02:07.757423+00	olivia	ticket.hold.set	T-389F1N7S	{"version": 3}	10	\\xbc28d8c511ad615a43450d7999234d981e014653350dabe3b2874c7a56e24f49
12	2026-11-28 13:02:07.957596+00	olivia	ticket.hold.release_asked	T-389F1N7S	{"version": 4}	11	\\x9b24131b88c6b7e0316ce911537a0ce19a2abfbb6ef722da75b03bc9f5e12fdb
13	2026-11-28 13:02:10.441712+00	clerk	payload.destroyed	T-ER5NJAKW	{"object": "payloads/default/T-ER5NJAKW", "sha256": "db34235dbf135e1fbaf8e04f8fb0082dad87a8315c7f9cf2cf0ee609e2afe243"}	12	\\x0062368b59d896479f0a9bd4fd65a5784168b3155412725fc8b73a331c3230c8
14	2026-11-28 13:02:10.486422+00	clerk	payload.removed	T-ER5NJAKW	{"object": "payloads/default/T-ER5NJAKW"}	13	\\x22146b9b76b3ce2703600f049f89f1748714d1d6f7f4e06bf986d7d66247a293
15	2026-11-28 13:02:11.625172+00	rosa	webhook.created	1a7d22f0-85f6-4f51-8d29-bd9940b085b9	{}	14	\\xebfdc4bf02d3412927be8e983648cb6be1d698333adc17b17c5aa8418b9fa543
16	2026-11-28 13:02:15.174971+00	rosa	key.created	e5b90147-80e4-4ea4-a0f3-911fc1f87c72	{"roles": ["officer"], "scopes": []}	15	\\x7933d1aa07e21bc96508ea7f06c2d16bbde6b8e276be13e1a24887cd4cf8a966
17	2026-11-28 13:02:16.139109+00	olivia	import.ordered	d65090ae-89bb-489d-bc7c-3fdc00a410d8	{"rows": 2, "dry_run": false}	16	\\x5994ef18bce4e0074394289018ea53209809dc4c207acc0e62c6e0670bae2bdd
18	2026-11-28 13:02:16.481297+00	olivia	ticket.received	T-YW6ZYHH2	{"version": 1}	17	\\x6cfd2a923ec455284aabf0156ed994d19177ef282541762c85836899db04ec52
19	2026-11-28 13:02:16.481297+00	olivia	ticket.under_review	T-YW6ZYHH2	{"version": 2}	18	\\x054be7291f670140c8b9454433e1e3bdc2ece735bc7f97835cc904a95ba78d4a
20	2026-11-28 13:03:39.331476+00	refit	eraser.published	demo-vlm/0	{"run": "50d3921d-8119-4439-a5f2-b38f13a2fc4f", "recipe": "lacuna", "sha256": "cf428cf5f313832c1378c779715526d92dcb187540e5bcdf4fa00f355feed883", "tickets": {}, "coverage_root": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}	19	\\xdf59e18ebd9c0e2da4e1bebb8fc83e49f447471fa54ab141dc70cded1804c83e
21	2026-11-28 13:04:30.435146+00	audit	audit.passed	e3e2b0c0-9afe-4120-a8f0-89866c59832a	{"reasons": []}	20	\\xb4240cccc30ee34e9b8709e57a63a56b75e4ee6703216df9965786f439e021f6
22	2026-11-28 13:04:30.953954+00	clerk	eraser.promoted	demo-vlm/0	{"kind": "automatic", "generation": 1}	21	\\x0125a9882431ad1088936fceba791347bca03d2377d9d4ab95b69fba4072d2af
23	2026-11-28 13:04:31.729497+00	olivia	ticket.received	T-DDTYMMDT	{"version": 1}	22	\\x9f9f7c919f4328f100109e63d29f353e5922441a9bf3d62306130723cb6ed813
24	2026-11-28 13:04:31.729497+00	olivia	ticket.under_review	T-DDTYMMDT	{"version": 2}	23	\\xc66a5b761999c92f86e749780bdfec55016377229e8847239a167a6604fc2700
25	2026-11-28 13:04:31.825601+00	olivia	ticket.received	T-Q1JDHVFP	{"version": 1}	24	\\xa1f9356ea24e2620011f96770c3944654dc8fa316708ebd5fc1fb69a491579a3
26	2026-11-28 13:04:31.825601+00	olivia	ticket.under_review	T-Q1JDHVFP	{"version": 2}	25	\\x2574791b28e00841b8478f3b164862d9189e5ecd6db7e8544eec74736a521b8b
27	2026-11-28 13:04:31.950989+00	olivia	ticket.identity.verified	T-DDTYMMDT	{"version": 3}	26	\\x15dfc4e00d06ea0f0c6847fa89eba5db2205bf14d98957f4e0d7832411990270
28	2026-11-28 13:04:32.175315+00	olivia	ticket.identity.verified	T-Q1JDHVFP	{"version": 3}	27	\\x389a7131030e0b4ad886df54f6cee45dad5eafb15710b7c82b3af1b1c79d6438
29	2026-11-28 13:04:32.461381+00	adam	ticket.approved	T-DDTYMMDT	{"version": 4}	28	\\xafc259342120f6cd6f9bcfb4ebd478fe5a8a08ef7b42176d8179dd3494bf1fa5
30	2026-11-28 13:04:32.641291+00	adam	ticket.approved	T-Q1JDHVFP	{"version": 4}	29	\\x7404fd7e658093ef2347d0c700308e7e4e5560f6bb4775b1e3aa3b219861a0ae
31	2026-11-28 13:04:32.661304+00	adam	ticket.scheduled	T-Q1JDHVFP	{"version": 5}	30	\\xd308ac32d670eb1e1bbfb22d23f62e623eafba5a25dc6664d866f49a7bdd0ac2
32	2026-11-28 13:04:34.38696+00	clerk	ticket.fitting	T-DDTYMMDT	{"version": 5}	31	\\x29729d119c08b335b615b6dc72ba477ddd763c6be024c5178909a4ca83a5b4cd
33	2026-11-28 13:04:34.444161+00	clerk	ticket.fitting	T-Q1JDHVFP	{"version": 6}	32	\\x9abbc1e0011d0e9749da6e15749cce71184ab11d50acd64e472fae2372902c43
34	2026-11-28 13:04:47.745483+00	refit	eraser.published	demo-vlm/1	{"run": "a411a54b-57b2-4676-bf41-1b96db0ee607", "recipe": "lacuna", "sha256": "81c1ca022de6c1439f6f75ab78a235c7ea21cd631387aeab7229449584236238", "tickets": {"T-DDTYMMDT": "6b436e5293c9f2805f18351b088276027d3e606c112d79b4175a4439a00cfd3a", "T-Q1JDHVFP": "4110c5d50fd0b3240abdf907ade3e99d8745f0258de938b6e5921f284f914a69"}, "coverage_root": "c79efcecc98c43c074bf94405c6588c7bba4c0feac60992b3819d9cccac38767"}	33	\\xc65e7a911d63197e6c004736d44a4a51c043f182ee90a171ede2e0c2206a4e0d
35	2026-11-28 13:04:47.991987+00	clerk	ticket.auditing	T-DDTYMMDT	{"version": 6}	34	\\x37956a0223ed5a73aa6143e985113b5241db86e63d12bf0d5bf56e12d3d008d5
36	2026-11-28 13:04:48.053482+00	clerk	ticket.auditing	T-Q1JDHVFP	{"version": 7}	35	\\x2ed48334cc45008a3cf4ddc9b4e48910b15a05aec99b31c1b86c42521e3339d6
37	2026-11-28 13:05:38.347759+00	audit	audit.passed	6c910f07-cacb-471b-9630-8cf52c8944f5	{"reasons": []}	36	\\x47b1ee4074ed46c4e1cf6f3be5ea997f5508a9d0ad3f90889a0d4f83e89c6384
38	2026-11-28 13:05:38.441529+00	clerk	eraser.promoted	demo-vlm/1	{"kind": "automatic", "generation": 2}	37	\\x04151484f8bbeb87d6740c713e6f57548d53b9d881000f03237d48143662238f
39	2026-11-28 13:05:38.488912+00	clerk	ticket.deploying	T-DDTYMMDT	{"version": 7}	38	\\xead4f35c49d0fa570f62a550ea9c5c04b5721bae28cb8b9d8e5d27f33805f0cd
40	2026-11-28 13:05:38.513942+00	clerk	ticket.deploying	T-Q1JDHVFP	{"version": 8}	39	\\xffb0d72ee84fd8ef9a023e15a524836a61f7d0b7674b8191d64c309e5d2ea20c
48	2026-11-28 13:05:40.071706+00	clerk	certificate.issued	T-Q1JDHVFP	{"number": 1, "reason": "completed", "sha256": "ecbe65cb867834d33ccabee840be49e824afadf370ec7368c947bcf8bd7bda92"}	47	\\x6980652f8e9a8d09550764086034c122ad9ab7e7a3fbb332069ad756502d8dd6
45	2026-11-28 13:05:39.644634+00	clerk	payload.removed	T-DDTYMMDT	{"object": "payloads/default/T-DDTYMMDT"}	44	\\xb364fdf4408b4c99bb52787602032d890f3a1e1a67bcc8057099ac040951d47b
46	2026-11-28 13:05:39.660631+00	clerk	payload.removed	T-Q1JDHVFP	{"object": "payloads/default/T-Q1JDHVFP"}	45	\\x34bdde6b3a51b397f0a094d5bcf93f3fe914f1dafbabe839af90520d70b81c04
41	2026-11-28 13:05:39.40726+00	clerk	ticket.completed	T-Q1JDHVFP	{"version": 9}	40	\\xd068b03bf99189449499a591f91baa215004f020348772aecd1efb689bda4498
42	2026-11-28 13:05:39.432295+00	clerk	ticket.completed	T-DDTYMMDT	{"version": 8}	41	\\x89954eabfedd9469ed8959aed57e6475e31bb487ca15a1e547c14612c222fefe
43	2026-11-28 13:05:39.574525+00	clerk	payload.destroyed	T-Q1JDHVFP	{"object": "payloads/default/T-Q1JDHVFP", "sha256": "34bf022ba2b2236ec0e8971738740d38587998d1eca25dd2c462814f65f7e95d"}	42	\\xa7a8abd41b3fbd610c40ce87c051cf4e252e32599c3cf9696b9adf432ccffa3a
44	2026-11-28 13:05:39.616374+00	clerk	payload.destroyed	T-DDTYMMDT	{"object": "payloads/default/T-DDTYMMDT", "sha256": "8793a7d48a63a8f63052f62912944462ec26b25dc930e0fb81e5df460ce85c6c"}	43	\\xaa8e95e2f9f75c4bb59d6137fec1746d33cc1c755c9bb77d99d6519de1d012e0
47	2026-11-28 13:05:39.964652+00	clerk	certificate.issued	T-DDTYMMDT	{"number": 1, "reason": "completed", "sha256": "d5c9f372f9710afffd60420a2e217d68e7dad9ae2d14044f5460f83ad4bfe6c9"}	46	\\x7648b4491f5b237415f62e70e2c4a36273cef1354a671cf301b43fcde01ab4ef
49	2026-11-28 13:05:42.527816+00	olivia	retain.added	demo-vlm/1	{"digest": "a26022205a787fd933eeeb8b53a997440813dd05936b2a255d57f45ddc24356d"}	48	\\xe03242b0fb85666e06cae873f92a3b9d451678fb00585ebf1e9c02f90ca358dc
50	2026-11-28 13:05:42.555808+00	olivia	retain.used	demo-vlm/1	{"number": 1}	49	\\x38a068d731a09f56f7b8d440144543e952de19a4a4ca1a723f812015309efdae
51	2026-11-28 13:05:44.913006+00	olivia	retain.used	demo-vlm/0	{"number": 0}	50	\\xd79bebb5a6453b00fc5855ae537fa60ac70e0a073166721c55e56386c6ab5102
52	2026-11-28 13:05:45.531572+00	ada	kit.asked	T-DDTYMMDT	{"access": "df2ec6c0-9433-43f2-955b-cac941d5aea6", "minutes": 5}	51	\\xa4b920bce9e10b91cbe004ab881e7977f88ddd4211488540d4d8046a1e80b8b9
53	2026-11-28 13:05:45.717686+00	rosa	kit.allowed	T-DDTYMMDT	{"access": "df2ec6c0-9433-43f2-955b-cac941d5aea6", "expires_at": "2026-11-28T13:10:45.707377+00:00"}	52	\\x8d058a5c1efa80e58899ba551f917e605fa5d5fe096324ac1b1dd3c042b8c0a7
54	2026-11-28 13:05:45.84198+00	ada	kit.opened	T-DDTYMMDT	{"access": "df2ec6c0-9433-43f2-955b-cac941d5aea6", "sha256": "e04cf617e0b694448a1ea1b6c0da59888e70eb7675abfabf3ea99645f6f05aed"}	53	\\x55eb240a40b5ecd0d55e9bcd1e9d8d69c06d4bb0b5f2a67f1686046d5f6ec987
55	2026-11-28 13:05:45.986039+00	rosa	kit.ended	T-DDTYMMDT	{"access": "df2ec6c0-9433-43f2-955b-cac941d5aea6"}	54	\\xb823fe008c8edcf8a3f8b013148f3bed8f2bb561ade6f5332d231be23c3faad3
\.


--
-- Data for Name: log_timestamp; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.log_timestamp (size, token, attested_at, made_at) FROM stdin;
\.


--
-- Data for Name: model; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.model (id, tenant_id, source, created_at) FROM stdin;
demo-vlm	default	/tmp/wt/upgrade/models/demo-vlm	2026-11-28 13:01:52.337444+00
\.


--
-- Data for Name: outbox; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.outbox (id, queue, task, kwargs, created_at, published_at, attempts, correlation) FROM stdin;
50d3921d-8119-4439-a5f2-b38f13a2fc4f	refit	lacuna.refit	{"run": "50d3921d-8119-4439-a5f2-b38f13a2fc4f", "kind": "initial", "model": "demo-vlm"}	2026-11-28 13:01:52.367584+00	2026-11-28 13:02:10.16495+00	1	\N
e3e2b0c0-9afe-4120-a8f0-89866c59832a	audit	lacuna.audit	{"audit": "e3e2b0c0-9afe-4120-a8f0-89866c59832a", "version": "32ea83e5-37b1-4c6c-9655-1479e893240c"}	2026-11-28 13:03:39.331476+00	2026-11-28 13:03:39.905001+00	1	4c53667b3f9148bea1d07bdcb6bbb013
a411a54b-57b2-4676-bf41-1b96db0ee607	refit	lacuna.refit	{"run": "a411a54b-57b2-4676-bf41-1b96db0ee607", "kind": "urgent", "model": "demo-vlm"}	2026-11-28 13:04:32.661052+00	2026-11-28 13:04:33.453257+00	1	4aaa123756d0435a9b59c01f394e63c1
6c910f07-cacb-471b-9630-8cf52c8944f5	audit	lacuna.audit	{"audit": "6c910f07-cacb-471b-9630-8cf52c8944f5", "version": "04b97f26-3caa-4131-8420-1abeca339ba7"}	2026-11-28 13:04:47.745483+00	2026-11-28 13:04:47.88907+00	1	4aaa123756d0435a9b59c01f394e63c1
\.


--
-- Data for Name: promotion; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.promotion (id, model_id, generation, version_id, kind, actor, at) FROM stdin;
1	demo-vlm	1	32ea83e5-37b1-4c6c-9655-1479e893240c	automatic	clerk	2026-11-28 13:04:30.937091+00
2	demo-vlm	2	04b97f26-3caa-4131-8420-1abeca339ba7	automatic	clerk	2026-11-28 13:05:38.425603+00
\.


--
-- Data for Name: pulse; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.pulse (name, at) FROM stdin;
refit	2026-11-28 13:05:52.108059+00
clerk	2026-11-28 13:05:53.711454+00
relay	2026-11-28 13:05:53.711459+00
sequencer	2026-11-28 13:05:53.71146+00
audit	2026-11-28 13:05:48.406105+00
\.


--
-- Data for Name: refit_run; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.refit_run (id, model_id, kind, period, status, stage, attempt, fence, lease_until, started_at, finished_at, error, version_id, seconds, progress, notes, recipe) FROM stdin;
50d3921d-8119-4439-a5f2-b38f13a2fc4f	demo-vlm	initial	\N	succeeded	publishing	1	1	\N	2026-11-28 13:02:33.054419+00	2026-11-28 13:03:39.413466+00	\N	32ea83e5-37b1-4c6c-9655-1479e893240c	{"claimed": 0.0, "fitting": 0.034, "gathering": 0.108, "assembling": 0.168, "publishing": 0.273, "finding the pull": 0.047, "reading the retain set": 65.623}	null	[]	\N
a411a54b-57b2-4676-bf41-1b96db0ee607	demo-vlm	urgent	\N	succeeded	publishing	1	1	\N	2026-11-28 13:04:33.457326+00	2026-11-28 13:04:47.769468+00	\N	04b97f26-3caa-4131-8420-1abeca339ba7	{"claimed": 0.0, "fitting": 13.119, "gathering": 0.251, "assembling": 0.359, "publishing": 0.553}	null	[]	\N
\.


--
-- Data for Name: refit_run_ticket; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.refit_run_ticket (run_id, ticket_id, outcome, at, detail) FROM stdin;
a411a54b-57b2-4676-bf41-1b96db0ee607	T-DDTYMMDT	fitted	2026-11-28 13:04:40.52135+00	\N
a411a54b-57b2-4676-bf41-1b96db0ee607	T-Q1JDHVFP	fitted	2026-11-28 13:04:46.834637+00	\N
\.


--
-- Data for Name: replica; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.replica (id, model_id, generation, version_number, state, error, lease_until, acked_at) FROM stdin;
inference-0	demo-vlm	2	1	serving	\N	2026-11-28 13:06:11.651279+00	2026-11-28 13:05:56.651279+00
\.


--
-- Data for Name: restore_acceptance; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.restore_acceptance (id, model_id, mark_sha256, mark, present, checkpoint, checkpoint_sha256, reason, asked_by, asked_at, confirmed_by, confirmed_at) FROM stdin;
\.


--
-- Data for Name: retain_choice; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.retain_choice (model_id, number, changed_by, changed_at) FROM stdin;
demo-vlm	\N	olivia	2026-11-28 13:05:44.89924+00
\.


--
-- Data for Name: retain_set; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.retain_set (model_id, number, digest, object_key, sha256, wrapped_key, seed, counts, added_by, added_at) FROM stdin;
demo-vlm	1	a26022205a787fd933eeeb8b53a997440813dd05936b2a255d57f45ddc24356d	retain/demo-vlm/000001-a26022205a787fd9.0957e62b	b5f8c395fd50a39478e50f12bf5f1866591a6bedf50204401ae7dd4c7133468d	\\x95533d8aa30d3478568b8654bea938bc067352ee750657b603d84856d000771a24b0ccc9596f5468	0	{"fit": {"people": 2, "prompts": 10, "identities": 12}, "held_out": {"people": 1, "prompts": 0, "identities": 1}, "calibration": {"people": 0, "prompts": 0, "identities": 0}}	olivia	2026-11-28 13:05:42.51754+00
\.


--
-- Data for Name: rewrap; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.rewrap (id, asked_by, asked_at, target, place, after, passes, done, total, changed, rewrapped, seen, before, unreadable, finished_at) FROM stdin;
\.


--
-- Data for Name: tenant; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.tenant (id, created_at) FROM stdin;
default	2026-11-28 13:01:52.326711+00
\.


--
-- Data for Name: ticket; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.ticket (id, tenant_id, model_id, state, review_reason, source, external_ref, subject_index, payload_key, payload_sha256, payload_wrapped_key, photos, facts, urgent, submitted_by, submitted_at, last_edited_by, decided_by, decided_at, ground, decision_code, decision_note, required_since, version, regime, calendar, zone, clock, due_at, escalate_at, acknowledged_at, identity, identity_by, identity_method, identity_at, fact_index, duplicate_of, kit_key, kit_sha256, kit_wrapped_key, kit_made_at) FROM stdin;
T-YW6ZYHH2	default	demo-vlm	under_review	\N	import	\N	{fff1756365e9d2dc044a9b26277c511edcda4d6a5b8c47783fc9a027fc954f55}	payloads/default/T-YW6ZYHH2	446254c45a71a95f8c173f7653d76c28dfc5accd5abc9e3eedbda803d997f269	\\x26739f45e22a07be187930d9d9409a19fc60e08c71865b4f422554185ef03b8d1b2e029c3a61329d	0	2	f	olivia	2026-11-28 13:02:16.441627+00	olivia	\N	\N	\N	\N	\N	\N	2	gdpr		UTC	running	2026-12-28 23:59:59+00	2026-12-13 18:31:07.740627+00	\N	assumed	\N	\N	\N	{6696a87d376f2ec6a7d432949d0e2a397b5d4ea20fd06f70967c92bbaac2552d,9fed8bf76699a38de8d7d46812910dd196b0c4e0127fbe9ac1f0f81db47d73fd}	\N	\N	\N	\N	\N
T-389F1N7S	default	demo-vlm	under_review	\N	api	\N	{b96c0563f841936bbb08de45f4d1a1ca3ea1fca60c5f5c0d524db48aa83c6573}	payloads/default/T-389F1N7S	ab9f64098f6928cf79e68bc6377e8c8b3a727647e1f7a7d1f248b9c0becd23e6	\\xa99a5fd77bf367d00db18bbea89776c039e109dd10f33c2dd0314c843fabf8aad7894844a7962296	1	10	f	olivia	2026-11-28 13:02:07.601457+00	olivia	\N	\N	\N	\N	\N	\N	4	gdpr		UTC	running	2026-12-28 23:59:59+00	2026-12-13 18:31:03.312757+00	\N	assumed	\N	\N	\N	{553516d98cbddd5508b78ab238d0800ea0d3b8dbd6d2ebfe8cbca402de17603f,35e4db0228d7380f56bf2fd82ce6992152bb277765e938be28df220dec481d19,656f198fdba88f6e3d23a1d8509308605afffc87646c88ee79060076c92725b4,c4d6d5db57f75d39d7b299d9818f8359ae82fb4882350e9d1f04a6f751dfc194,19b19205cdf1466a4bce35be2296d2e19ff9d1c4e2c2654ea1d72829c17c1673,67d15c615e0aa812040ff2a62234ffb00f5a7e090b378b107d4ede05b7853a4d,3c96a0c643c31a88c21311e5b779e942a165b3d0f218ee37a8576304581fb9fe,33f04f27b32777a22b2fff0880c9e36688d8c0309d64da381a88f9072a39fbfe,319b72a1079d89c600e555f43065da30f4e87143c0a54b8d17c131c0115bc04c,130932fa4b2f5ff88c156f13bef2212861bb452a9c46cf506aa7bbc22ae588d0}	\N	\N	\N	\N	\N
T-29MTSM3X	default	demo-vlm	under_review	\N	api	\N	{36f5501edb66f1396a83064590dc9dfd79252390f5f6a5e8c916ac01f0c724c6}	payloads/default/T-29MTSM3X	d4af877b10c6b6f1f99f1de02e6b513f34c6a159726f69f9d6c263e0da8afcbf	\\x34aa5fd39ae272ff4d76d8af0330241f915453b9ea8360af080d33ee70095f5ad6535f53ead88c35	1	10	f	olivia	2026-11-28 13:02:06.51353+00	olivia	\N	\N	\N	\N	\N	\N	5	gdpr		UTC	running	2027-03-01 23:59:59+00	2027-01-14 06:31:02.776451+00	\N	verified	olivia	id_document	2026-11-28 13:02:06.971587+00	{1d33fe1a5b31f150dadcbced4a0fe9f470fec50d0866281584d07af950923310,b46953d05d3511059b3bef971554014c24b9b0195605bd2ad6d6c2e19556188b,c30d5ddb01dbf94b3a07200ba42048f90c877317e9740227192c297dcd2e7c60,17642607acf36e0783a910de7741e5772734737e9c7bbfa5be5a4fbe019440a3,b6af54a2379e46c79067dced7b4dbfabfc1e8a949458950e96cfa46fe91090da,42a33842e8893c54b2fe41aad8f3dcf883c521b34073221a1456e1f77939ef2b,1aa1b25988627fd3e0c48dc78e354a9e6b35258c55fadae2fc47e2bfb9296b28,825050b8a1ce9d2706f6b871ce40ccc773a56fa60be198da6116705f2ca1e359,1d45a07e86cb2dd8d1400c549b0c00ed1068dd573a548cf426f8457a69b4b033,3932dd92c6b56268cebb29feb159ac70cbff215907ac06b836ac775429b1e9ac}	\N	\N	\N	\N	\N
T-ER5NJAKW	default	demo-vlm	rejected	\N	api	\N	{a9f8359880d4399b9ad0c90b7ee663f0632222ac3f1bf0bf5b2a40de3a27f1fa}	payloads/default/T-ER5NJAKW	db34235dbf135e1fbaf8e04f8fb0082dad87a8315c7f9cf2cf0ee609e2afe243	\N	1	10	f	olivia	2026-11-28 13:02:07.327076+00	olivia	olivia	2026-11-28 13:02:07.497082+00	\N	freedom_of_expression	The person stands for election.	\N	4	gdpr		UTC	stopped	2026-12-28 23:59:59+00	\N	\N	assumed	\N	\N	\N	{65886ff7f003b564e794a545c5e37ac3b90e89417bd3869de7cb528e1f8d61f8,c8bab9c9719860d97cffc17e8adf08051b1280d8a3d51790cf405cc0602261f5,70da1973e7d82d1d8e3025b5d7c32b6f3a13c18f4ebc5648956faea8efa15e83,aabfa2bd9b96d527581b081b51b698114841c17c330edc159ea2ad02b655c942,50a79d7a4a4d5574f9df481406fbb427ee0f00ce000ee62aa771c65f1bbba83c,77281d84dddfb68ff8d3bd25989c1019fc52bf66d94828e2de9c1e10a3ea58e7,b9f63c6f20eed9848de5af7014883fc5215e285c892a0ac88fc5c83484584826,750318563fbd2f3b8bd3400ef1e56edc69ad63d85740eca81378926a2912d2ad,1a3bce42f0757b7a3269a2963cc23385c15459f66d3494125ae5ebd1335997f2,0f61eca728a758752f3eb6d99fc33f64c6de896930730ceaf702da9f3d4a51be}	\N	\N	\N	\N	\N
T-DDTYMMDT	default	demo-vlm	completed	\N	api	\N	{c80154ae361527bc848f2e2cd11084072ed7054e58d3c7e949d21f84f2d796a5}	payloads/default/T-DDTYMMDT	8793a7d48a63a8f63052f62912944462ec26b25dc930e0fb81e5df460ce85c6c	\N	1	10	f	olivia	2026-11-28 13:04:31.704654+00	olivia	adam	2026-11-28 13:04:32.493021+00	consent_withdrawn	\N	\N	2026-11-28 13:05:39.425093+00	9	gdpr		UTC	stopped	2026-12-28 23:59:59+00	\N	\N	verified	olivia	account_login	2026-11-28 13:04:31.950818+00	{d434ba3a307d6c49f2cc805c738aecf4708625323bede1587aff357a06848a36,35e4db0228d7380f56bf2fd82ce6992152bb277765e938be28df220dec481d19,29567cc6ef2b289e6246be036433abb605958a67b5c9542d3320463bdac4638f,2e301f64936ab6ab9c0d189cc3f325ba85b1409fb2916f561887ffd6f382836a,d714e80d73bbd83bfaae304fb844c36687c95d02fe021286b9fb83ad3b39197f,fc3fac0e42c287c38f5340dd865f141fb20dd438728061f9644d2dc2eab83946,62c551d7a291ec69594ce63549ab5d1a30bfa18c430f80223ea586918ef156c5,1d36bfc46a3cd0cb181ec1e0c0bbceccfccd6d4255af14c865d2c68383bb5aa2,1d45a07e86cb2dd8d1400c549b0c00ed1068dd573a548cf426f8457a69b4b033,adcae1762005b9d78bcfc59a1e8f5a1147085cda84f8178d786d84746bce3f12}	\N	kits/default/T-DDTYMMDT.7864b619	e04cf617e0b694448a1ea1b6c0da59888e70eb7675abfabf3ea99645f6f05aed	\\xee6d041b8e3d0f7686c554baeae32b2e03b2b9262c9dc433a395c613f7349df03c182f0f8b8dcb3d	2026-11-28 13:05:39.613194+00
T-Q1JDHVFP	default	demo-vlm	completed	\N	api	\N	{37fd705af0a6e33bd24b366d21751133fe6a3e34919528b7a22127eefe38f7e3}	payloads/default/T-Q1JDHVFP	34bf022ba2b2236ec0e8971738740d38587998d1eca25dd2c462814f65f7e95d	\N	1	10	t	olivia	2026-11-28 13:04:31.809152+00	olivia	adam	2026-11-28 13:04:32.660961+00	consent_withdrawn	\N	\N	2026-11-28 13:05:39.38202+00	10	gdpr		UTC	stopped	2026-12-28 23:59:59+00	\N	\N	verified	olivia	account_login	2026-11-28 13:04:32.175144+00	{753a718a61269aada0024065305131faee745263d6645b0c16624ae376cab461,e181df7e553b91caad55f23c6f1ebd6504a529ed50a993ec6edc1f2cfec53eb1,feb8991fb9bcae02e7ec72ac6ccf294aa77d13ab8d122e56d74f25beb5fab7ea,275578c888192b1aee675c63291060e3f1239b671bf1f3b0977aa45062b0c983,1e43a7bce7b372b67e7764f377c3da9d6d11519c5a96629eba4d30c596adb660,f91200367089db0c8d43d9ea36eb4bdbe6b46c1891d2fc81bcb112d8c3530626,62c551d7a291ec69594ce63549ab5d1a30bfa18c430f80223ea586918ef156c5,65a07145818a2a809deea324ee0f979705883b104e1e3329fd09afe13ab947de,8096682501642f64cab774b86de74359791b4a266c065cf70f50ee3e6b323aed,130932fa4b2f5ff88c156f13bef2212861bb452a9c46cf506aa7bbc22ae588d0}	\N	kits/default/T-Q1JDHVFP.9e0db0ae	3235f0b7b43bff900c217482663a5662c69343012df25e36a40148d0cb18f6b2	\\x7fb99b521e633eb6de4eae5f459425782afce1852fa5820f3bb40b37ea2d71ec4e247f4d80ddad7d	2026-11-28 13:05:39.566931+00
\.


--
-- Data for Name: ticket_clock; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.ticket_clock (id, ticket_id, kind, at, actor, reason) FROM stdin;
1	T-29MTSM3X	received	2026-11-28 13:02:06.552902+00	olivia	\N
2	T-29MTSM3X	paused	2026-11-28 13:02:06.749165+00	olivia	another address
3	T-29MTSM3X	resumed	2026-11-28 13:02:07.001065+00	olivia	a passport
4	T-29MTSM3X	extended	2026-11-28 13:02:07.21333+00	olivia	many systems
5	T-ER5NJAKW	received	2026-11-28 13:02:07.332238+00	olivia	\N
6	T-ER5NJAKW	stopped	2026-11-28 13:02:07.461371+00	olivia	\N
7	T-389F1N7S	received	2026-11-28 13:02:07.625515+00	olivia	\N
8	T-YW6ZYHH2	received	2026-11-28 13:02:16.481254+00	olivia	\N
9	T-DDTYMMDT	received	2026-11-28 13:04:31.729463+00	olivia	\N
10	T-Q1JDHVFP	received	2026-11-28 13:04:31.825573+00	olivia	\N
11	T-Q1JDHVFP	stopped	2026-11-28 13:05:39.382087+00	clerk	\N
12	T-DDTYMMDT	stopped	2026-11-28 13:05:39.425147+00	clerk	\N
\.


--
-- Data for Name: ticket_event; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.ticket_event (id, ticket_id, at, actor, state, note, kind, detail) FROM stdin;
1	T-29MTSM3X	2026-11-28 13:02:06.552938+00	olivia	received	\N	state	\N
2	T-29MTSM3X	2026-11-28 13:02:06.552938+00	olivia	under_review	\N	state	\N
3	T-29MTSM3X	2026-11-28 13:02:06.727251+00	olivia	identity_pending	another address	state	null
4	T-29MTSM3X	2026-11-28 13:02:06.971633+00	olivia	under_review	a passport	state	null
5	T-29MTSM3X	2026-11-28 13:02:07.225441+00	olivia	under_review	until 2027-03-01: many systems	clock.extended	null
6	T-ER5NJAKW	2026-11-28 13:02:07.332269+00	olivia	received	\N	state	\N
7	T-ER5NJAKW	2026-11-28 13:02:07.332269+00	olivia	under_review	\N	state	\N
8	T-ER5NJAKW	2026-11-28 13:02:07.477566+00	olivia	rejected	The person stands for election.	state	null
9	T-389F1N7S	2026-11-28 13:02:07.625546+00	olivia	received	\N	state	\N
10	T-389F1N7S	2026-11-28 13:02:07.625546+00	olivia	under_review	\N	state	\N
11	T-389F1N7S	2026-11-28 13:02:07.757285+00	olivia	under_review	a lawsuit	hold.set	null
12	T-389F1N7S	2026-11-28 13:02:07.957428+00	olivia	under_review	it is settled	hold.release_asked	null
13	T-ER5NJAKW	2026-11-28 13:02:10.441538+00	clerk	rejected	\N	payload.destroyed	\N
14	T-YW6ZYHH2	2026-11-28 13:02:16.481297+00	olivia	received	\N	state	\N
15	T-YW6ZYHH2	2026-11-28 13:02:16.481297+00	olivia	under_review	\N	state	\N
16	T-DDTYMMDT	2026-11-28 13:04:31.729497+00	olivia	received	\N	state	\N
17	T-DDTYMMDT	2026-11-28 13:04:31.729497+00	olivia	under_review	\N	state	\N
18	T-Q1JDHVFP	2026-11-28 13:04:31.825601+00	olivia	received	\N	state	\N
19	T-Q1JDHVFP	2026-11-28 13:04:31.825601+00	olivia	under_review	\N	state	\N
20	T-DDTYMMDT	2026-11-28 13:04:31.950832+00	olivia	under_review	signed in	identity.verified	null
21	T-Q1JDHVFP	2026-11-28 13:04:32.175159+00	olivia	under_review	signed in	identity.verified	null
22	T-DDTYMMDT	2026-11-28 13:04:32.461197+00	adam	approved	consent_withdrawn	state	null
23	T-Q1JDHVFP	2026-11-28 13:04:32.641134+00	adam	approved	consent_withdrawn	state	null
24	T-Q1JDHVFP	2026-11-28 13:04:32.661213+00	adam	scheduled	\N	state	null
25	T-DDTYMMDT	2026-11-28 13:04:34.386791+00	clerk	fitting	\N	state	null
26	T-Q1JDHVFP	2026-11-28 13:04:34.444012+00	clerk	fitting	\N	state	null
27	T-DDTYMMDT	2026-11-28 13:04:47.991835+00	clerk	auditing	\N	state	null
28	T-Q1JDHVFP	2026-11-28 13:04:48.053324+00	clerk	auditing	\N	state	null
29	T-DDTYMMDT	2026-11-28 13:05:38.488764+00	clerk	deploying	\N	state	null
30	T-Q1JDHVFP	2026-11-28 13:05:38.513822+00	clerk	deploying	\N	state	null
31	T-Q1JDHVFP	2026-11-28 13:05:39.407104+00	clerk	completed	\N	state	null
32	T-DDTYMMDT	2026-11-28 13:05:39.432171+00	clerk	completed	\N	state	null
33	T-Q1JDHVFP	2026-11-28 13:05:39.574386+00	clerk	completed	\N	payload.destroyed	\N
34	T-DDTYMMDT	2026-11-28 13:05:39.616254+00	clerk	completed	\N	payload.destroyed	\N
\.


--
-- Data for Name: ticket_hold; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.ticket_hold (id, ticket_id, reason, set_by, set_at, release_asked_by, release_asked_at, released_by, released_at) FROM stdin;
e6ae1986-bd9a-4df8-9459-b17802b349f9	T-389F1N7S	a lawsuit	olivia	2026-11-28 13:02:07.757133+00	olivia	2026-11-28 13:02:07.957405+00	\N	\N
\.


--
-- Data for Name: version_ticket; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.version_ticket (version_id, ticket_id, rows_sha256) FROM stdin;
04b97f26-3caa-4131-8420-1abeca339ba7	T-DDTYMMDT	6b436e5293c9f2805f18351b088276027d3e606c112d79b4175a4439a00cfd3a
04b97f26-3caa-4131-8420-1abeca339ba7	T-Q1JDHVFP	4110c5d50fd0b3240abdf907ade3e99d8745f0258de938b6e5921f284f914a69
\.


--
-- Data for Name: webhook; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.webhook (id, tenant_id, url, events, secret, secret_key, old_secret, old_secret_key, old_until, created_by, created_at, disabled_at) FROM stdin;
1a7d22f0-85f6-4f51-8d29-bd9940b085b9	default	http://127.0.0.1:9/lacuna	{ticket.completed,ticket.rejected}	\\xba5394a45290a0b339dd0c523f8ab9809ab709214bcbe5ef4fec380aff202221ab7db8553915775504d8db717792471b8ed8f2d0a114cdf070e31038	\\xf525015840241a1592ade19b2d0d67e75cebed19e7d05d3e162630af523ba51c7757873165e297ef	\N	\N	\N	rosa	2026-11-28 13:02:11.620694+00	\N
\.


--
-- Data for Name: webhook_cursor; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.webhook_cursor (id, last_event) FROM stdin;
1	34
\.


--
-- Data for Name: webhook_delivery; Type: TABLE DATA; Schema: public; Owner: lacuna
--

COPY public.webhook_delivery (id, webhook_id, event, body, created_at, next_at, attempts, state, status, error) FROM stdin;
8d985b72-5069-4ddd-83d8-82ca1c67d29b	1a7d22f0-85f6-4f51-8d29-bd9940b085b9	ticket.completed	{"type":"ticket.completed","timestamp":"2026-11-28T13:05:39.407104+00:00","data":{"ticket":"T-Q1JDHVFP","state":"completed","actor":"clerk"}}	2026-11-28 13:05:40.728137+00	2026-11-28 13:06:16.16475+00	2	waiting	\N	Nobody answered as HTTP (ConnectionRefusedError).
03b90168-57a0-48fc-ade8-e3aa378d560a	1a7d22f0-85f6-4f51-8d29-bd9940b085b9	ticket.completed	{"type":"ticket.completed","timestamp":"2026-11-28T13:05:39.432171+00:00","data":{"ticket":"T-DDTYMMDT","state":"completed","actor":"clerk"}}	2026-11-28 13:05:40.728332+00	2026-11-28 13:06:16.185206+00	2	waiting	\N	Nobody answered as HTTP (ConnectionRefusedError).
\.


--
-- Name: kit_opening_id_seq; Type: SEQUENCE SET; Schema: public; Owner: lacuna
--

SELECT pg_catalog.setval('public.kit_opening_id_seq', 1, true);


--
-- Name: log_leaf_id_seq; Type: SEQUENCE SET; Schema: public; Owner: lacuna
--

SELECT pg_catalog.setval('public.log_leaf_id_seq', 55, true);


--
-- Name: promotion_id_seq; Type: SEQUENCE SET; Schema: public; Owner: lacuna
--

SELECT pg_catalog.setval('public.promotion_id_seq', 2, true);


--
-- Name: ticket_clock_id_seq; Type: SEQUENCE SET; Schema: public; Owner: lacuna
--

SELECT pg_catalog.setval('public.ticket_clock_id_seq', 12, true);


--
-- Name: ticket_event_id_seq; Type: SEQUENCE SET; Schema: public; Owner: lacuna
--

SELECT pg_catalog.setval('public.ticket_event_id_seq', 34, true);


--
-- Name: alarm alarm_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.alarm
    ADD CONSTRAINT alarm_pkey PRIMARY KEY (id);


--
-- Name: alembic_version alembic_version_pkc; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);


--
-- Name: api_key api_key_key_sha256_key; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_key_sha256_key UNIQUE (key_sha256);


--
-- Name: api_key api_key_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_pkey PRIMARY KEY (id);


--
-- Name: audit_run audit_run_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.audit_run
    ADD CONSTRAINT audit_run_pkey PRIMARY KEY (id);


--
-- Name: break_glass break_glass_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.break_glass
    ADD CONSTRAINT break_glass_pkey PRIMARY KEY (id);


--
-- Name: break_glass_ticket break_glass_ticket_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.break_glass_ticket
    ADD CONSTRAINT break_glass_ticket_pkey PRIMARY KEY (break_glass_id, ticket_id);


--
-- Name: certificate certificate_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.certificate
    ADD CONSTRAINT certificate_pkey PRIMARY KEY (id);


--
-- Name: certificate certificate_ticket_id_number_key; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.certificate
    ADD CONSTRAINT certificate_ticket_id_number_key UNIQUE (ticket_id, number);


--
-- Name: desired_state desired_state_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.desired_state
    ADD CONSTRAINT desired_state_pkey PRIMARY KEY (model_id);


--
-- Name: disposal disposal_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.disposal
    ADD CONSTRAINT disposal_pkey PRIMARY KEY (id);


--
-- Name: disposal disposal_ticket_id_object_key; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.disposal
    ADD CONSTRAINT disposal_ticket_id_object_key UNIQUE (ticket_id, object);


--
-- Name: eraser_version eraser_version_model_id_number_key; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.eraser_version
    ADD CONSTRAINT eraser_version_model_id_number_key UNIQUE (model_id, number);


--
-- Name: eraser_version eraser_version_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.eraser_version
    ADD CONSTRAINT eraser_version_pkey PRIMARY KEY (id);


--
-- Name: escalation escalation_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.escalation
    ADD CONSTRAINT escalation_pkey PRIMARY KEY (ticket_id, percent, extensions);


--
-- Name: exposure exposure_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.exposure
    ADD CONSTRAINT exposure_pkey PRIMARY KEY (break_glass_id, ticket_id);


--
-- Name: fit_rows fit_rows_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.fit_rows
    ADD CONSTRAINT fit_rows_pkey PRIMARY KEY (model_id, ticket_id, digest);


--
-- Name: idempotency_key idempotency_key_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.idempotency_key
    ADD CONSTRAINT idempotency_key_pkey PRIMARY KEY (tenant_id, owner, key);


--
-- Name: import_job import_job_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.import_job
    ADD CONSTRAINT import_job_pkey PRIMARY KEY (id);


--
-- Name: import_row import_row_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.import_row
    ADD CONSTRAINT import_row_pkey PRIMARY KEY (job_id, number);


--
-- Name: kit_access kit_access_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.kit_access
    ADD CONSTRAINT kit_access_pkey PRIMARY KEY (id);


--
-- Name: kit_opening kit_opening_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.kit_opening
    ADD CONSTRAINT kit_opening_pkey PRIMARY KEY (id);


--
-- Name: lifecycle_move lifecycle_move_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.lifecycle_move
    ADD CONSTRAINT lifecycle_move_pkey PRIMARY KEY (origin, target);


--
-- Name: log_checkpoint log_checkpoint_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.log_checkpoint
    ADD CONSTRAINT log_checkpoint_pkey PRIMARY KEY (size);


--
-- Name: log_leaf log_leaf_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.log_leaf
    ADD CONSTRAINT log_leaf_pkey PRIMARY KEY (id);


--
-- Name: log_timestamp log_timestamp_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.log_timestamp
    ADD CONSTRAINT log_timestamp_pkey PRIMARY KEY (size);


--
-- Name: model model_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.model
    ADD CONSTRAINT model_pkey PRIMARY KEY (id);


--
-- Name: outbox outbox_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);


--
-- Name: promotion promotion_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.promotion
    ADD CONSTRAINT promotion_pkey PRIMARY KEY (id);


--
-- Name: pulse pulse_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.pulse
    ADD CONSTRAINT pulse_pkey PRIMARY KEY (name);


--
-- Name: refit_run refit_run_model_id_kind_period_key; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.refit_run
    ADD CONSTRAINT refit_run_model_id_kind_period_key UNIQUE (model_id, kind, period);


--
-- Name: refit_run refit_run_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.refit_run
    ADD CONSTRAINT refit_run_pkey PRIMARY KEY (id);


--
-- Name: refit_run_ticket refit_run_ticket_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.refit_run_ticket
    ADD CONSTRAINT refit_run_ticket_pkey PRIMARY KEY (run_id, ticket_id);


--
-- Name: replica replica_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.replica
    ADD CONSTRAINT replica_pkey PRIMARY KEY (id, model_id);


--
-- Name: restore_acceptance restore_acceptance_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.restore_acceptance
    ADD CONSTRAINT restore_acceptance_pkey PRIMARY KEY (id);


--
-- Name: retain_choice retain_choice_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.retain_choice
    ADD CONSTRAINT retain_choice_pkey PRIMARY KEY (model_id);


--
-- Name: retain_set retain_set_model_id_digest_key; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.retain_set
    ADD CONSTRAINT retain_set_model_id_digest_key UNIQUE (model_id, digest);


--
-- Name: retain_set retain_set_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.retain_set
    ADD CONSTRAINT retain_set_pkey PRIMARY KEY (model_id, number);


--
-- Name: rewrap rewrap_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.rewrap
    ADD CONSTRAINT rewrap_pkey PRIMARY KEY (id);


--
-- Name: tenant tenant_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.tenant
    ADD CONSTRAINT tenant_pkey PRIMARY KEY (id);


--
-- Name: ticket_clock ticket_clock_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.ticket_clock
    ADD CONSTRAINT ticket_clock_pkey PRIMARY KEY (id);


--
-- Name: ticket_event ticket_event_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.ticket_event
    ADD CONSTRAINT ticket_event_pkey PRIMARY KEY (id);


--
-- Name: ticket_hold ticket_hold_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.ticket_hold
    ADD CONSTRAINT ticket_hold_pkey PRIMARY KEY (id);


--
-- Name: ticket ticket_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.ticket
    ADD CONSTRAINT ticket_pkey PRIMARY KEY (id);


--
-- Name: ticket ticket_tenant_id_source_external_ref_key; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.ticket
    ADD CONSTRAINT ticket_tenant_id_source_external_ref_key UNIQUE (tenant_id, source, external_ref);


--
-- Name: version_ticket version_ticket_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.version_ticket
    ADD CONSTRAINT version_ticket_pkey PRIMARY KEY (version_id, ticket_id);


--
-- Name: webhook_cursor webhook_cursor_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.webhook_cursor
    ADD CONSTRAINT webhook_cursor_pkey PRIMARY KEY (id);


--
-- Name: webhook_delivery webhook_delivery_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.webhook_delivery
    ADD CONSTRAINT webhook_delivery_pkey PRIMARY KEY (id);


--
-- Name: webhook webhook_pkey; Type: CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.webhook
    ADD CONSTRAINT webhook_pkey PRIMARY KEY (id);


--
-- Name: alarm_open; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE UNIQUE INDEX alarm_open ON public.alarm USING btree (name) WHERE (cleared_at IS NULL);


--
-- Name: audit_run_version; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE INDEX audit_run_version ON public.audit_run USING btree (version_id);


--
-- Name: disposal_waiting; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE INDEX disposal_waiting ON public.disposal USING btree (id) WHERE (removed_at IS NULL);


--
-- Name: idempotency_key_age; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE INDEX idempotency_key_age ON public.idempotency_key USING btree (created_at);


--
-- Name: import_job_waiting; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE INDEX import_job_waiting ON public.import_job USING btree (created_at) WHERE (status = 'waiting'::text);


--
-- Name: kit_access_newest; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE INDEX kit_access_newest ON public.kit_access USING btree (asked_at DESC);


--
-- Name: kit_opening_access; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE INDEX kit_opening_access ON public.kit_opening USING btree (access_id);


--
-- Name: log_leaf_disposed; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE INDEX log_leaf_disposed ON public.log_leaf USING btree (subject, "position") WHERE (kind = ANY (ARRAY['payload.destroyed'::text, 'payload.removed'::text, 'kit.destroyed'::text, 'kit.removed'::text, 'rows.destroyed'::text]));


--
-- Name: log_leaf_place; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE UNIQUE INDEX log_leaf_place ON public.log_leaf USING btree ("position") WHERE ("position" IS NOT NULL);


--
-- Name: log_leaf_subject; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE INDEX log_leaf_subject ON public.log_leaf USING btree (subject, kind, id DESC);


--
-- Name: log_leaf_waiting; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE INDEX log_leaf_waiting ON public.log_leaf USING btree (id) WHERE ("position" IS NULL);


--
-- Name: outbox_unpublished; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE INDEX outbox_unpublished ON public.outbox USING btree (created_at) WHERE (published_at IS NULL);


--
-- Name: refit_run_ticket_again; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE INDEX refit_run_ticket_again ON public.refit_run_ticket USING btree (ticket_id) WHERE (outcome = 'needs_resubmission'::text);


--
-- Name: rewrap_one; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE UNIQUE INDEX rewrap_one ON public.rewrap USING btree ((true)) WHERE (finished_at IS NULL);


--
-- Name: ticket_clock_ticket; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE INDEX ticket_clock_ticket ON public.ticket_clock USING btree (ticket_id, id);


--
-- Name: ticket_due; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE INDEX ticket_due ON public.ticket USING btree (tenant_id, due_at, id) WHERE (clock <> 'stopped'::text);


--
-- Name: ticket_escalate; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE INDEX ticket_escalate ON public.ticket USING btree (escalate_at) WHERE (escalate_at IS NOT NULL);


--
-- Name: ticket_event_ticket; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE INDEX ticket_event_ticket ON public.ticket_event USING btree (ticket_id, id);


--
-- Name: ticket_hold_open; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE UNIQUE INDEX ticket_hold_open ON public.ticket_hold USING btree (ticket_id) WHERE (released_at IS NULL);


--
-- Name: ticket_newest; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE INDEX ticket_newest ON public.ticket USING btree (tenant_id, submitted_at DESC, id DESC);


--
-- Name: ticket_newest_in_state; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE INDEX ticket_newest_in_state ON public.ticket USING btree (tenant_id, state, submitted_at DESC, id DESC);


--
-- Name: ticket_newest_urgent; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE INDEX ticket_newest_urgent ON public.ticket USING btree (tenant_id, submitted_at DESC, id DESC) WHERE urgent;


--
-- Name: ticket_sealed; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE INDEX ticket_sealed ON public.ticket USING btree (model_id, state) WHERE (payload_wrapped_key IS NOT NULL);


--
-- Name: ticket_state; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE INDEX ticket_state ON public.ticket USING btree (model_id, state);


--
-- Name: ticket_subject; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE INDEX ticket_subject ON public.ticket USING gin (subject_index) WITH (fastupdate=off);


--
-- Name: webhook_delivery_due; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE INDEX webhook_delivery_due ON public.webhook_delivery USING btree (next_at) WHERE (state = 'waiting'::text);


--
-- Name: webhook_delivery_log; Type: INDEX; Schema: public; Owner: lacuna
--

CREATE INDEX webhook_delivery_log ON public.webhook_delivery USING btree (webhook_id, created_at DESC);


--
-- Name: certificate append_only; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.certificate FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();


--
-- Name: eraser_version append_only; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON public.eraser_version FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();


--
-- Name: escalation append_only; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.escalation FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();


--
-- Name: kit_opening append_only; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.kit_opening FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();


--
-- Name: lifecycle_move append_only; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER append_only BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.lifecycle_move FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();


--
-- Name: log_checkpoint append_only; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.log_checkpoint FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();


--
-- Name: log_leaf append_only; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON public.log_leaf FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();


--
-- Name: log_timestamp append_only; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.log_timestamp FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();


--
-- Name: retain_set append_only; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON public.retain_set FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();


--
-- Name: ticket_clock append_only; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.ticket_clock FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();


--
-- Name: version_ticket append_only; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.version_ticket FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();


--
-- Name: log_leaf begins_unplaced; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER begins_unplaced BEFORE INSERT ON public.log_leaf FOR EACH ROW WHEN ((new."position" IS NOT NULL)) EXECUTE FUNCTION public.guard_leaf();


--
-- Name: log_checkpoint grows; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER grows BEFORE INSERT ON public.log_checkpoint FOR EACH ROW EXECUTE FUNCTION public.guard_checkpoint();


--
-- Name: break_glass guard; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.break_glass FOR EACH ROW EXECUTE FUNCTION public.guard_break_glass();


--
-- Name: break_glass_ticket guard; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER guard BEFORE INSERT ON public.break_glass_ticket FOR EACH ROW EXECUTE FUNCTION public.guard_break_glass_ticket();


--
-- Name: desired_state guard; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.desired_state FOR EACH ROW EXECUTE FUNCTION public.guard_desired_state();


--
-- Name: eraser_version guard; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER guard BEFORE INSERT ON public.eraser_version FOR EACH ROW EXECUTE FUNCTION public.guard_version();


--
-- Name: exposure guard; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER guard BEFORE UPDATE ON public.exposure FOR EACH ROW EXECUTE FUNCTION public.guard_exposure();


--
-- Name: fit_rows guard; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER guard BEFORE UPDATE ON public.fit_rows FOR EACH ROW EXECUTE FUNCTION public.guard_fit_rows();


--
-- Name: kit_access guard; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.kit_access FOR EACH ROW EXECUTE FUNCTION public.guard_kit_access();


--
-- Name: kit_opening guard; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER guard BEFORE INSERT ON public.kit_opening FOR EACH ROW EXECUTE FUNCTION public.guard_kit_opening();


--
-- Name: restore_acceptance guard; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.restore_acceptance FOR EACH ROW EXECUTE FUNCTION public.guard_acceptance();


--
-- Name: ticket guard; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.ticket FOR EACH ROW EXECUTE FUNCTION public.guard_ticket();


--
-- Name: ticket_hold guard; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.ticket_hold FOR EACH ROW EXECUTE FUNCTION public.guard_hold();


--
-- Name: ticket guard_disposal; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER guard_disposal BEFORE UPDATE ON public.ticket FOR EACH ROW EXECUTE FUNCTION public.guard_disposal();


--
-- Name: log_leaf placed_once; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER placed_once BEFORE UPDATE ON public.log_leaf FOR EACH ROW EXECUTE FUNCTION public.guard_leaf();


--
-- Name: eraser_version rewrapped_only; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER rewrapped_only BEFORE UPDATE ON public.eraser_version FOR EACH ROW EXECUTE FUNCTION public.guard_rewrap();


--
-- Name: retain_set rewrapped_only; Type: TRIGGER; Schema: public; Owner: lacuna
--

CREATE TRIGGER rewrapped_only BEFORE UPDATE ON public.retain_set FOR EACH ROW EXECUTE FUNCTION public.guard_rewrap();


--
-- Name: api_key api_key_tenant_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenant(id);


--
-- Name: audit_run audit_run_version_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.audit_run
    ADD CONSTRAINT audit_run_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.eraser_version(id);


--
-- Name: break_glass break_glass_model_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.break_glass
    ADD CONSTRAINT break_glass_model_id_fkey FOREIGN KEY (model_id) REFERENCES public.model(id);


--
-- Name: break_glass_ticket break_glass_ticket_break_glass_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.break_glass_ticket
    ADD CONSTRAINT break_glass_ticket_break_glass_id_fkey FOREIGN KEY (break_glass_id) REFERENCES public.break_glass(id);


--
-- Name: break_glass_ticket break_glass_ticket_ticket_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.break_glass_ticket
    ADD CONSTRAINT break_glass_ticket_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES public.ticket(id);


--
-- Name: break_glass break_glass_version_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.break_glass
    ADD CONSTRAINT break_glass_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.eraser_version(id);


--
-- Name: certificate certificate_ticket_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.certificate
    ADD CONSTRAINT certificate_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES public.ticket(id);


--
-- Name: certificate certificate_version_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.certificate
    ADD CONSTRAINT certificate_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.eraser_version(id);


--
-- Name: desired_state desired_state_model_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.desired_state
    ADD CONSTRAINT desired_state_model_id_fkey FOREIGN KEY (model_id) REFERENCES public.model(id);


--
-- Name: desired_state desired_state_version_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.desired_state
    ADD CONSTRAINT desired_state_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.eraser_version(id);


--
-- Name: disposal disposal_ticket_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.disposal
    ADD CONSTRAINT disposal_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES public.ticket(id);


--
-- Name: eraser_version eraser_version_model_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.eraser_version
    ADD CONSTRAINT eraser_version_model_id_fkey FOREIGN KEY (model_id) REFERENCES public.model(id);


--
-- Name: eraser_version eraser_version_run_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.eraser_version
    ADD CONSTRAINT eraser_version_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.refit_run(id);


--
-- Name: escalation escalation_ticket_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.escalation
    ADD CONSTRAINT escalation_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES public.ticket(id);


--
-- Name: exposure exposure_break_glass_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.exposure
    ADD CONSTRAINT exposure_break_glass_id_fkey FOREIGN KEY (break_glass_id) REFERENCES public.break_glass(id);


--
-- Name: exposure exposure_ticket_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.exposure
    ADD CONSTRAINT exposure_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES public.ticket(id);


--
-- Name: fit_rows fit_rows_model_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.fit_rows
    ADD CONSTRAINT fit_rows_model_id_fkey FOREIGN KEY (model_id) REFERENCES public.model(id);


--
-- Name: fit_rows fit_rows_ticket_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.fit_rows
    ADD CONSTRAINT fit_rows_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES public.ticket(id);


--
-- Name: import_job import_job_tenant_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.import_job
    ADD CONSTRAINT import_job_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenant(id);


--
-- Name: import_row import_row_job_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.import_row
    ADD CONSTRAINT import_row_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.import_job(id);


--
-- Name: kit_access kit_access_ticket_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.kit_access
    ADD CONSTRAINT kit_access_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES public.ticket(id);


--
-- Name: kit_opening kit_opening_access_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.kit_opening
    ADD CONSTRAINT kit_opening_access_id_fkey FOREIGN KEY (access_id) REFERENCES public.kit_access(id);


--
-- Name: log_timestamp log_timestamp_size_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.log_timestamp
    ADD CONSTRAINT log_timestamp_size_fkey FOREIGN KEY (size) REFERENCES public.log_checkpoint(size);


--
-- Name: model model_tenant_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.model
    ADD CONSTRAINT model_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenant(id);


--
-- Name: promotion promotion_model_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.promotion
    ADD CONSTRAINT promotion_model_id_fkey FOREIGN KEY (model_id) REFERENCES public.model(id);


--
-- Name: promotion promotion_version_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.promotion
    ADD CONSTRAINT promotion_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.eraser_version(id);


--
-- Name: refit_run refit_run_model_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.refit_run
    ADD CONSTRAINT refit_run_model_id_fkey FOREIGN KEY (model_id) REFERENCES public.model(id);


--
-- Name: refit_run_ticket refit_run_ticket_run_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.refit_run_ticket
    ADD CONSTRAINT refit_run_ticket_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.refit_run(id);


--
-- Name: refit_run_ticket refit_run_ticket_ticket_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.refit_run_ticket
    ADD CONSTRAINT refit_run_ticket_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES public.ticket(id);


--
-- Name: replica replica_model_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.replica
    ADD CONSTRAINT replica_model_id_fkey FOREIGN KEY (model_id) REFERENCES public.model(id);


--
-- Name: restore_acceptance restore_acceptance_model_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.restore_acceptance
    ADD CONSTRAINT restore_acceptance_model_id_fkey FOREIGN KEY (model_id) REFERENCES public.model(id);


--
-- Name: retain_choice retain_choice_model_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.retain_choice
    ADD CONSTRAINT retain_choice_model_id_fkey FOREIGN KEY (model_id) REFERENCES public.model(id);


--
-- Name: retain_choice retain_choice_model_id_number_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.retain_choice
    ADD CONSTRAINT retain_choice_model_id_number_fkey FOREIGN KEY (model_id, number) REFERENCES public.retain_set(model_id, number);


--
-- Name: retain_set retain_set_model_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.retain_set
    ADD CONSTRAINT retain_set_model_id_fkey FOREIGN KEY (model_id) REFERENCES public.model(id);


--
-- Name: ticket_clock ticket_clock_ticket_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.ticket_clock
    ADD CONSTRAINT ticket_clock_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES public.ticket(id);


--
-- Name: ticket ticket_duplicate_of_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.ticket
    ADD CONSTRAINT ticket_duplicate_of_fkey FOREIGN KEY (duplicate_of) REFERENCES public.ticket(id);


--
-- Name: ticket_event ticket_event_ticket_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.ticket_event
    ADD CONSTRAINT ticket_event_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES public.ticket(id);


--
-- Name: ticket_hold ticket_hold_ticket_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.ticket_hold
    ADD CONSTRAINT ticket_hold_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES public.ticket(id);


--
-- Name: ticket ticket_model_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.ticket
    ADD CONSTRAINT ticket_model_id_fkey FOREIGN KEY (model_id) REFERENCES public.model(id);


--
-- Name: ticket ticket_tenant_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.ticket
    ADD CONSTRAINT ticket_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenant(id);


--
-- Name: version_ticket version_ticket_ticket_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.version_ticket
    ADD CONSTRAINT version_ticket_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES public.ticket(id);


--
-- Name: version_ticket version_ticket_version_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.version_ticket
    ADD CONSTRAINT version_ticket_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.eraser_version(id);


--
-- Name: webhook_delivery webhook_delivery_webhook_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.webhook_delivery
    ADD CONSTRAINT webhook_delivery_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES public.webhook(id);


--
-- Name: webhook webhook_tenant_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: lacuna
--

ALTER TABLE ONLY public.webhook
    ADD CONSTRAINT webhook_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenant(id);


--
-- Name: SCHEMA public; Type: ACL; Schema: -; Owner: pg_database_owner
--

REVOKE USAGE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO lacuna_request;
GRANT USAGE ON SCHEMA public TO lacuna_refit;
GRANT USAGE ON SCHEMA public TO lacuna_audit;
GRANT USAGE ON SCHEMA public TO lacuna_inference;


--
-- Name: FUNCTION coverage_root_of(of_version uuid); Type: ACL; Schema: public; Owner: lacuna
--

REVOKE ALL ON FUNCTION public.coverage_root_of(of_version uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.coverage_root_of(of_version uuid) TO lacuna_request;


--
-- Name: FUNCTION forget_old_answers(); Type: ACL; Schema: public; Owner: lacuna
--

REVOKE ALL ON FUNCTION public.forget_old_answers() FROM PUBLIC;
GRANT ALL ON FUNCTION public.forget_old_answers() TO lacuna_request;


--
-- Name: FUNCTION merkle_root(level bytea[]); Type: ACL; Schema: public; Owner: lacuna
--

REVOKE ALL ON FUNCTION public.merkle_root(level bytea[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.merkle_root(level bytea[]) TO lacuna_request;


--
-- Name: FUNCTION uncovered_tickets(of_model text, by_version uuid); Type: ACL; Schema: public; Owner: lacuna
--

REVOKE ALL ON FUNCTION public.uncovered_tickets(of_model text, by_version uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.uncovered_tickets(of_model text, by_version uuid) TO lacuna_request;
GRANT ALL ON FUNCTION public.uncovered_tickets(of_model text, by_version uuid) TO lacuna_inference;


--
-- Name: TABLE alarm; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT ON TABLE public.alarm TO lacuna_request;


--
-- Name: COLUMN alarm.cleared_at; Type: ACL; Schema: public; Owner: lacuna
--

GRANT UPDATE(cleared_at) ON TABLE public.alarm TO lacuna_request;


--
-- Name: TABLE alembic_version; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT ON TABLE public.alembic_version TO lacuna_request;


--
-- Name: TABLE api_key; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.api_key TO lacuna_request;
GRANT SELECT ON TABLE public.api_key TO lacuna_inference;


--
-- Name: TABLE audit_run; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT ON TABLE public.audit_run TO lacuna_request;
GRANT SELECT ON TABLE public.audit_run TO lacuna_refit;
GRANT SELECT,INSERT,UPDATE ON TABLE public.audit_run TO lacuna_audit;


--
-- Name: TABLE break_glass; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT ON TABLE public.break_glass TO lacuna_request;


--
-- Name: COLUMN break_glass.confirmed_by; Type: ACL; Schema: public; Owner: lacuna
--

GRANT UPDATE(confirmed_by) ON TABLE public.break_glass TO lacuna_request;


--
-- Name: COLUMN break_glass.confirmed_at; Type: ACL; Schema: public; Owner: lacuna
--

GRANT UPDATE(confirmed_at) ON TABLE public.break_glass TO lacuna_request;


--
-- Name: COLUMN break_glass.expires_at; Type: ACL; Schema: public; Owner: lacuna
--

GRANT UPDATE(expires_at) ON TABLE public.break_glass TO lacuna_request;


--
-- Name: COLUMN break_glass.ended_at; Type: ACL; Schema: public; Owner: lacuna
--

GRANT UPDATE(ended_at) ON TABLE public.break_glass TO lacuna_request;


--
-- Name: COLUMN break_glass.ended_by; Type: ACL; Schema: public; Owner: lacuna
--

GRANT UPDATE(ended_by) ON TABLE public.break_glass TO lacuna_request;


--
-- Name: TABLE break_glass_ticket; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT ON TABLE public.break_glass_ticket TO lacuna_request;


--
-- Name: TABLE certificate; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT ON TABLE public.certificate TO lacuna_request;


--
-- Name: TABLE desired_state; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.desired_state TO lacuna_request;
GRANT SELECT ON TABLE public.desired_state TO lacuna_inference;


--
-- Name: TABLE disposal; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT ON TABLE public.disposal TO lacuna_request;


--
-- Name: COLUMN disposal.removed_at; Type: ACL; Schema: public; Owner: lacuna
--

GRANT UPDATE(removed_at) ON TABLE public.disposal TO lacuna_request;


--
-- Name: TABLE eraser_version; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT ON TABLE public.eraser_version TO lacuna_request;
GRANT SELECT,INSERT ON TABLE public.eraser_version TO lacuna_refit;
GRANT SELECT ON TABLE public.eraser_version TO lacuna_audit;
GRANT SELECT ON TABLE public.eraser_version TO lacuna_inference;


--
-- Name: COLUMN eraser_version.wrapped_key; Type: ACL; Schema: public; Owner: lacuna
--

GRANT UPDATE(wrapped_key) ON TABLE public.eraser_version TO lacuna_request;


--
-- Name: TABLE escalation; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT ON TABLE public.escalation TO lacuna_request;


--
-- Name: TABLE exposure; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT ON TABLE public.exposure TO lacuna_request;


--
-- Name: COLUMN exposure.ended_at; Type: ACL; Schema: public; Owner: lacuna
--

GRANT UPDATE(ended_at) ON TABLE public.exposure TO lacuna_request;


--
-- Name: TABLE fit_rows; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT ON TABLE public.fit_rows TO lacuna_request;
GRANT SELECT,INSERT,UPDATE ON TABLE public.fit_rows TO lacuna_refit;


--
-- Name: COLUMN fit_rows.wrapped_key; Type: ACL; Schema: public; Owner: lacuna
--

GRANT UPDATE(wrapped_key) ON TABLE public.fit_rows TO lacuna_request;


--
-- Name: TABLE idempotency_key; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT ON TABLE public.idempotency_key TO lacuna_request;


--
-- Name: TABLE import_job; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.import_job TO lacuna_request;


--
-- Name: TABLE import_row; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT ON TABLE public.import_row TO lacuna_request;


--
-- Name: TABLE kit_access; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT ON TABLE public.kit_access TO lacuna_request;


--
-- Name: COLUMN kit_access.allowed_by; Type: ACL; Schema: public; Owner: lacuna
--

GRANT UPDATE(allowed_by) ON TABLE public.kit_access TO lacuna_request;


--
-- Name: COLUMN kit_access.allowed_at; Type: ACL; Schema: public; Owner: lacuna
--

GRANT UPDATE(allowed_at) ON TABLE public.kit_access TO lacuna_request;


--
-- Name: COLUMN kit_access.expires_at; Type: ACL; Schema: public; Owner: lacuna
--

GRANT UPDATE(expires_at) ON TABLE public.kit_access TO lacuna_request;


--
-- Name: COLUMN kit_access.ended_by; Type: ACL; Schema: public; Owner: lacuna
--

GRANT UPDATE(ended_by) ON TABLE public.kit_access TO lacuna_request;


--
-- Name: COLUMN kit_access.ended_at; Type: ACL; Schema: public; Owner: lacuna
--

GRANT UPDATE(ended_at) ON TABLE public.kit_access TO lacuna_request;


--
-- Name: TABLE kit_opening; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT ON TABLE public.kit_opening TO lacuna_request;


--
-- Name: TABLE lifecycle_move; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT ON TABLE public.lifecycle_move TO lacuna_request;


--
-- Name: TABLE log_checkpoint; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT ON TABLE public.log_checkpoint TO lacuna_request;


--
-- Name: TABLE log_leaf; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT ON TABLE public.log_leaf TO lacuna_request;
GRANT INSERT ON TABLE public.log_leaf TO lacuna_refit;
GRANT INSERT ON TABLE public.log_leaf TO lacuna_audit;


--
-- Name: COLUMN log_leaf.id; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT(id) ON TABLE public.log_leaf TO lacuna_refit;
GRANT SELECT(id) ON TABLE public.log_leaf TO lacuna_audit;


--
-- Name: COLUMN log_leaf."position"; Type: ACL; Schema: public; Owner: lacuna
--

GRANT UPDATE("position") ON TABLE public.log_leaf TO lacuna_request;


--
-- Name: COLUMN log_leaf.leaf_hash; Type: ACL; Schema: public; Owner: lacuna
--

GRANT UPDATE(leaf_hash) ON TABLE public.log_leaf TO lacuna_request;


--
-- Name: TABLE log_timestamp; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT ON TABLE public.log_timestamp TO lacuna_request;


--
-- Name: TABLE model; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.model TO lacuna_request;
GRANT SELECT ON TABLE public.model TO lacuna_refit;
GRANT SELECT ON TABLE public.model TO lacuna_audit;
GRANT SELECT ON TABLE public.model TO lacuna_inference;


--
-- Name: TABLE outbox; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.outbox TO lacuna_request;
GRANT INSERT ON TABLE public.outbox TO lacuna_refit;


--
-- Name: TABLE promotion; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT ON TABLE public.promotion TO lacuna_request;


--
-- Name: TABLE pulse; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.pulse TO lacuna_request;
GRANT SELECT,INSERT,UPDATE ON TABLE public.pulse TO lacuna_refit;
GRANT SELECT,INSERT,UPDATE ON TABLE public.pulse TO lacuna_audit;


--
-- Name: TABLE refit_run; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT ON TABLE public.refit_run TO lacuna_request;
GRANT SELECT,INSERT,UPDATE ON TABLE public.refit_run TO lacuna_refit;


--
-- Name: TABLE refit_run_ticket; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT ON TABLE public.refit_run_ticket TO lacuna_request;
GRANT SELECT,INSERT,UPDATE ON TABLE public.refit_run_ticket TO lacuna_refit;


--
-- Name: TABLE replica; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT ON TABLE public.replica TO lacuna_request;
GRANT SELECT,INSERT,UPDATE ON TABLE public.replica TO lacuna_inference;


--
-- Name: TABLE restore_acceptance; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT ON TABLE public.restore_acceptance TO lacuna_request;


--
-- Name: COLUMN restore_acceptance.confirmed_by; Type: ACL; Schema: public; Owner: lacuna
--

GRANT UPDATE(confirmed_by) ON TABLE public.restore_acceptance TO lacuna_request;


--
-- Name: COLUMN restore_acceptance.confirmed_at; Type: ACL; Schema: public; Owner: lacuna
--

GRANT UPDATE(confirmed_at) ON TABLE public.restore_acceptance TO lacuna_request;


--
-- Name: TABLE retain_choice; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.retain_choice TO lacuna_request;
GRANT SELECT ON TABLE public.retain_choice TO lacuna_refit;


--
-- Name: TABLE retain_set; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT ON TABLE public.retain_set TO lacuna_request;
GRANT SELECT ON TABLE public.retain_set TO lacuna_refit;
GRANT SELECT ON TABLE public.retain_set TO lacuna_audit;


--
-- Name: COLUMN retain_set.wrapped_key; Type: ACL; Schema: public; Owner: lacuna
--

GRANT UPDATE(wrapped_key) ON TABLE public.retain_set TO lacuna_request;


--
-- Name: TABLE rewrap; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.rewrap TO lacuna_request;


--
-- Name: TABLE tenant; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.tenant TO lacuna_request;


--
-- Name: TABLE ticket; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.ticket TO lacuna_request;
GRANT SELECT ON TABLE public.ticket TO lacuna_refit;
GRANT SELECT ON TABLE public.ticket TO lacuna_audit;


--
-- Name: TABLE ticket_clock; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT ON TABLE public.ticket_clock TO lacuna_request;


--
-- Name: TABLE ticket_event; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT ON TABLE public.ticket_event TO lacuna_request;


--
-- Name: TABLE ticket_hold; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT ON TABLE public.ticket_hold TO lacuna_request;


--
-- Name: COLUMN ticket_hold.release_asked_by; Type: ACL; Schema: public; Owner: lacuna
--

GRANT UPDATE(release_asked_by) ON TABLE public.ticket_hold TO lacuna_request;


--
-- Name: COLUMN ticket_hold.release_asked_at; Type: ACL; Schema: public; Owner: lacuna
--

GRANT UPDATE(release_asked_at) ON TABLE public.ticket_hold TO lacuna_request;


--
-- Name: COLUMN ticket_hold.released_by; Type: ACL; Schema: public; Owner: lacuna
--

GRANT UPDATE(released_by) ON TABLE public.ticket_hold TO lacuna_request;


--
-- Name: COLUMN ticket_hold.released_at; Type: ACL; Schema: public; Owner: lacuna
--

GRANT UPDATE(released_at) ON TABLE public.ticket_hold TO lacuna_request;


--
-- Name: TABLE version_ticket; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT ON TABLE public.version_ticket TO lacuna_request;
GRANT SELECT,INSERT ON TABLE public.version_ticket TO lacuna_refit;
GRANT SELECT ON TABLE public.version_ticket TO lacuna_audit;
GRANT SELECT ON TABLE public.version_ticket TO lacuna_inference;


--
-- Name: TABLE webhook; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.webhook TO lacuna_request;


--
-- Name: TABLE webhook_cursor; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.webhook_cursor TO lacuna_request;


--
-- Name: TABLE webhook_delivery; Type: ACL; Schema: public; Owner: lacuna
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.webhook_delivery TO lacuna_request;


--
-- PostgreSQL database dump complete
--

\unrestrict y4OijcprWR1bIgtfwYh08BZlIYwk5xSRRfRGq4oXMc0mD8hKMn92ZMNn0cX9a0U

