-- The database of Lacuna: every table, function, trigger and grant, as the newest migration leaves it.
-- `make schema` generates this file from the migrations, so do not edit it. A test compares the two. The sentences and
-- the order come from schema_layout.toml. The file loads into an empty database in which the roles lacuna_request,
-- lacuna_control, lacuna_refit, lacuna_audit and lacuna_inference exist. No service may DELETE or TRUNCATE. Where a
-- grant
-- of SELECT or UPDATE names columns, it holds for these columns only.
--
-- Contents:
--   TENANCY (written by the request service)
--   TICKETS (written by the request service)
--   REFITS (written by the refit service)
--   ERASERS
--   AUDITS (written by the audit service)
--   RETAIN SETS (written by the request service)
--   TRANSPARENCY
--   WEBHOOKS (written by the request service)
--   IMPORTS (written by the request service)
--   REQUESTS THAT PEOPLE FILE THEMSELVES (written by the request service)
--   AUDIT KITS (written by the request service)
--   OPERATIONS
--   RECORDS THAT NEVER CHANGE
--   THE ROLLBACK GUARD
--   TICKETS, LEGAL HOLDS AND DESTROYED KEYS
--   REQUESTS THAT NEED A SECOND PERSON
--   WHO WORKS WITH LACUNA
--   ANNOUNCED CHANGES
--   THE ONE DELETION
--   STATISTICS

REVOKE USAGE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO lacuna_request;
GRANT USAGE ON SCHEMA public TO lacuna_refit;
GRANT USAGE ON SCHEMA public TO lacuna_audit;
GRANT USAGE ON SCHEMA public TO lacuna_inference;
GRANT USAGE ON SCHEMA public TO lacuna_control;

-- =====================================================================================================================
-- TENANCY (written by the request service)
--
-- Who uses this installation, with which keys, and which models are served.
-- =====================================================================================================================

-- An organisation that uses this installation. Its first people are added before `set_up_at`, all others by two
-- administrators.
CREATE TABLE tenant (
    id text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    set_up_at timestamptz,
    CONSTRAINT tenant_pkey PRIMARY KEY (id)
);
-- The trigger guard runs guard_tenant(): see "WHO WORKS WITH LACUNA".
GRANT SELECT, INSERT, UPDATE (set_up_at) ON tenant TO lacuna_request;
GRANT SELECT ON tenant TO lacuna_control;

-- Somebody who works with Lacuna, a human or a program. `roles` bounds what each key and token of the person may do.
CREATE TABLE person (
    id uuid NOT NULL,
    tenant_id text NOT NULL,
    name text NOT NULL,
    skeleton text NOT NULL,
    roles text[] NOT NULL,
    created_at timestamptz NOT NULL,
    disabled_at timestamptz,
    CONSTRAINT person_id_tenant_id_key UNIQUE (id, tenant_id),
    CONSTRAINT person_pkey PRIMARY KEY (id),
    CONSTRAINT person_tenant_id_name_key UNIQUE (tenant_id, name),
    CONSTRAINT person_tenant_id_skeleton_key UNIQUE (tenant_id, skeleton),
    CONSTRAINT person_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id),
    CONSTRAINT person_auditor_exclusive CHECK ((NOT ('auditor' = ANY (roles))) OR (cardinality(roles) = 1)),
    CONSTRAINT person_name_is_plain CHECK ((name <> '') AND (length(name) <= 200) AND (name !~ '[A-Z]') AND (name =
        btrim(name))),
    CONSTRAINT person_operator_apart CHECK ((NOT ('operator' = ANY (roles))) OR (roles <@ ARRAY['operator', 'client'])),
    CONSTRAINT person_roles_known CHECK (roles <@ ARRAY['requester', 'officer', 'approver', 'auditor', 'operator',
        'admin', 'client'])
);
-- The trigger append_only runs refuse_change(): see "WHO WORKS WITH LACUNA".
-- The trigger guard runs guard_person(): see "WHO WORKS WITH LACUNA".
-- The trigger named runs add_name_of_person(): see "WHO WORKS WITH LACUNA".
GRANT SELECT, INSERT, UPDATE (roles, disabled_at) ON person TO lacuna_request;
GRANT SELECT ON person TO lacuna_control;
GRANT SELECT (id, name, roles, disabled_at) ON person TO lacuna_inference;

-- Whose a name in a record is: the name of a person, and other spellings in records from before people were rows.
CREATE TABLE person_name (
    tenant_id text NOT NULL,
    name text NOT NULL,
    person_id uuid NOT NULL,
    CONSTRAINT person_name_pkey PRIMARY KEY (tenant_id, name),
    CONSTRAINT person_name_person_id_fkey FOREIGN KEY (person_id) REFERENCES person(id),
    CONSTRAINT person_name_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id)
);
-- The trigger append_only runs refuse_change(): see "WHO WORKS WITH LACUNA".
GRANT SELECT ON person_name TO lacuna_request;
GRANT SELECT ON person_name TO lacuna_control;

-- The subject of an OpenID provider's tokens that is this person. Where two tenants give it, the first one counts.
CREATE TABLE person_subject (
    issuer text NOT NULL,
    subject text NOT NULL,
    person_id uuid NOT NULL,
    tenant_id text NOT NULL,
    given_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT person_subject_pkey PRIMARY KEY (issuer, subject, tenant_id),
    CONSTRAINT person_subject_person_id_fkey FOREIGN KEY (person_id) REFERENCES person(id),
    CONSTRAINT person_subject_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id),
    CONSTRAINT person_subject_subject_check CHECK (subject <> '')
);
-- The trigger guard runs guard_subject(): see "WHO WORKS WITH LACUNA".
GRANT SELECT, INSERT, UPDATE (issuer) ON person_subject TO lacuna_request;
GRANT SELECT ON person_subject TO lacuna_control;

-- A tenant that one administrator of the operating tenant, `default`, asks to add. Another one confirms.
CREATE TABLE tenant_request (
    id uuid NOT NULL,
    tenant_id text NOT NULL,
    model_id text NOT NULL,
    administrators text[] NOT NULL,
    key_parts_sha256 text[] NOT NULL,
    asked_by uuid NOT NULL,
    asked_at timestamptz NOT NULL,
    confirmed_by uuid,
    confirmed_at timestamptz,
    confirmed_in text,
    ended_by uuid,
    ended_at timestamptz,
    CONSTRAINT tenant_request_pkey PRIMARY KEY (id),
    CONSTRAINT tenant_request_asked_by_fkey FOREIGN KEY (asked_by) REFERENCES person(id),
    CONSTRAINT tenant_request_confirmed_by_fkey FOREIGN KEY (confirmed_by) REFERENCES person(id),
    CONSTRAINT tenant_request_ended_by_fkey FOREIGN KEY (ended_by) REFERENCES person(id),
    CONSTRAINT tenant_request_a_key_for_each CHECK (cardinality(key_parts_sha256) = cardinality(administrators)),
    CONSTRAINT tenant_request_administrators_check CHECK (cardinality(administrators) >= 2),
    CONSTRAINT tenant_request_by_two CHECK (confirmed_by <> asked_by),
    CONSTRAINT tenant_request_confirmed CHECK ((confirmed_by IS NULL) = (confirmed_at IS NULL)),
    CONSTRAINT tenant_request_confirmed_or_ended CHECK ((confirmed_at IS NULL) OR (ended_at IS NULL)),
    CONSTRAINT tenant_request_ended CHECK ((ended_by IS NULL) = (ended_at IS NULL)),
    CONSTRAINT tenant_request_model_id_check CHECK (model_id <> ''),
    CONSTRAINT tenant_request_tenant_id_check CHECK (tenant_id ~ '^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$')
);
CREATE INDEX tenant_request_newest ON tenant_request (asked_at DESC);
-- The trigger append_only runs refuse_change(): see "WHO WORKS WITH LACUNA".
-- The trigger guard runs guard_tenant_request(): see "WHO WORKS WITH LACUNA".
GRANT SELECT, INSERT, UPDATE (confirmed_by, confirmed_at, ended_by, ended_at) ON tenant_request TO lacuna_request;
GRANT SELECT ON tenant_request TO lacuna_control;

-- A person, roles, a subject or a key that one administrator asks to give. Another one confirms.
CREATE TABLE access_grant (
    id uuid NOT NULL,
    tenant_id text NOT NULL,
    kind text NOT NULL,
    person_id uuid NOT NULL,
    name text NOT NULL,
    roles text[] DEFAULT '{}'::text[] NOT NULL,
    scopes text[] DEFAULT '{}'::text[] NOT NULL,
    label text DEFAULT '' NOT NULL,
    expires_at timestamptz,
    key_part_sha256 text,
    issuer text,
    subject text,
    asked_by uuid NOT NULL,
    asked_at timestamptz NOT NULL,
    confirmed_by uuid,
    confirmed_at timestamptz,
    confirmed_in text,
    ended_by uuid,
    ended_at timestamptz,
    CONSTRAINT access_grant_pkey PRIMARY KEY (id),
    CONSTRAINT access_grant_asked_by_fkey FOREIGN KEY (asked_by) REFERENCES person(id),
    CONSTRAINT access_grant_confirmed_by_fkey FOREIGN KEY (confirmed_by) REFERENCES person(id),
    CONSTRAINT access_grant_ended_by_fkey FOREIGN KEY (ended_by) REFERENCES person(id),
    CONSTRAINT access_grant_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id),
    CONSTRAINT access_grant_by_two CHECK (confirmed_by <> asked_by),
    CONSTRAINT access_grant_confirmed CHECK ((confirmed_by IS NULL) = (confirmed_at IS NULL)),
    CONSTRAINT access_grant_confirmed_or_ended CHECK ((confirmed_at IS NULL) OR (ended_at IS NULL)),
    CONSTRAINT access_grant_ended CHECK ((ended_by IS NULL) = (ended_at IS NULL)),
    CONSTRAINT access_grant_key CHECK ((kind = 'key') = (key_part_sha256 IS NOT NULL)),
    CONSTRAINT access_grant_kind_check CHECK (kind IN ('person', 'roles', 'subject', 'key')),
    CONSTRAINT access_grant_subject CHECK (((issuer IS NULL) = (subject IS NULL)) AND ((kind <> 'subject') OR (subject
        IS NOT NULL)))
);
CREATE INDEX access_grant_newest ON access_grant (tenant_id, asked_at DESC);
-- The trigger guard runs guard_access_grant(): see "WHO WORKS WITH LACUNA".
GRANT SELECT, INSERT, UPDATE (confirmed_by, confirmed_at, ended_by, ended_at) ON access_grant TO lacuna_request;
GRANT SELECT ON access_grant TO lacuna_control;

-- A key of one person or program. Only its SHA-256 is kept.
CREATE TABLE api_key (
    id uuid NOT NULL,
    tenant_id text NOT NULL,
    owner text NOT NULL,
    key_sha256 text NOT NULL,
    roles text[] NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    revoked_at timestamptz,
    scopes text[] DEFAULT '{}'::text[] NOT NULL,
    label text DEFAULT '' NOT NULL,
    expires_at timestamptz,
    last_used_at timestamptz,
    created_by text,
    person_id uuid NOT NULL,
    CONSTRAINT api_key_key_sha256_key UNIQUE (key_sha256),
    CONSTRAINT api_key_pkey PRIMARY KEY (id),
    CONSTRAINT api_key_person_id_fkey FOREIGN KEY (person_id) REFERENCES person(id),
    CONSTRAINT api_key_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id),
    CONSTRAINT auditor_exclusive CHECK ((NOT ('auditor' = ANY (roles))) OR (cardinality(roles) = 1)),
    CONSTRAINT operator_apart CHECK ((NOT ('operator' = ANY (roles))) OR (roles <@ ARRAY['operator', 'client']))
);
CREATE INDEX api_key_person ON api_key (person_id);
-- The trigger guard runs guard_api_key(): see "WHO WORKS WITH LACUNA".
GRANT SELECT, INSERT, UPDATE (revoked_at, last_used_at) ON api_key TO lacuna_request;
GRANT SELECT ON api_key TO lacuna_inference;
GRANT SELECT ON api_key TO lacuna_control;

-- A base model that is served for a tenant. Each model has one desired state; a tenant has one model in use.
CREATE TABLE model (
    id text NOT NULL,
    tenant_id text NOT NULL,
    source text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    in_use boolean DEFAULT false NOT NULL,
    CONSTRAINT model_id_tenant_id_key UNIQUE (id, tenant_id),
    CONSTRAINT model_pkey PRIMARY KEY (id),
    CONSTRAINT model_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id)
);
CREATE UNIQUE INDEX model_in_use ON model (tenant_id) WHERE in_use;
GRANT SELECT, INSERT, UPDATE ON model TO lacuna_request;
GRANT SELECT ON model TO lacuna_refit;
GRANT SELECT ON model TO lacuna_audit;
GRANT SELECT ON model TO lacuna_inference;
GRANT SELECT ON model TO lacuna_control;

-- A session of the web console. Only the SHA-256 of its cookie is kept.
CREATE TABLE console_session (
    id text NOT NULL,
    tenant_id text NOT NULL,
    api_key_id uuid,
    subject text,
    roles text[],
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    CONSTRAINT console_session_pkey PRIMARY KEY (id),
    CONSTRAINT console_session_api_key_id_fkey FOREIGN KEY (api_key_id) REFERENCES api_key(id),
    CONSTRAINT console_session_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id),
    CONSTRAINT console_session_ends CHECK (expires_at <= (created_at + '24:00:00'::interval)),
    CONSTRAINT console_session_id_check CHECK (id ~ '^[0-9a-f]{64}$'),
    CONSTRAINT console_session_of_key_or_subject CHECK (((api_key_id IS NULL) = (subject IS NOT NULL)) AND ((subject IS
        NULL) = (roles IS NULL)))
);
GRANT SELECT, INSERT, UPDATE (ended_at) ON console_session TO lacuna_request;
GRANT SELECT ON console_session TO lacuna_control;

-- A view of the list of tickets that a person saved by a name. Name and filters go when it ends.
CREATE TABLE saved_view (
    id uuid NOT NULL,
    tenant_id text NOT NULL,
    person_id uuid NOT NULL,
    name text NOT NULL,
    filters jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    CONSTRAINT saved_view_pkey PRIMARY KEY (id),
    CONSTRAINT saved_view_person_id_tenant_id_fkey FOREIGN KEY (person_id, tenant_id) REFERENCES person(id, tenant_id),
    CONSTRAINT saved_view_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id),
    CONSTRAINT saved_view_empty_at_its_end CHECK ((ended_at IS NULL) OR (filters = '{}'::jsonb)),
    CONSTRAINT saved_view_named_until_its_end CHECK ((ended_at IS NULL) = (name <> ''))
);
CREATE UNIQUE INDEX saved_view_name ON saved_view (person_id, name) WHERE (ended_at IS NULL);
-- The trigger append_only runs refuse_change(): see "RECORDS THAT NEVER CHANGE".
GRANT SELECT, INSERT, UPDATE (name, filters, ended_at) ON saved_view TO lacuna_request;

-- The answer to a request that carried an idempotency key, kept for one day.
CREATE TABLE idempotency_key (
    tenant_id text NOT NULL,
    owner text NOT NULL,
    key text NOT NULL,
    request_sha256 text NOT NULL,
    status integer NOT NULL,
    headers jsonb NOT NULL,
    body jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT idempotency_key_pkey PRIMARY KEY (tenant_id, owner, key)
);
CREATE INDEX idempotency_key_age ON idempotency_key (created_at);
GRANT SELECT, INSERT ON idempotency_key TO lacuna_request;
GRANT SELECT ON idempotency_key TO lacuna_control;

-- =====================================================================================================================
-- TICKETS (written by the request service)
--
-- Requests to be forgotten. Names, photographs and facts of the person are in sealed objects in the object store. A
-- ticket holds the wrapped keys of these objects, and keyed indexes of names and facts by which a second request for
-- the
-- same person is found.
-- =====================================================================================================================

-- A request to be forgotten. Once `required_since` is set, every version that is served must cover the ticket.
CREATE TABLE ticket (
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
    submitted_at timestamptz NOT NULL,
    last_edited_by text NOT NULL,
    decided_by text,
    decided_at timestamptz,
    ground text,
    decision_code text,
    decision_note text,
    required_since timestamptz,
    version integer DEFAULT 1 NOT NULL,
    regime text DEFAULT 'gdpr' NOT NULL,
    calendar text DEFAULT '' NOT NULL,
    zone text DEFAULT 'UTC' NOT NULL,
    clock text DEFAULT 'running' NOT NULL,
    due_at timestamptz,
    escalate_at timestamptz,
    acknowledged_at timestamptz,
    identity text DEFAULT 'assumed' NOT NULL,
    identity_by text,
    identity_method text,
    identity_at timestamptz,
    fact_index text[] DEFAULT '{}'::text[] NOT NULL,
    duplicate_of text,
    kit_key text,
    kit_sha256 text,
    kit_wrapped_key bytea,
    kit_made_at timestamptz,
    languages text[] DEFAULT '{en}'::text[] NOT NULL,
    name_keys text[] DEFAULT '{}'::text[] NOT NULL,
    name_keys_form smallint DEFAULT 0 NOT NULL,
    assigned_to uuid,
    received_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT ticket_pkey PRIMARY KEY (id),
    CONSTRAINT ticket_tenant_id_source_external_ref_key UNIQUE (tenant_id, source, external_ref),
    CONSTRAINT ticket_assigned_to_tenant_id_fkey FOREIGN KEY (assigned_to, tenant_id) REFERENCES person(id, tenant_id),
    CONSTRAINT ticket_duplicate_of_fkey FOREIGN KEY (duplicate_of) REFERENCES ticket(id),
    CONSTRAINT ticket_model_id_tenant_id_fkey FOREIGN KEY (model_id, tenant_id) REFERENCES model(id, tenant_id),
    CONSTRAINT ticket_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id),
    CONSTRAINT duplicate_points CHECK ((state <> 'duplicate') OR (duplicate_of IS NOT NULL)),
    CONSTRAINT not_approved_in_doubt CHECK ((identity <> 'doubted') OR (state IN ('received', 'identity_pending',
        'rejected', 'withdrawn', 'duplicate', 'expired'))),
    CONSTRAINT ticket_clock_check CHECK (clock IN ('running', 'paused', 'stopped')),
    CONSTRAINT ticket_identity_check CHECK (identity IN ('assumed', 'doubted', 'verified')),
    CONSTRAINT ticket_languages_check CHECK ((cardinality(languages) >= 1) AND (cardinality(languages) <= 20) AND
        (array_position(languages, NULL::text) IS NULL)),
    CONSTRAINT ticket_name_keys_form_check CHECK (name_keys_form >= 0),
    CONSTRAINT ticket_regime_check CHECK (regime IN ('gdpr', 'uk_gdpr', 'ccpa')),
    CONSTRAINT ticket_state_check CHECK (state IN ('received', 'identity_pending', 'under_review', 'approved',
        'scheduled', 'fitting', 'auditing', 'deploying', 'completed', 'rejected', 'withdrawn', 'duplicate', 'expired',
        'failed', 'regressed')),
    CONSTRAINT verified_by_somebody CHECK ((identity <> 'verified') OR ((identity_by IS NOT NULL) AND (identity_method
        IS NOT NULL) AND (identity_at IS NOT NULL)))
);
CREATE INDEX ticket_assigned_due ON ticket (tenant_id, assigned_to, due_at, id) WHERE ((assigned_to IS NOT NULL) AND
    (clock <> 'stopped'));
CREATE INDEX ticket_assigned_newest ON ticket (tenant_id, assigned_to, submitted_at DESC, id DESC) WHERE (assigned_to IS
    NOT NULL);
CREATE INDEX ticket_due ON ticket (tenant_id, due_at, id) WHERE (clock <> 'stopped');
CREATE INDEX ticket_escalate ON ticket (escalate_at) WHERE (escalate_at IS NOT NULL);
CREATE INDEX ticket_external_ref ON ticket (tenant_id, external_ref) WHERE (external_ref IS NOT NULL);
CREATE INDEX ticket_material ON ticket USING gin (fact_index) WITH (fastupdate=off);
CREATE INDEX ticket_name_keys ON ticket USING gin (name_keys) WITH (fastupdate=off);
CREATE INDEX ticket_name_keys_form ON ticket (name_keys_form, id);
CREATE INDEX ticket_newest ON ticket (tenant_id, submitted_at DESC, id DESC);
CREATE INDEX ticket_newest_in_state ON ticket (tenant_id, state, submitted_at DESC, id DESC);
CREATE INDEX ticket_newest_urgent ON ticket (tenant_id, submitted_at DESC, id DESC) WHERE urgent;
CREATE INDEX ticket_sealed ON ticket (model_id, state) WHERE (payload_wrapped_key IS NOT NULL);
CREATE INDEX ticket_state ON ticket (model_id, state);
CREATE INDEX ticket_subject ON ticket USING gin (subject_index) WITH (fastupdate=off);
-- The trigger contact_destroyed runs destroy_contact(): see "TICKETS, LEGAL HOLDS AND DESTROYED KEYS".
-- The trigger decided runs guard_approval(): see "REQUESTS THAT NEED A SECOND PERSON".
-- The trigger guard runs guard_ticket(): see "TICKETS, LEGAL HOLDS AND DESTROYED KEYS".
-- The trigger guard_decision runs guard_decision(): see "REQUESTS THAT NEED A SECOND PERSON".
-- The trigger guard_disposal runs guard_disposal(): see "TICKETS, LEGAL HOLDS AND DESTROYED KEYS".
-- The trigger guard_keys runs guard_keys(): see "TICKETS, LEGAL HOLDS AND DESTROYED KEYS".
-- The trigger guard_receipt runs guard_receipt(): see "TICKETS, LEGAL HOLDS AND DESTROYED KEYS".
-- The trigger rejected runs guard_approval(): see "REQUESTS THAT NEED A SECOND PERSON".
-- The trigger renew_name_keys runs renew_name_keys(): see "TICKETS, LEGAL HOLDS AND DESTROYED KEYS".
-- The trigger retired runs retire_ticket_keys(): see "TICKETS, LEGAL HOLDS AND DESTROYED KEYS".
GRANT SELECT, INSERT, UPDATE ON ticket TO lacuna_request;
GRANT SELECT ON ticket TO lacuna_refit;
GRANT SELECT ON ticket TO lacuna_audit;
GRANT SELECT, INSERT, UPDATE ON ticket TO lacuna_control;

-- The history of a ticket.
CREATE TABLE ticket_event (
    id bigint GENERATED ALWAYS AS IDENTITY,
    ticket_id text NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    state text NOT NULL,
    note text,
    kind text DEFAULT 'state' NOT NULL,
    detail jsonb,
    CONSTRAINT ticket_event_pkey PRIMARY KEY (id),
    CONSTRAINT ticket_event_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES ticket(id)
);
CREATE INDEX ticket_event_ticket ON ticket_event (ticket_id, id);
-- The trigger append_only runs refuse_change(): see "RECORDS THAT NEVER CHANGE".
GRANT SELECT, INSERT ON ticket_event TO lacuna_request;
GRANT SELECT, INSERT ON ticket_event TO lacuna_control;

-- What an approver saw of a ticket: each name confirmed, or the sealed material shown for a reason.
CREATE TABLE material_check (
    id bigint GENERATED ALWAYS AS IDENTITY,
    ticket_id text NOT NULL,
    payload_sha256 text NOT NULL,
    method text NOT NULL,
    actor text NOT NULL,
    reason text,
    at timestamptz NOT NULL,
    CONSTRAINT material_check_pkey PRIMARY KEY (id),
    CONSTRAINT material_check_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES ticket(id),
    CONSTRAINT material_check_method_check CHECK (method IN ('names', 'shown')),
    CONSTRAINT material_check_reason CHECK ((method <> 'shown') OR (COALESCE(reason, '') <> ''))
);
CREATE INDEX material_check_ticket ON material_check (ticket_id);
-- The trigger append_only runs refuse_change(): see "RECORDS THAT NEVER CHANGE".
GRANT SELECT, INSERT ON material_check TO lacuna_request;
GRANT SELECT ON material_check TO lacuna_control;

-- A letter to the person as it was recorded. Its text is sealed; its key and its text are destroyed with time.
CREATE TABLE letter (
    id uuid NOT NULL,
    ticket_id text NOT NULL,
    kind text NOT NULL,
    regime text NOT NULL,
    language text NOT NULL,
    edited boolean NOT NULL,
    sealed bytea,
    wrapped_key bytea,
    sha256 text NOT NULL,
    recorded_by text NOT NULL,
    recorded_at timestamptz NOT NULL,
    destroyed_at timestamptz,
    CONSTRAINT letter_pkey PRIMARY KEY (id),
    CONSTRAINT letter_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES ticket(id),
    CONSTRAINT letter_kind_check CHECK (kind IN ('receipt', 'extension', 'information', 'completion', 'refusal')),
    CONSTRAINT letter_sealed_or_destroyed CHECK (((sealed IS NULL) = (wrapped_key IS NULL)) AND ((sealed IS NULL) =
        (destroyed_at IS NOT NULL)))
);
CREATE INDEX letter_sealed ON letter (recorded_at) WHERE (wrapped_key IS NOT NULL);
CREATE INDEX letter_ticket ON letter (ticket_id, recorded_at);
-- The trigger append_only runs refuse_change(): see "RECORDS THAT NEVER CHANGE".
-- The trigger guard runs guard_letter(): see "TICKETS, LEGAL HOLDS AND DESTROYED KEYS".
-- The trigger retired runs retire_letter_key(): see "TICKETS, LEGAL HOLDS AND DESTROYED KEYS".
GRANT SELECT, INSERT ON letter TO lacuna_request;
GRANT SELECT, UPDATE (sealed, wrapped_key, destroyed_at) ON letter TO lacuna_control;

-- The state changes that guard_ticket() allows.
CREATE TABLE lifecycle_move (
    origin text NOT NULL,
    target text NOT NULL,
    CONSTRAINT lifecycle_move_pkey PRIMARY KEY (origin, target)
);
INSERT INTO lifecycle_move VALUES
    ('received', 'under_review'),
    ('received', 'identity_pending'),
    ('under_review', 'identity_pending'),
    ('identity_pending', 'under_review'),
    ('under_review', 'approved'),
    ('received', 'rejected'),
    ('identity_pending', 'rejected'),
    ('under_review', 'rejected'),
    ('received', 'duplicate'),
    ('duplicate', 'under_review'),
    ('identity_pending', 'expired'),
    ('approved', 'scheduled'),
    ('failed', 'scheduled'),
    ('deploying', 'scheduled'),
    ('approved', 'fitting'),
    ('scheduled', 'fitting'),
    ('failed', 'fitting'),
    ('regressed', 'fitting'),
    ('approved', 'under_review'),
    ('scheduled', 'under_review'),
    ('fitting', 'under_review'),
    ('failed', 'under_review'),
    ('approved', 'auditing'),
    ('scheduled', 'auditing'),
    ('fitting', 'auditing'),
    ('failed', 'auditing'),
    ('regressed', 'auditing'),
    ('approved', 'deploying'),
    ('scheduled', 'deploying'),
    ('fitting', 'deploying'),
    ('auditing', 'deploying'),
    ('failed', 'deploying'),
    ('regressed', 'deploying'),
    ('deploying', 'completed'),
    ('approved', 'failed'),
    ('scheduled', 'failed'),
    ('fitting', 'failed'),
    ('auditing', 'failed'),
    ('deploying', 'failed'),
    ('received', 'withdrawn'),
    ('identity_pending', 'withdrawn'),
    ('under_review', 'withdrawn'),
    ('approved', 'withdrawn'),
    ('scheduled', 'withdrawn'),
    ('fitting', 'withdrawn'),
    ('auditing', 'withdrawn'),
    ('deploying', 'withdrawn'),
    ('completed', 'withdrawn'),
    ('failed', 'withdrawn'),
    ('regressed', 'withdrawn'),
    ('completed', 'regressed'),
    ('duplicate', 'expired');
-- The trigger append_only runs refuse_change(): see "RECORDS THAT NEVER CHANGE".
GRANT SELECT ON lifecycle_move TO lacuna_request;
GRANT SELECT ON lifecycle_move TO lacuna_control;

-- The events that start, pause, extend and stop the statutory clock of a ticket.
CREATE TABLE ticket_clock (
    id bigint GENERATED ALWAYS AS IDENTITY,
    ticket_id text NOT NULL,
    kind text NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    reason text,
    CONSTRAINT ticket_clock_pkey PRIMARY KEY (id),
    CONSTRAINT ticket_clock_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES ticket(id),
    CONSTRAINT ticket_clock_check1 CHECK ((kind <> 'extended') OR (reason IS NOT NULL)),
    CONSTRAINT ticket_clock_kind_check CHECK (kind IN ('received', 'paused', 'resumed', 'extended', 'stopped'))
);
CREATE INDEX ticket_clock_ticket ON ticket_clock (ticket_id, id);
-- The trigger append_only runs refuse_change(): see "RECORDS THAT NEVER CHANGE".
GRANT SELECT, INSERT ON ticket_clock TO lacuna_request;
GRANT SELECT, INSERT ON ticket_clock TO lacuna_control;

-- A notice that 50, 75, 90 or 100 per cent of the statutory time has passed. Each is written once per deadline.
CREATE TABLE escalation (
    ticket_id text NOT NULL,
    percent integer NOT NULL,
    extensions integer NOT NULL,
    due_at timestamptz NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT escalation_pkey PRIMARY KEY (ticket_id, percent, extensions),
    CONSTRAINT escalation_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES ticket(id),
    CONSTRAINT escalation_percent_check CHECK (percent IN (50, 75, 90, 100))
);
-- The trigger append_only runs refuse_change(): see "RECORDS THAT NEVER CHANGE".
GRANT SELECT, INSERT ON escalation TO lacuna_request;
GRANT SELECT, INSERT ON escalation TO lacuna_control;

-- A legal hold: the sealed objects of the ticket must not be destroyed. One person asks for its release and another
-- releases it.
CREATE TABLE ticket_hold (
    id uuid NOT NULL,
    ticket_id text NOT NULL,
    reason text NOT NULL,
    set_by text NOT NULL,
    set_at timestamptz NOT NULL,
    release_asked_by text,
    release_asked_at timestamptz,
    released_by text,
    released_at timestamptz,
    CONSTRAINT ticket_hold_pkey PRIMARY KEY (id),
    CONSTRAINT ticket_hold_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES ticket(id),
    CONSTRAINT ticket_hold_check CHECK ((released_by IS NULL) OR (release_asked_by IS NOT NULL)),
    CONSTRAINT ticket_hold_check1 CHECK ((released_by IS NULL) = (released_at IS NULL))
);
CREATE UNIQUE INDEX ticket_hold_open ON ticket_hold (ticket_id) WHERE (released_at IS NULL);
-- The trigger guard runs guard_hold(): see "TICKETS, LEGAL HOLDS AND DESTROYED KEYS".
-- The trigger two_people runs guard_release(): see "REQUESTS THAT NEED A SECOND PERSON".
GRANT SELECT, INSERT, UPDATE (release_asked_by, release_asked_at, released_by, released_at) ON ticket_hold TO
    lacuna_request;
GRANT SELECT, INSERT, UPDATE (release_asked_by, release_asked_at, released_by, released_at) ON ticket_hold TO
    lacuna_control;

-- The proof that an object of a ticket was destroyed: first its keys, then the object itself.
CREATE TABLE disposal (
    id uuid NOT NULL,
    ticket_id text NOT NULL,
    object text NOT NULL,
    object_key text NOT NULL,
    sha256 text NOT NULL,
    reason text NOT NULL,
    key_destroyed_at timestamptz,
    removed_at timestamptz,
    begun_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT disposal_pkey PRIMARY KEY (id),
    CONSTRAINT disposal_ticket_id_object_key UNIQUE (ticket_id, object),
    CONSTRAINT disposal_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES ticket(id),
    CONSTRAINT disposal_check CHECK ((removed_at IS NULL) OR (key_destroyed_at IS NOT NULL)),
    CONSTRAINT disposal_object_check CHECK (object IN ('payload', 'kit'))
);
CREATE INDEX disposal_waiting ON disposal (id) WHERE (removed_at IS NULL);
-- The trigger guard runs guard_disposal_record(): see "RECORDS THAT NEVER CHANGE".
GRANT SELECT, INSERT, UPDATE (removed_at) ON disposal TO lacuna_request;
GRANT SELECT, INSERT, UPDATE (key_destroyed_at, removed_at) ON disposal TO lacuna_control;

-- A wrapped key that was taken away, and when the shredding key that it needed was destroyed. Written by triggers.
CREATE TABLE retired_key (
    id bigint GENERATED ALWAYS AS IDENTITY,
    tenant_id text NOT NULL,
    name text,
    object text NOT NULL,
    subject text NOT NULL,
    object_key text NOT NULL,
    sha256 text,
    replaced boolean NOT NULL,
    retired_at timestamptz DEFAULT now() NOT NULL,
    destroyed_at timestamptz,
    CONSTRAINT retired_key_pkey PRIMARY KEY (id),
    CONSTRAINT retired_key_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id),
    CONSTRAINT retired_key_object_check CHECK (object IN ('payload', 'kit', 'rows', 'import', 'letter', 'contact'))
);
CREATE INDEX retired_key_waiting ON retired_key (id) WHERE (destroyed_at IS NULL);
-- The trigger append_only runs refuse_change(): see "RECORDS THAT NEVER CHANGE".
-- The trigger guard runs guard_retired_key(): see "TICKETS, LEGAL HOLDS AND DESTROYED KEYS".
GRANT SELECT, UPDATE (destroyed_at) ON retired_key TO lacuna_control;

-- =====================================================================================================================
-- REFITS (written by the refit service)
--
-- The runs that compute a new eraser, and what each run kept for the next one.
-- =====================================================================================================================

-- An order to compute a new eraser. A worker holds it by a lease, and `fence` refuses a worker that lost its lease.
CREATE TABLE refit_run (
    id uuid NOT NULL,
    model_id text NOT NULL,
    kind text NOT NULL,
    period text,
    status text NOT NULL,
    stage text,
    attempt integer NOT NULL,
    fence integer NOT NULL,
    lease_until timestamptz,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    error text,
    version_id uuid,
    seconds jsonb,
    progress jsonb,
    notes jsonb,
    recipe text,
    CONSTRAINT refit_run_model_id_kind_period_key UNIQUE (model_id, kind, period),
    CONSTRAINT refit_run_pkey PRIMARY KEY (id),
    CONSTRAINT refit_run_model_id_fkey FOREIGN KEY (model_id) REFERENCES model(id),
    CONSTRAINT refit_run_kind_check CHECK (kind IN ('initial', 'nightly', 'urgent', 'forward')),
    CONSTRAINT refit_run_status_check CHECK (status IN ('running', 'waiting', 'succeeded', 'nothing_to_do', 'failed'))
);
-- The trigger announced runs announce(): see "ANNOUNCED CHANGES".
GRANT SELECT ON refit_run TO lacuna_request;
GRANT SELECT, INSERT, UPDATE ON refit_run TO lacuna_refit;
GRANT SELECT ON refit_run TO lacuna_control;

-- What a run did with a ticket.
CREATE TABLE refit_run_ticket (
    run_id uuid NOT NULL,
    ticket_id text NOT NULL,
    outcome text NOT NULL,
    at timestamptz NOT NULL,
    detail text,
    CONSTRAINT refit_run_ticket_pkey PRIMARY KEY (run_id, ticket_id),
    CONSTRAINT refit_run_ticket_run_id_fkey FOREIGN KEY (run_id) REFERENCES refit_run(id),
    CONSTRAINT refit_run_ticket_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES ticket(id),
    CONSTRAINT refit_run_ticket_outcome_check CHECK (outcome IN ('fitting', 'fitted', 'no_leak_found', 'failed',
        'needs_resubmission'))
);
CREATE INDEX refit_run_ticket_again ON refit_run_ticket (ticket_id) WHERE (outcome = 'needs_resubmission');
-- The trigger announced runs announce(): see "ANNOUNCED CHANGES".
GRANT SELECT ON refit_run_ticket TO lacuna_request;
GRANT SELECT, INSERT, UPDATE ON refit_run_ticket TO lacuna_refit;
GRANT SELECT ON refit_run_ticket TO lacuna_control;

-- Where the sealed fit of a ticket is stored, for one state of the base statistics.
CREATE TABLE fit_rows (
    model_id text NOT NULL,
    ticket_id text NOT NULL,
    digest text NOT NULL,
    object_key text NOT NULL,
    sha256 text NOT NULL,
    wrapped_key bytea,
    created_at timestamptz NOT NULL,
    material text,
    CONSTRAINT fit_rows_pkey PRIMARY KEY (model_id, ticket_id, digest),
    CONSTRAINT fit_rows_model_id_fkey FOREIGN KEY (model_id) REFERENCES model(id),
    CONSTRAINT fit_rows_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES ticket(id)
);
-- The trigger guard runs guard_fit_rows(): see "TICKETS, LEGAL HOLDS AND DESTROYED KEYS".
-- The trigger retired runs retire_fit_key(): see "TICKETS, LEGAL HOLDS AND DESTROYED KEYS".
GRANT SELECT, UPDATE (wrapped_key) ON fit_rows TO lacuna_request;
GRANT SELECT, INSERT, UPDATE ON fit_rows TO lacuna_refit;
GRANT SELECT, UPDATE (wrapped_key) ON fit_rows TO lacuna_control;

-- =====================================================================================================================
-- ERASERS
--
-- Published versions (written by the refit service), which version is served (written by the request service), and what
-- the replicas report (written by the inference service).
-- =====================================================================================================================

-- A published eraser. Only the wrapping of its key may change.
CREATE TABLE eraser_version (
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
    created_at timestamptz NOT NULL,
    coverage_root text,
    CONSTRAINT eraser_version_model_id_number_key UNIQUE (model_id, number),
    CONSTRAINT eraser_version_pkey PRIMARY KEY (id),
    CONSTRAINT eraser_version_model_id_fkey FOREIGN KEY (model_id) REFERENCES model(id),
    CONSTRAINT eraser_version_run_id_fkey FOREIGN KEY (run_id) REFERENCES refit_run(id),
    CONSTRAINT eraser_version_number_check CHECK (number >= 0)
);
-- The trigger append_only runs refuse_change(): see "THE ROLLBACK GUARD".
-- The trigger guard runs guard_version(): see "THE ROLLBACK GUARD".
-- The trigger rewrapped_only runs guard_rewrap(): see "THE ROLLBACK GUARD".
GRANT SELECT, UPDATE (wrapped_key) ON eraser_version TO lacuna_request;
GRANT SELECT, INSERT ON eraser_version TO lacuna_refit;
GRANT SELECT ON eraser_version TO lacuna_audit;
GRANT SELECT ON eraser_version TO lacuna_inference;
GRANT SELECT, UPDATE (wrapped_key) ON eraser_version TO lacuna_control;

-- The tickets that a version covers.
CREATE TABLE version_ticket (
    version_id uuid NOT NULL,
    ticket_id text NOT NULL,
    rows_sha256 text NOT NULL,
    CONSTRAINT version_ticket_pkey PRIMARY KEY (version_id, ticket_id),
    CONSTRAINT version_ticket_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES ticket(id),
    CONSTRAINT version_ticket_version_id_fkey FOREIGN KEY (version_id) REFERENCES eraser_version(id)
);
-- The trigger append_only runs refuse_change(): see "THE ROLLBACK GUARD".
GRANT SELECT ON version_ticket TO lacuna_request;
GRANT SELECT, INSERT ON version_ticket TO lacuna_refit;
GRANT SELECT ON version_ticket TO lacuna_audit;
GRANT SELECT ON version_ticket TO lacuna_inference;
GRANT SELECT ON version_ticket TO lacuna_control;

-- The version that every replica of a model must serve. THE ROLLBACK GUARD watches over this table.
CREATE TABLE desired_state (
    model_id text NOT NULL,
    generation integer NOT NULL,
    version_id uuid NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT desired_state_pkey PRIMARY KEY (model_id),
    CONSTRAINT desired_state_model_id_fkey FOREIGN KEY (model_id) REFERENCES model(id),
    CONSTRAINT desired_state_version_id_fkey FOREIGN KEY (version_id) REFERENCES eraser_version(id)
);
-- The trigger announced runs announce(): see "ANNOUNCED CHANGES".
-- The trigger guard runs guard_desired_state(): see "THE ROLLBACK GUARD".
GRANT SELECT, INSERT, UPDATE ON desired_state TO lacuna_request;
GRANT SELECT ON desired_state TO lacuna_inference;
GRANT SELECT, INSERT, UPDATE ON desired_state TO lacuna_control;

-- Every change of a desired state.
CREATE TABLE promotion (
    id bigint GENERATED ALWAYS AS IDENTITY,
    model_id text NOT NULL,
    generation integer NOT NULL,
    version_id uuid NOT NULL,
    kind text NOT NULL,
    actor text NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT promotion_pkey PRIMARY KEY (id),
    CONSTRAINT promotion_model_id_fkey FOREIGN KEY (model_id) REFERENCES model(id),
    CONSTRAINT promotion_version_id_fkey FOREIGN KEY (version_id) REFERENCES eraser_version(id),
    CONSTRAINT promotion_kind_check CHECK (kind IN ('automatic', 'manual', 'rollback', 'break_glass', 'restore'))
);
-- The trigger append_only runs refuse_change(): see "RECORDS THAT NEVER CHANGE".
-- The trigger guard runs guard_promotion(): see "RECORDS THAT NEVER CHANGE".
GRANT SELECT, INSERT ON promotion TO lacuna_request;
GRANT SELECT, INSERT ON promotion TO lacuna_control;

-- Permission to serve, for a limited time, a version that leaves tickets uncovered. One person asks and another
-- confirms.
CREATE TABLE break_glass (
    id uuid NOT NULL,
    model_id text NOT NULL,
    version_id uuid NOT NULL,
    reason text NOT NULL,
    minutes integer NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL,
    confirmed_by text,
    confirmed_at timestamptz,
    expires_at timestamptz,
    ended_at timestamptz,
    ended_by text,
    CONSTRAINT break_glass_pkey PRIMARY KEY (id),
    CONSTRAINT break_glass_model_id_fkey FOREIGN KEY (model_id) REFERENCES model(id),
    CONSTRAINT break_glass_version_id_fkey FOREIGN KEY (version_id) REFERENCES eraser_version(id),
    CONSTRAINT break_glass_check1 CHECK ((confirmed_by IS NULL) = (confirmed_at IS NULL)),
    CONSTRAINT break_glass_check2 CHECK ((confirmed_by IS NULL) = (expires_at IS NULL)),
    CONSTRAINT break_glass_check3 CHECK (expires_at <= (confirmed_at + make_interval(mins => minutes))),
    CONSTRAINT break_glass_minutes_check CHECK ((minutes >= 1) AND (minutes <= 1440))
);
-- The trigger announced runs announce(): see "ANNOUNCED CHANGES".
-- The trigger guard runs guard_break_glass(): see "THE ROLLBACK GUARD".
-- The trigger two_people runs guard_second_person(): see "REQUESTS THAT NEED A SECOND PERSON".
GRANT SELECT, INSERT, UPDATE (confirmed_by, confirmed_at, expires_at, ended_at, ended_by) ON break_glass TO
    lacuna_request;
GRANT SELECT, UPDATE (ended_at, ended_by) ON break_glass TO lacuna_control;

-- The tickets that a permission leaves uncovered.
CREATE TABLE break_glass_ticket (
    break_glass_id uuid NOT NULL,
    ticket_id text NOT NULL,
    CONSTRAINT break_glass_ticket_pkey PRIMARY KEY (break_glass_id, ticket_id),
    CONSTRAINT break_glass_ticket_break_glass_id_fkey FOREIGN KEY (break_glass_id) REFERENCES break_glass(id),
    CONSTRAINT break_glass_ticket_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES ticket(id)
);
-- The trigger guard runs guard_break_glass_ticket(): see "THE ROLLBACK GUARD".
GRANT SELECT, INSERT ON break_glass_ticket TO lacuna_request;
GRANT SELECT ON break_glass_ticket TO lacuna_control;

-- How long a ticket was uncovered under a permission, from the promotion until no replica served that version.
CREATE TABLE exposure (
    break_glass_id uuid NOT NULL,
    ticket_id text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    seconds double precision GENERATED ALWAYS AS (EXTRACT(epoch FROM (ended_at - started_at))) STORED,
    CONSTRAINT exposure_pkey PRIMARY KEY (break_glass_id, ticket_id),
    CONSTRAINT exposure_break_glass_id_fkey FOREIGN KEY (break_glass_id) REFERENCES break_glass(id),
    CONSTRAINT exposure_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES ticket(id),
    CONSTRAINT exposure_check CHECK (ended_at >= started_at)
);
-- The trigger guard runs guard_exposure(): see "RECORDS THAT NEVER CHANGE".
GRANT SELECT, INSERT, UPDATE (ended_at) ON exposure TO lacuna_request;
GRANT SELECT, INSERT, UPDATE (ended_at) ON exposure TO lacuna_control;

-- What an inference replica last reported.
CREATE TABLE replica (
    id text NOT NULL,
    model_id text NOT NULL,
    generation integer NOT NULL,
    version_number integer,
    state text NOT NULL,
    error text,
    lease_until timestamptz NOT NULL,
    acked_at timestamptz NOT NULL,
    CONSTRAINT replica_pkey PRIMARY KEY (id, model_id),
    CONSTRAINT replica_model_id_fkey FOREIGN KEY (model_id) REFERENCES model(id),
    CONSTRAINT replica_state_check CHECK (state IN ('loading', 'serving', 'failed'))
);
-- The trigger announced runs announce(): see "ANNOUNCED CHANGES".
-- The trigger announced_first runs announce(): see "ANNOUNCED CHANGES".
GRANT SELECT ON replica TO lacuna_request;
GRANT SELECT, INSERT, UPDATE ON replica TO lacuna_inference;
GRANT SELECT ON replica TO lacuna_control;

-- =====================================================================================================================
-- AUDITS (written by the audit service)
--
-- No version is served before an audit of it has passed.
-- =====================================================================================================================

-- An audit of one version.
CREATE TABLE audit_run (
    id uuid NOT NULL,
    version_id uuid NOT NULL,
    status text NOT NULL,
    verdict text,
    reasons jsonb,
    report jsonb,
    attempt integer NOT NULL,
    fence integer NOT NULL,
    lease_until timestamptz,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    error text,
    stage text,
    kind text DEFAULT 'candidate' NOT NULL,
    ticket_results jsonb,
    progress jsonb,
    CONSTRAINT audit_run_pkey PRIMARY KEY (id),
    CONSTRAINT audit_run_version_id_fkey FOREIGN KEY (version_id) REFERENCES eraser_version(id),
    CONSTRAINT audit_run_kind_check CHECK (kind IN ('candidate', 'nightly')),
    CONSTRAINT audit_run_nightly_verdict CHECK ((kind = 'candidate') OR (verdict IS NULL)),
    CONSTRAINT audit_run_status_check CHECK (status IN ('running', 'waiting', 'succeeded', 'failed')),
    CONSTRAINT audit_run_verdict_check CHECK (verdict IN ('passed', 'failed'))
);
CREATE INDEX audit_run_version ON audit_run (version_id);
-- The trigger announced runs announce(): see "ANNOUNCED CHANGES".
GRANT SELECT ON audit_run TO lacuna_request;
GRANT SELECT ON audit_run TO lacuna_refit;
GRANT SELECT, INSERT, UPDATE ON audit_run TO lacuna_audit;
GRANT SELECT ON audit_run TO lacuna_control;

-- =====================================================================================================================
-- RETAIN SETS (written by the request service)
--
-- What the operator wants a model to keep.
-- =====================================================================================================================

-- A version of the operator's own retain set. Only the wrapping of its key may change.
CREATE TABLE retain_set (
    model_id text NOT NULL,
    number integer NOT NULL,
    digest text NOT NULL,
    object_key text NOT NULL,
    sha256 text NOT NULL,
    wrapped_key bytea NOT NULL,
    seed integer NOT NULL,
    counts jsonb NOT NULL,
    added_by text NOT NULL,
    added_at timestamptz NOT NULL,
    CONSTRAINT retain_set_model_id_digest_key UNIQUE (model_id, digest),
    CONSTRAINT retain_set_pkey PRIMARY KEY (model_id, number),
    CONSTRAINT retain_set_model_id_fkey FOREIGN KEY (model_id) REFERENCES model(id),
    CONSTRAINT retain_set_number_check CHECK (number > 0)
);
-- The trigger append_only runs refuse_change(): see "RECORDS THAT NEVER CHANGE".
-- The trigger rewrapped_only runs guard_rewrap(): see "RECORDS THAT NEVER CHANGE".
GRANT SELECT, INSERT, UPDATE (wrapped_key) ON retain_set TO lacuna_request;
GRANT SELECT ON retain_set TO lacuna_refit;
GRANT SELECT ON retain_set TO lacuna_audit;
GRANT SELECT, UPDATE (wrapped_key) ON retain_set TO lacuna_control;

-- The retain set that the next refit uses. NULL means none beside the reference people.
CREATE TABLE retain_choice (
    model_id text NOT NULL,
    number integer,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT retain_choice_pkey PRIMARY KEY (model_id),
    CONSTRAINT retain_choice_model_id_fkey FOREIGN KEY (model_id) REFERENCES model(id),
    CONSTRAINT retain_choice_model_id_number_fkey FOREIGN KEY (model_id, number) REFERENCES retain_set(model_id, number)
);
GRANT SELECT, INSERT, UPDATE ON retain_choice TO lacuna_request;
GRANT SELECT ON retain_choice TO lacuna_refit;
GRANT SELECT ON retain_choice TO lacuna_control;

-- =====================================================================================================================
-- TRANSPARENCY
--
-- The audit log and what is signed from it. The request, refit and audit services append leaves. The request service
-- assigns positions, signs checkpoints and issues certificates.
-- =====================================================================================================================

-- A leaf of the audit log. It is appended without a position; the sequencer assigns position and hash once. `tenant_id`
-- says who reads it and is not hashed; NULL means the operating tenant.
CREATE TABLE log_leaf (
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz DEFAULT now() NOT NULL,
    actor text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    detail jsonb NOT NULL,
    "position" bigint,
    leaf_hash bytea,
    tenant_id text,
    CONSTRAINT log_leaf_pkey PRIMARY KEY (id),
    CONSTRAINT log_leaf_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id),
    CONSTRAINT log_leaf_position_check CHECK ("position" >= 0),
    CONSTRAINT placed_and_hashed CHECK ((("position" IS NULL) = (leaf_hash IS NULL)) AND ((leaf_hash IS NULL) OR
        (length(leaf_hash) = 32)))
);
CREATE INDEX log_leaf_disposed ON log_leaf (subject, "position") WHERE (kind IN ('payload.destroyed', 'payload.removed',
    'kit.destroyed', 'kit.removed', 'rows.destroyed'));
CREATE UNIQUE INDEX log_leaf_hash ON log_leaf (leaf_hash) WHERE (leaf_hash IS NOT NULL);
CREATE UNIQUE INDEX log_leaf_place ON log_leaf ("position") WHERE ("position" IS NOT NULL);
CREATE INDEX log_leaf_subject ON log_leaf (subject, kind, id DESC);
CREATE INDEX log_leaf_waiting ON log_leaf (id) WHERE ("position" IS NULL);
-- The trigger announced runs announce_leaf(): see "ANNOUNCED CHANGES".
-- The trigger append_only runs refuse_change(): see "RECORDS THAT NEVER CHANGE".
-- The trigger begins_unplaced runs guard_leaf(): see "RECORDS THAT NEVER CHANGE".
-- The trigger placed_in_order runs guard_positions(): see "RECORDS THAT NEVER CHANGE".
-- The trigger placed_once runs guard_leaf(): see "RECORDS THAT NEVER CHANGE".
GRANT SELECT, INSERT ON log_leaf TO lacuna_request;
GRANT INSERT, SELECT (id) ON log_leaf TO lacuna_refit;
GRANT INSERT, SELECT (id) ON log_leaf TO lacuna_audit;
GRANT SELECT, INSERT, UPDATE ("position", leaf_hash) ON log_leaf TO lacuna_control;

-- The signed root of the log at one size.
CREATE TABLE log_checkpoint (
    size bigint NOT NULL,
    root bytea NOT NULL,
    note text NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT log_checkpoint_pkey PRIMARY KEY (size),
    CONSTRAINT log_checkpoint_root_check CHECK (length(root) = 32),
    CONSTRAINT log_checkpoint_size_check CHECK (size > 0)
);
-- The trigger append_only runs refuse_change(): see "RECORDS THAT NEVER CHANGE".
-- The trigger grows runs guard_checkpoint(): see "RECORDS THAT NEVER CHANGE".
GRANT SELECT ON log_checkpoint TO lacuna_request;
GRANT SELECT, INSERT ON log_checkpoint TO lacuna_control;

-- The RFC 3161 token of an outside authority for a checkpoint.
CREATE TABLE log_timestamp (
    size bigint NOT NULL,
    token bytea NOT NULL,
    attested_at timestamptz NOT NULL,
    made_at timestamptz NOT NULL,
    CONSTRAINT log_timestamp_pkey PRIMARY KEY (size),
    CONSTRAINT log_timestamp_size_fkey FOREIGN KEY (size) REFERENCES log_checkpoint(size),
    CONSTRAINT log_timestamp_token_check CHECK (length(token) <= 65536)
);
-- The trigger append_only runs refuse_change(): see "RECORDS THAT NEVER CHANGE".
GRANT SELECT ON log_timestamp TO lacuna_request;
GRANT SELECT, INSERT ON log_timestamp TO lacuna_control;

-- A signed statement about a ticket. The one with the highest number is in force.
CREATE TABLE certificate (
    id uuid NOT NULL,
    ticket_id text NOT NULL,
    number integer NOT NULL,
    status text NOT NULL,
    reason text NOT NULL,
    version_id uuid,
    sha256 text NOT NULL,
    envelope jsonb NOT NULL,
    issued_at timestamptz NOT NULL,
    log_size bigint,
    CONSTRAINT certificate_pkey PRIMARY KEY (id),
    CONSTRAINT certificate_ticket_id_number_key UNIQUE (ticket_id, number),
    CONSTRAINT certificate_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES ticket(id),
    CONSTRAINT certificate_version_id_fkey FOREIGN KEY (version_id) REFERENCES eraser_version(id),
    CONSTRAINT certificate_check CHECK ((status = 'suspended') OR (version_id IS NOT NULL)),
    CONSTRAINT certificate_number_check CHECK (number > 0),
    CONSTRAINT certificate_status_check CHECK (status IN ('in_force', 'suspended'))
);
-- The trigger append_only runs refuse_change(): see "RECORDS THAT NEVER CHANGE".
-- The trigger guard runs guard_certificate(): see "RECORDS THAT NEVER CHANGE".
GRANT SELECT ON certificate TO lacuna_request;
GRANT SELECT, INSERT ON certificate TO lacuna_control;

-- =====================================================================================================================
-- WEBHOOKS (written by the request service)
--
-- Who is notified of what happens to tickets.
-- =====================================================================================================================

-- An address that receives messages. Its secrets are sealed.
CREATE TABLE webhook (
    id uuid NOT NULL,
    tenant_id text NOT NULL,
    url text NOT NULL,
    events text[] NOT NULL,
    secret bytea NOT NULL,
    secret_key bytea NOT NULL,
    old_secret bytea,
    old_secret_key bytea,
    old_until timestamptz,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    disabled_at timestamptz,
    CONSTRAINT webhook_pkey PRIMARY KEY (id),
    CONSTRAINT webhook_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id)
);
GRANT SELECT, INSERT, UPDATE ON webhook TO lacuna_request;
GRANT SELECT, UPDATE (secret_key, old_secret_key) ON webhook TO lacuna_control;

-- A message to a webhook, and whether it arrived.
CREATE TABLE webhook_delivery (
    id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    event text NOT NULL,
    body text NOT NULL,
    created_at timestamptz NOT NULL,
    next_at timestamptz,
    attempts integer DEFAULT 0 NOT NULL,
    state text NOT NULL,
    status integer,
    error text,
    CONSTRAINT webhook_delivery_pkey PRIMARY KEY (id),
    CONSTRAINT webhook_delivery_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES webhook(id),
    CONSTRAINT webhook_delivery_state_check CHECK (state IN ('waiting', 'delivered', 'given_up'))
);
CREATE INDEX webhook_delivery_due ON webhook_delivery (next_at) WHERE (state = 'waiting');
CREATE INDEX webhook_delivery_log ON webhook_delivery (webhook_id, created_at DESC);
-- The trigger announced runs announce(): see "ANNOUNCED CHANGES".
GRANT SELECT, INSERT, UPDATE ON webhook_delivery TO lacuna_request;
GRANT SELECT, INSERT, UPDATE ON webhook_delivery TO lacuna_control;

-- The last ticket event from which messages were made. The table has one row.
CREATE TABLE webhook_cursor (
    id integer NOT NULL,
    last_event bigint NOT NULL,
    last_leaf bigint DEFAULT 0 NOT NULL,
    CONSTRAINT webhook_cursor_pkey PRIMARY KEY (id),
    CONSTRAINT webhook_cursor_id_check CHECK (id = 1)
);
INSERT INTO webhook_cursor VALUES
    (1, 0, 0);
GRANT SELECT, INSERT, UPDATE ON webhook_cursor TO lacuna_request;
GRANT SELECT, INSERT, UPDATE ON webhook_cursor TO lacuna_control;

-- =====================================================================================================================
-- IMPORTS (written by the request service)
--
-- Tickets that arrive as a file.
-- =====================================================================================================================

-- A file of tickets, kept sealed until it is processed.
CREATE TABLE import_job (
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
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    CONSTRAINT import_job_pkey PRIMARY KEY (id),
    CONSTRAINT import_job_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id),
    CONSTRAINT import_job_status_check CHECK (status IN ('waiting', 'succeeded', 'failed'))
);
CREATE INDEX import_job_waiting ON import_job (created_at) WHERE (status = 'waiting');
-- The trigger announced runs announce(): see "ANNOUNCED CHANGES".
-- The trigger retired runs retire_import_key(): see "TICKETS, LEGAL HOLDS AND DESTROYED KEYS".
GRANT SELECT, INSERT, UPDATE ON import_job TO lacuna_request;
GRANT SELECT, UPDATE ON import_job TO lacuna_control;

-- The outcome of one row of a file: a ticket or a problem. It repeats nothing of the row's content.
CREATE TABLE import_row (
    job_id uuid NOT NULL,
    number integer NOT NULL,
    ticket_id text,
    problem text,
    CONSTRAINT import_row_pkey PRIMARY KEY (job_id, number),
    CONSTRAINT import_row_job_id_fkey FOREIGN KEY (job_id) REFERENCES import_job(id)
);
GRANT SELECT, INSERT ON import_row TO lacuna_request;
GRANT SELECT, INSERT ON import_row TO lacuna_control;

-- A download of California's DROP, kept sealed until it is matched with the operator's register.
CREATE TABLE drop_list (
    id uuid NOT NULL,
    tenant_id text NOT NULL,
    owner text NOT NULL,
    fetched boolean NOT NULL,
    sha256 text NOT NULL,
    status text NOT NULL,
    object_key text NOT NULL,
    wrapped_key bytea,
    received_at timestamptz NOT NULL,
    rows integer NOT NULL,
    matched integer DEFAULT 0 NOT NULL,
    removed integer DEFAULT 0 NOT NULL,
    tickets integer DEFAULT 0 NOT NULL,
    error text,
    correlation text,
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    attempts smallint DEFAULT 0 NOT NULL,
    next_at timestamptz,
    CONSTRAINT drop_list_pkey PRIMARY KEY (id),
    CONSTRAINT drop_list_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id),
    CONSTRAINT drop_list_status_check CHECK (status IN ('waiting', 'succeeded', 'failed'))
);
CREATE INDEX drop_list_of_tenant ON drop_list (tenant_id, created_at);
CREATE INDEX drop_list_waiting ON drop_list (created_at) WHERE (status = 'waiting');
-- The trigger announced runs announce(): see "ANNOUNCED CHANGES".
-- The trigger retired runs retire_drop_list_key(): see "TICKETS, LEGAL HOLDS AND DESTROYED KEYS".
GRANT SELECT, INSERT ON drop_list TO lacuna_request;
GRANT SELECT, INSERT, UPDATE ON drop_list TO lacuna_control;

-- A work item of DROP that somebody in the register has: its ticket, and what was reported. Neither hash nor
-- identifier.
CREATE TABLE drop_match (
    tenant_id text NOT NULL,
    item_id text NOT NULL,
    person_key text NOT NULL,
    list_id uuid NOT NULL,
    file text NOT NULL,
    ticket_id text,
    problem text,
    removed_at timestamptz,
    reported smallint,
    reported_at timestamptz,
    CONSTRAINT drop_match_pkey PRIMARY KEY (tenant_id, item_id, person_key),
    CONSTRAINT drop_match_list_id_fkey FOREIGN KEY (list_id) REFERENCES drop_list(id),
    CONSTRAINT drop_match_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id),
    CONSTRAINT drop_match_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES ticket(id),
    CONSTRAINT drop_match_check CHECK ((ticket_id IS NULL) <> (problem IS NULL)),
    CONSTRAINT drop_match_check1 CHECK ((reported IS NULL) = (reported_at IS NULL)),
    CONSTRAINT drop_match_reported_check CHECK (reported IN (2, 3, 4, 5))
);
CREATE INDEX drop_match_ticket ON drop_match (ticket_id);
GRANT SELECT ON drop_match TO lacuna_request;
GRANT SELECT, INSERT, UPDATE ON drop_match TO lacuna_control;

-- =====================================================================================================================
-- REQUESTS THAT PEOPLE FILE THEMSELVES (written by the request service)
--
-- The public form, and agents of the Data Rights Protocol. The control loop sends mails and callbacks.
-- =====================================================================================================================

-- How the person of a ticket is reached, sealed. Its key is destroyed with that of the ticket's payload.
CREATE TABLE ticket_contact (
    ticket_id text NOT NULL,
    tenant_id text NOT NULL,
    sealed bytea,
    wrapped_key bytea,
    added_at timestamptz NOT NULL,
    CONSTRAINT ticket_contact_pkey PRIMARY KEY (ticket_id),
    CONSTRAINT ticket_contact_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id),
    CONSTRAINT ticket_contact_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES ticket(id),
    CONSTRAINT ticket_contact_check CHECK ((sealed IS NULL) = (wrapped_key IS NULL))
);
-- The trigger append_only runs refuse_change(): see "RECORDS THAT NEVER CHANGE".
-- The trigger retired runs retire_contact_key(): see "TICKETS, LEGAL HOLDS AND DESTROYED KEYS".
GRANT SELECT, INSERT ON ticket_contact TO lacuna_request;
GRANT SELECT, UPDATE (wrapped_key) ON ticket_contact TO lacuna_control;

-- A public form that somebody has begun. The mail address is sealed until it is filed or too old.
CREATE TABLE form_request (
    id uuid NOT NULL,
    tenant_id text NOT NULL,
    address_index text NOT NULL,
    sealed bytea,
    wrapped_key bytea,
    language text NOT NULL,
    mail_next_at timestamptz,
    mail_attempts smallint DEFAULT 0 NOT NULL,
    tries smallint DEFAULT 0 NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    proved_at timestamptz,
    ticket_id text,
    CONSTRAINT form_request_pkey PRIMARY KEY (id),
    CONSTRAINT form_request_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id),
    CONSTRAINT form_request_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES ticket(id),
    CONSTRAINT form_request_check CHECK ((sealed IS NULL) = (wrapped_key IS NULL))
);
CREATE INDEX form_request_address ON form_request (tenant_id, address_index, created_at);
CREATE INDEX form_request_mail ON form_request (mail_next_at) WHERE (mail_next_at IS NOT NULL);
CREATE INDEX form_request_open ON form_request (created_at) WHERE (ticket_id IS NULL);
CREATE INDEX form_request_ticket ON form_request (ticket_id) WHERE (ticket_id IS NOT NULL);
-- The trigger announced runs announce(): see "ANNOUNCED CHANGES".
-- The trigger retired runs retire_form_key(): see "TICKETS, LEGAL HOLDS AND DESTROYED KEYS".
GRANT SELECT, INSERT, UPDATE ON form_request TO lacuna_request;
GRANT SELECT, UPDATE (wrapped_key, mail_next_at, mail_attempts) ON form_request TO lacuna_control;

-- A bearer token of an agent. Only its SHA-256 is kept.
CREATE TABLE drp_token (
    token_sha256 text NOT NULL,
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    CONSTRAINT drp_token_pkey PRIMARY KEY (token_sha256),
    CONSTRAINT drp_token_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id)
);
CREATE INDEX drp_token_agent ON drp_token (tenant_id, agent_id) WHERE (ended_at IS NULL);
GRANT SELECT, INSERT, UPDATE (ended_at) ON drp_token TO lacuna_request;

-- A signed message that was carried out, so that it is carried out once. Forgotten a day after it expired.
CREATE TABLE drp_message (
    tenant_id text NOT NULL,
    message_sha256 text NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT drp_message_pkey PRIMARY KEY (tenant_id, message_sha256),
    CONSTRAINT drp_message_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id)
);
GRANT SELECT, INSERT ON drp_message TO lacuna_request;

-- A request that an agent sent, with its ticket and the status that the agent was last told.
CREATE TABLE drp_request (
    id uuid NOT NULL,
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    agent_request_id text,
    ticket_id text NOT NULL,
    status_callback text,
    received_at timestamptz NOT NULL,
    revoked_at timestamptz,
    told text,
    callback_next_at timestamptz,
    callback_attempts smallint DEFAULT 0 NOT NULL,
    CONSTRAINT drp_request_pkey PRIMARY KEY (id),
    CONSTRAINT drp_request_tenant_id_agent_id_agent_request_id_key UNIQUE (tenant_id, agent_id, agent_request_id),
    CONSTRAINT drp_request_ticket_id_key UNIQUE (ticket_id),
    CONSTRAINT drp_request_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id),
    CONSTRAINT drp_request_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES ticket(id)
);
CREATE INDEX drp_request_callback ON drp_request (callback_next_at) WHERE (status_callback IS NOT NULL);
GRANT SELECT, INSERT, UPDATE (revoked_at) ON drp_request TO lacuna_request;
GRANT SELECT, UPDATE (told, callback_next_at, callback_attempts) ON drp_request TO lacuna_control;

-- Takes addresses away that are not needed any more, and forms that nobody filed. Only the control loop may call it.
CREATE FUNCTION forget_old_forms() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    UPDATE form_request SET sealed = NULL, wrapped_key = NULL, mail_next_at = NULL
        WHERE wrapped_key IS NOT NULL AND (ticket_id IS NOT NULL OR expires_at < now());
    WITH gone AS (
        DELETE FROM form_request WHERE ticket_id IS NULL AND expires_at < now() - interval '1 day' RETURNING 1)
    SELECT count(*) FROM gone
$$;
REVOKE ALL ON FUNCTION forget_old_forms() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_old_forms() TO lacuna_control;

-- Deletes messages a day after they expired. Only the control loop may call it.
CREATE FUNCTION forget_old_messages() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    WITH gone AS (DELETE FROM drp_message WHERE expires_at < now() - interval '1 day' RETURNING 1)
    SELECT count(*) FROM gone
$$;
REVOKE ALL ON FUNCTION forget_old_messages() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_old_messages() TO lacuna_control;

-- =====================================================================================================================
-- AUDIT KITS (written by the request service)
--
-- Who opened the sealed evidence of a ticket, and who allowed it.
-- =====================================================================================================================

-- Permission to open the audit kit of a ticket for a limited time. One person asks and another allows it.
CREATE TABLE kit_access (
    id uuid NOT NULL,
    ticket_id text NOT NULL,
    reason text NOT NULL,
    minutes integer NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL,
    allowed_by text,
    allowed_at timestamptz,
    expires_at timestamptz,
    ended_by text,
    ended_at timestamptz,
    CONSTRAINT kit_access_pkey PRIMARY KEY (id),
    CONSTRAINT kit_access_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES ticket(id),
    CONSTRAINT kit_access_check1 CHECK ((allowed_by IS NULL) = (allowed_at IS NULL)),
    CONSTRAINT kit_access_check2 CHECK ((allowed_by IS NULL) = (expires_at IS NULL)),
    CONSTRAINT kit_access_check3 CHECK (expires_at <= (allowed_at + make_interval(mins => minutes))),
    CONSTRAINT kit_access_minutes_check CHECK ((minutes >= 1) AND (minutes <= 1440)),
    CONSTRAINT kit_access_reason_check CHECK (reason <> '')
);
CREATE INDEX kit_access_newest ON kit_access (asked_at DESC);
-- The trigger guard runs guard_kit_access(): see "REQUESTS THAT NEED A SECOND PERSON".
-- The trigger two_people runs guard_kit_second_person(): see "REQUESTS THAT NEED A SECOND PERSON".
GRANT SELECT, INSERT, UPDATE (allowed_by, allowed_at, expires_at, ended_by, ended_at) ON kit_access TO lacuna_request;
GRANT SELECT ON kit_access TO lacuna_control;

-- One opening of an audit kit.
CREATE TABLE kit_opening (
    id bigint GENERATED ALWAYS AS IDENTITY,
    access_id uuid NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    CONSTRAINT kit_opening_pkey PRIMARY KEY (id),
    CONSTRAINT kit_opening_access_id_fkey FOREIGN KEY (access_id) REFERENCES kit_access(id)
);
CREATE INDEX kit_opening_access ON kit_opening (access_id);
-- The trigger append_only runs refuse_change(): see "RECORDS THAT NEVER CHANGE".
-- The trigger guard runs guard_kit_opening(): see "REQUESTS THAT NEED A SECOND PERSON".
GRANT SELECT, INSERT ON kit_opening TO lacuna_request;
GRANT SELECT ON kit_opening TO lacuna_control;

-- =====================================================================================================================
-- OPERATIONS
--
-- What keeps the services running: queued messages, heartbeats, alarms, key rotation and restores.
-- =====================================================================================================================

-- Messages for the task queue, written in the transaction of the change that they report.
CREATE TABLE outbox (
    id uuid NOT NULL,
    queue text NOT NULL,
    task text NOT NULL,
    kwargs jsonb NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    published_at timestamptz,
    attempts integer DEFAULT 0 NOT NULL,
    correlation text,
    CONSTRAINT outbox_pkey PRIMARY KEY (id)
);
CREATE INDEX outbox_unpublished ON outbox (created_at) WHERE (published_at IS NULL);
-- The trigger announced runs announce(): see "ANNOUNCED CHANGES".
GRANT SELECT, INSERT, UPDATE ON outbox TO lacuna_request;
GRANT INSERT ON outbox TO lacuna_refit;
GRANT SELECT, INSERT, UPDATE ON outbox TO lacuna_control;

-- When each recurring job last succeeded.
CREATE TABLE pulse (
    name text NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT pulse_pkey PRIMARY KEY (name)
);
GRANT SELECT, INSERT, UPDATE ON pulse TO lacuna_request;
GRANT SELECT, INSERT, UPDATE ON pulse TO lacuna_refit;
GRANT SELECT, INSERT, UPDATE ON pulse TO lacuna_audit;
GRANT SELECT, INSERT, UPDATE ON pulse TO lacuna_control;

-- A recurring job that did not succeed in time. An alarm is raised once and cleared once.
CREATE TABLE alarm (
    id uuid NOT NULL,
    name text NOT NULL,
    sentence text NOT NULL,
    raised_at timestamptz NOT NULL,
    cleared_at timestamptz,
    CONSTRAINT alarm_pkey PRIMARY KEY (id),
    CONSTRAINT alarm_check CHECK (cleared_at >= raised_at)
);
CREATE UNIQUE INDEX alarm_open ON alarm (name) WHERE (cleared_at IS NULL);
GRANT SELECT, INSERT, UPDATE (cleared_at) ON alarm TO lacuna_request;
GRANT SELECT, INSERT, UPDATE (cleared_at) ON alarm TO lacuna_control;

-- An order to wrap all data keys with the newest key, and its progress.
CREATE TABLE rewrap (
    id uuid NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL,
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
    finished_at timestamptz,
    CONSTRAINT rewrap_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX rewrap_one ON rewrap ((true)) WHERE (finished_at IS NULL);
-- The trigger announced runs announce(): see "ANNOUNCED CHANGES".
GRANT SELECT, INSERT, UPDATE ON rewrap TO lacuna_request;
GRANT SELECT, UPDATE ON rewrap TO lacuna_control;

-- The decision to go on with a database that is older than its high-water mark. One person asks and another confirms.
CREATE TABLE restore_acceptance (
    id uuid NOT NULL,
    model_id text NOT NULL,
    mark_sha256 text NOT NULL,
    mark jsonb NOT NULL,
    present jsonb NOT NULL,
    checkpoint text NOT NULL,
    checkpoint_sha256 text NOT NULL,
    reason text NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL,
    confirmed_by text,
    confirmed_at timestamptz,
    CONSTRAINT restore_acceptance_pkey PRIMARY KEY (id),
    CONSTRAINT restore_acceptance_model_id_fkey FOREIGN KEY (model_id) REFERENCES model(id),
    CONSTRAINT restore_acceptance_check CHECK ((confirmed_by IS NULL) = (confirmed_at IS NULL)),
    CONSTRAINT restore_acceptance_reason_check CHECK (reason <> '')
);
-- The trigger announced runs announce(): see "ANNOUNCED CHANGES".
-- The trigger guard runs guard_acceptance(): see "REQUESTS THAT NEED A SECOND PERSON".
-- The trigger two_people runs guard_acceptance_by_two(): see "REQUESTS THAT NEED A SECOND PERSON".
GRANT SELECT, INSERT, UPDATE (confirmed_by, confirmed_at) ON restore_acceptance TO lacuna_request;
GRANT SELECT ON restore_acceptance TO lacuna_control;

-- The newest migration that was applied.
CREATE TABLE alembic_version (
    version_num character varying(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO alembic_version VALUES
    ('0043');
GRANT SELECT ON alembic_version TO lacuna_request;
GRANT SELECT ON alembic_version TO lacuna_control;

-- =====================================================================================================================
-- RECORDS THAT NEVER CHANGE
--
-- Tables to which rows are only appended, with the few columns that may be filled in later. The triggers bind every
-- role.
-- A refused change raises LC003 (LC004 for exposures, disposals, promotions and certificates).
-- =====================================================================================================================

-- Refuses every statement that it is attached to.
CREATE FUNCTION refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'LC003'; END $$;
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON certificate
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON escalation
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON kit_opening
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON letter
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON lifecycle_move
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON log_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON log_leaf
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON log_timestamp
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON material_check
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON promotion
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON retain_set
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON retired_key
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON saved_view
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ticket_clock
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON ticket_contact
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ticket_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Lets the sequencer assign position and hash to a leaf once, and nothing else. The hash must be that of the leaf.
CREATE FUNCTION guard_leaf() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        RAISE EXCEPTION 'log_leaf is append-only: a new leaf has no position' USING ERRCODE = 'LC003';
    END IF;
    IF OLD.position IS NOT NULL OR NEW.position IS NULL
        OR (NEW.id, NEW.at, NEW.actor, NEW.kind, NEW.subject, NEW.detail, NEW.tenant_id)
            IS DISTINCT FROM (OLD.id, OLD.at, OLD.actor, OLD.kind, OLD.subject, OLD.detail, OLD.tenant_id) THEN
        RAISE EXCEPTION 'log_leaf is append-only' USING ERRCODE = 'LC003';
    END IF;
    IF NEW.leaf_hash <> leaf_hash_of(NEW) THEN
        RAISE EXCEPTION 'the hash of leaf % is that of another', NEW.id USING ERRCODE = 'LC003';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER begins_unplaced BEFORE INSERT ON log_leaf
    FOR EACH ROW WHEN ((new."position" IS NOT NULL)) EXECUTE FUNCTION guard_leaf();
CREATE TRIGGER placed_once BEFORE UPDATE ON log_leaf
    FOR EACH ROW EXECUTE FUNCTION guard_leaf();

-- JSON as the line of a leaf has it: sorted keys, no blanks. NULL where a number is no integer.
CREATE FUNCTION canonical_json(value jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT
    SET search_path TO 'public', 'pg_temp'
    AS $_$
DECLARE kind text := jsonb_typeof(value); parts text[]; missing boolean;
BEGIN
    IF kind = 'object' THEN
        SELECT array_agg(to_json(key)::text || ':' || canonical_json(member) ORDER BY key COLLATE "C"),
            bool_or(canonical_json(member) IS NULL)
            INTO parts, missing FROM jsonb_each(value) AS each(key, member);
        RETURN CASE WHEN missing THEN NULL ELSE '{' || coalesce(array_to_string(parts, ','), '') || '}' END;
    ELSIF kind = 'array' THEN
        SELECT array_agg(canonical_json(item) ORDER BY place), bool_or(canonical_json(item) IS NULL)
            INTO parts, missing FROM jsonb_array_elements(value) WITH ORDINALITY AS each(item, place);
        RETURN CASE WHEN missing THEN NULL ELSE '[' || coalesce(array_to_string(parts, ','), '') || ']' END;
    ELSIF kind = 'number' AND value::text !~ '^-?[0-9]+$' THEN
        RETURN NULL;
    END IF;
    RETURN CASE WHEN kind = 'string' THEN to_json(value #>> '{}')::text ELSE value::text END;
END $_$;

-- The hash of a leaf (RFC 6962, section 2.1), computed from its row. NULL where `canonical_json` is.
CREATE FUNCTION leaf_hash_of(leaf public.log_leaf) RETURNS bytea
    LANGUAGE sql STABLE
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT sha256('\x00'::bytea || convert_to(
        '{"actor":' || to_json(leaf.actor)::text
        || ',"at":"' || to_char(leaf.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || '+00:00"'
        || ',"detail":' || canonical_json(leaf.detail)
        || ',"id":' || leaf.id
        || ',"kind":' || to_json(leaf.kind)::text
        || ',"subject":' || to_json(leaf.subject)::text
        || ',"v":1}', 'UTF8'))
$$;

-- Positions follow one another: leaves are placed where the log ended, without a gap.
CREATE FUNCTION guard_positions() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE first bigint; placed bigint; last bigint;
BEGIN
    SELECT min(position), max(position), count(*) INTO first, last, placed FROM new_leaves
        WHERE position IS NOT NULL;
    IF placed > 0 AND (last - first + 1 <> placed
        OR first <> coalesce((SELECT max(position) + 1 FROM log_leaf WHERE position < first), 0)
        OR last <> (SELECT max(position) FROM log_leaf)) THEN
        RAISE EXCEPTION 'the positions of leaves follow one another' USING ERRCODE = 'LC003';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER placed_in_order AFTER UPDATE ON log_leaf REFERENCING NEW TABLE AS new_leaves
    FOR EACH STATEMENT EXECUTE FUNCTION guard_positions();

-- A checkpoint must be larger than every checkpoint before it, and cover no more leaves than there are.
CREATE FUNCTION guard_checkpoint() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF NEW.size <= (SELECT coalesce(max(size), 0) FROM log_checkpoint) THEN
        RAISE EXCEPTION 'a new checkpoint must be larger than every earlier one' USING ERRCODE = 'LC003';
    END IF;
    IF NEW.size > (SELECT coalesce(max(position) + 1, 0) FROM log_leaf) THEN
        RAISE EXCEPTION 'a checkpoint covers leaves that there are' USING ERRCODE = 'LC003';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER grows BEFORE INSERT ON log_checkpoint
    FOR EACH ROW EXECUTE FUNCTION guard_checkpoint();

-- The destruction of a key and the removal of an object are recorded once, the first when it is done.
CREATE FUNCTION guard_disposal_record() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF OLD.removed_at IS NOT NULL
        OR (OLD.key_destroyed_at IS NOT NULL AND NEW.key_destroyed_at IS DISTINCT FROM OLD.key_destroyed_at) THEN
        RAISE EXCEPTION 'the removal of an object is recorded once' USING ERRCODE = 'LC004';
    END IF;
    IF OLD.key_destroyed_at IS NULL AND NEW.key_destroyed_at IS NOT NULL AND EXISTS (SELECT 1 FROM retired_key
        WHERE object_key = NEW.object_key AND destroyed_at IS NULL) THEN
        RAISE EXCEPTION 'the key of an object is not destroyed yet' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE UPDATE ON disposal
    FOR EACH ROW EXECUTE FUNCTION guard_disposal_record();

-- A promotion records what is desired.
CREATE FUNCTION guard_promotion() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM desired_state WHERE model_id = NEW.model_id AND generation = NEW.generation
        AND version_id = NEW.version_id) THEN
        RAISE EXCEPTION 'a promotion records what is desired' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT ON promotion
    FOR EACH ROW EXECUTE FUNCTION guard_promotion();

-- A certificate is in force for a completed ticket that its version covers, and has the next number.
CREATE FUNCTION guard_certificate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF NEW.status = 'in_force' AND NOT EXISTS (SELECT 1 FROM ticket JOIN version_ticket AS covered
            ON covered.ticket_id = ticket.id AND covered.version_id = NEW.version_id
        WHERE ticket.id = NEW.ticket_id AND state = 'completed') THEN
        RAISE EXCEPTION 'a certificate is in force for a completed ticket that its version covers'
            USING ERRCODE = 'LC004';
    END IF;
    IF NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM certificate WHERE ticket_id = NEW.ticket_id) THEN
        RAISE EXCEPTION 'the numbers of certificates follow one another' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT ON certificate
    FOR EACH ROW EXECUTE FUNCTION guard_certificate();

-- Lets the wrapping of a data key change, and nothing else of the row.
CREATE FUNCTION guard_rewrap() RETURNS trigger
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
CREATE TRIGGER rewrapped_only BEFORE UPDATE ON retain_set
    FOR EACH ROW EXECUTE FUNCTION guard_rewrap();

-- Lets the end of an exposure be written once.
CREATE FUNCTION guard_exposure() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL OR (NEW.break_glass_id, NEW.ticket_id, NEW.started_at)
        <> (OLD.break_glass_id, OLD.ticket_id, OLD.started_at) THEN
        RAISE EXCEPTION 'an exposure cannot be changed: its end is recorded once' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE UPDATE ON exposure
    FOR EACH ROW EXECUTE FUNCTION guard_exposure();

-- =====================================================================================================================
-- THE ROLLBACK GUARD
--
-- A model must never return to a version that has not erased a person whose erasure is required. Every INSERT into
-- desired_state and every UPDATE of it, by any role, runs guard_desired_state() in the same transaction. It refuses
--
--   LC001  a version that leaves required tickets uncovered; DETAIL lists them. A ticket is required from the time in
--          `required_since` until it is withdrawn. The only exception is a ticket that is listed in a confirmed and
--          unexpired break-glass permission for that version.
--   LC002  a version that has passed no audit, or that belongs to another model.
--   LC004  a generation that does not grow.
--   LC005  a version whose tickets do not have the Merkle root that it committed to when it was published.
--
-- What the guard relies on is protected here as well. A version must commit to its tickets (LC004). A version and its
-- tickets are never changed or removed (LC003), and a ticket that is added later breaks the Merkle root (LC005).
-- A break-glass permission is confirmed by a second person (a trigger of its table), is not changed afterwards (LC004)
-- and
-- does not count once it has expired. guard_ticket(), in the next section, keeps `required_since` once it is set.
--
-- The guard runs when desired_state is written, and only then. When a ticket becomes required or a permission expires,
-- the
-- version that is already desired stays until the request service writes another one.
-- =====================================================================================================================

-- The guard itself.
CREATE FUNCTION guard_desired_state() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE exposed text; committed text; signed text;
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.model_id <> OLD.model_id OR NEW.generation <= OLD.generation) THEN
        RAISE EXCEPTION 'the generation of the desired state must grow' USING ERRCODE = 'LC004';
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
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON desired_state
    FOR EACH ROW EXECUTE FUNCTION guard_desired_state();

-- The required tickets that a version does not cover, without those under a permission that is in force.
CREATE FUNCTION uncovered_tickets(of_model text, by_version uuid) RETURNS SETOF text
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
REVOKE ALL ON FUNCTION uncovered_tickets(of_model text, by_version uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION uncovered_tickets(of_model text, by_version uuid) TO lacuna_request;
GRANT EXECUTE ON FUNCTION uncovered_tickets(of_model text, by_version uuid) TO lacuna_inference;
GRANT EXECUTE ON FUNCTION uncovered_tickets(of_model text, by_version uuid) TO lacuna_control;

-- The root of a Merkle tree over leaf hashes (RFC 6962, section 2.1).
CREATE FUNCTION merkle_root(level bytea[]) RETURNS text
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
REVOKE ALL ON FUNCTION merkle_root(level bytea[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION merkle_root(level bytea[]) TO lacuna_request;
GRANT EXECUTE ON FUNCTION merkle_root(level bytea[]) TO lacuna_control;

-- The Merkle root over the tickets that a version covers.
CREATE FUNCTION coverage_root_of(of_version uuid) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT merkle_root(array_agg(sha256('\x00'::bytea || convert_to(ticket_id || ' ' || rows_sha256, 'UTF8'))
                                 ORDER BY ticket_id COLLATE "C"))
    FROM version_ticket WHERE version_id = of_version
$$;
REVOKE ALL ON FUNCTION coverage_root_of(of_version uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coverage_root_of(of_version uuid) TO lacuna_request;
GRANT EXECUTE ON FUNCTION coverage_root_of(of_version uuid) TO lacuna_control;

-- A new version must commit to its tickets. Versions older than migration 0005 have no commitment.
CREATE FUNCTION guard_version() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF NEW.coverage_root IS NULL THEN
        RAISE EXCEPTION 'a new version must state the Merkle root of its tickets' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT ON eraser_version
    FOR EACH ROW EXECUTE FUNCTION guard_version();

-- A permission begins unconfirmed, is confirmed once, and can then only be ended.
CREATE FUNCTION guard_break_glass() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.confirmed_by IS NOT NULL OR NEW.ended_at IS NOT NULL THEN
            RAISE EXCEPTION 'a break-glass request must begin unconfirmed' USING ERRCODE = 'LC004';
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
        RAISE EXCEPTION 'a break-glass request cannot be changed: it is confirmed once and ended once'
            USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON break_glass
    FOR EACH ROW EXECUTE FUNCTION guard_break_glass();

-- Tickets are listed before the confirmation, so that the second person has seen them.
CREATE FUNCTION guard_break_glass_ticket() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM break_glass WHERE id = NEW.break_glass_id AND confirmed_at IS NOT NULL) THEN
        RAISE EXCEPTION 'no ticket can be added to a confirmed break-glass request' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT ON break_glass_ticket
    FOR EACH ROW EXECUTE FUNCTION guard_break_glass_ticket();

-- Also part of this section:
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON eraser_version
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER rewrapped_only BEFORE UPDATE ON eraser_version
    FOR EACH ROW EXECUTE FUNCTION guard_rewrap();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON version_ticket
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- =====================================================================================================================
-- TICKETS, LEGAL HOLDS AND DESTROYED KEYS
--
-- A ticket changes state only as lifecycle_move allows, and is completed only when the desired version covers it
-- (LC004).
-- Under a legal hold, neither the payload (LC006) nor the audit kit (LC004) is destroyed. The key of either is
-- destroyed
-- only where the proof is recorded, and the destroyed key of a payload or of a fit never comes back (LC004).
-- =====================================================================================================================

-- Checks the state, the columns that never change, `required_since`, and the legal hold on the payload.
CREATE FUNCTION guard_ticket() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state NOT IN ('received', 'under_review', 'duplicate') OR NEW.required_since IS NOT NULL THEN
            RAISE EXCEPTION 'a new ticket must be received, under_review or duplicate' USING ERRCODE = 'LC004';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.state <> OLD.state
        AND NOT EXISTS (SELECT 1 FROM lifecycle_move WHERE origin = OLD.state AND target = NEW.state) THEN
        RAISE EXCEPTION 'a ticket cannot go from % to %', OLD.state, NEW.state USING ERRCODE = 'LC004';
    END IF;
    IF (NEW.id, NEW.tenant_id, NEW.model_id, NEW.submitted_by)
            <> (OLD.id, OLD.tenant_id, OLD.model_id, OLD.submitted_by)
        OR (OLD.required_since IS NOT NULL AND NEW.required_since IS DISTINCT FROM OLD.required_since) THEN
        RAISE EXCEPTION 'id, tenant, model and submitter of a ticket, and since when it is required, cannot be changed'
            USING ERRCODE = 'LC004';
    END IF;
    IF NEW.state = 'completed' AND OLD.state <> 'completed' THEN
        IF NEW.required_since IS NULL OR NOT EXISTS (
            SELECT 1 FROM desired_state JOIN version_ticket USING (version_id)
            WHERE model_id = NEW.model_id AND ticket_id = NEW.id) THEN
            RAISE EXCEPTION 'ticket % cannot be completed: the desired version does not cover it', NEW.id
            USING ERRCODE = 'LC004';
        END IF;
    END IF;
    IF (NEW.payload_wrapped_key IS NULL OR NEW.payload_key <> OLD.payload_key) AND OLD.payload_wrapped_key IS NOT NULL
        AND EXISTS (SELECT 1 FROM ticket_hold WHERE ticket_id = NEW.id AND released_at IS NULL) THEN
        RAISE EXCEPTION 'ticket % is under a legal hold', NEW.id USING ERRCODE = 'LC006';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON ticket
    FOR EACH ROW EXECUTE FUNCTION guard_ticket();

-- The key of the payload or of the audit kit is destroyed only where `disposal` holds the proof.
CREATE FUNCTION guard_disposal() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF OLD.payload_wrapped_key IS NULL AND NEW.payload_wrapped_key IS NOT NULL THEN
        RAISE EXCEPTION 'the payload of ticket % was destroyed and cannot come back', NEW.id USING ERRCODE = 'LC004';
    END IF;
    IF OLD.payload_wrapped_key IS NOT NULL AND NEW.payload_wrapped_key IS NULL AND NOT EXISTS
        (SELECT 1 FROM disposal WHERE ticket_id = NEW.id AND object = 'payload' AND sha256 = OLD.payload_sha256) THEN
        RAISE EXCEPTION 'the payload of ticket % cannot be destroyed without a disposal record', NEW.id
            USING ERRCODE = 'LC004';
    END IF;
    IF OLD.kit_wrapped_key IS NOT NULL AND NEW.kit_wrapped_key IS NULL AND (NOT EXISTS
        (SELECT 1 FROM disposal WHERE ticket_id = NEW.id AND object = 'kit' AND sha256 = OLD.kit_sha256)
        OR EXISTS (SELECT 1 FROM ticket_hold WHERE ticket_id = NEW.id AND released_at IS NULL)) THEN
        RAISE EXCEPTION 'the kit of ticket % cannot be destroyed under a hold or without a disposal record', NEW.id
            USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard_disposal BEFORE UPDATE ON ticket
    FOR EACH ROW EXECUTE FUNCTION guard_disposal();

-- When a request was received never changes: the statutory clock and the key figures count from it.
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

-- A name that is amended without its keys has none until they are made anew.
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

-- A letter stays as it was recorded, until its key and its text are destroyed; not under a legal hold (LC006).
CREATE FUNCTION guard_letter() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON letter
    FOR EACH ROW EXECUTE FUNCTION guard_letter();

-- A legal hold begins unreleased. It is released and never changed.
CREATE FUNCTION guard_hold() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.release_asked_by IS NOT NULL OR NEW.released_by IS NOT NULL THEN
            RAISE EXCEPTION 'a new legal hold must not be released yet' USING ERRCODE = 'LC004';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.released_by IS NOT NULL OR (NEW.id, NEW.ticket_id, NEW.reason, NEW.set_by, NEW.set_at)
        <> (OLD.id, OLD.ticket_id, OLD.reason, OLD.set_by, OLD.set_at) THEN
        RAISE EXCEPTION 'a legal hold cannot be changed: it is released once' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON ticket_hold
    FOR EACH ROW EXECUTE FUNCTION guard_hold();

-- A wrapped key is replaced together with its object, or by the control loop's key rotation; none under a hold.
CREATE FUNCTION guard_keys() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE held boolean; rotates boolean;
BEGIN
    IF (NEW.payload_key, NEW.payload_sha256, NEW.payload_wrapped_key, NEW.kit_key, NEW.kit_sha256, NEW.kit_wrapped_key)
        IS NOT DISTINCT FROM
        (OLD.payload_key, OLD.payload_sha256, OLD.payload_wrapped_key, OLD.kit_key, OLD.kit_sha256, OLD.kit_wrapped_key)
    THEN
        RETURN NEW;
    END IF;
    held := EXISTS (SELECT 1 FROM ticket_hold WHERE ticket_id = NEW.id AND released_at IS NULL);
    rotates := session_user <> 'lacuna_request' AND EXISTS (SELECT 1 FROM rewrap WHERE finished_at IS NULL);
    IF NEW.payload_key = OLD.payload_key AND (NEW.payload_sha256 <> OLD.payload_sha256
        OR (NEW.payload_wrapped_key <> OLD.payload_wrapped_key AND NOT rotates
            AND NOT gets_shredding_key(OLD.payload_wrapped_key, NEW.payload_wrapped_key))) THEN
        RAISE EXCEPTION 'the key of the payload of ticket % is replaced by a key rotation alone', NEW.id
            USING ERRCODE = 'LC004';
    END IF;
    IF NEW.payload_key <> OLD.payload_key AND (held OR OLD.payload_wrapped_key IS NULL
        OR OLD.state NOT IN ('received', 'identity_pending', 'under_review')) THEN
        RAISE EXCEPTION 'the material of ticket % is kept as it is', NEW.id USING ERRCODE = 'LC004';
    END IF;
    IF OLD.kit_wrapped_key IS NOT NULL AND ((NEW.kit_key, NEW.kit_sha256) IS DISTINCT FROM (OLD.kit_key, OLD.kit_sha256)
        OR (NEW.kit_wrapped_key <> OLD.kit_wrapped_key AND NOT rotates
            AND NOT gets_shredding_key(OLD.kit_wrapped_key, NEW.kit_wrapped_key))) THEN
        RAISE EXCEPTION 'the key of the kit of ticket % is replaced by a key rotation alone', NEW.id
            USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard_keys BEFORE UPDATE ON ticket
    FOR EACH ROW EXECUTE FUNCTION guard_keys();

-- The name of the shredding key that a wrapped key needs; NULL where it needs none. The key is not in the database.
CREATE FUNCTION shredding_key(wrapped bytea) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT CASE WHEN substring(wrapped FROM 1 FOR 6) = '\x73687265643a'::bytea  -- shred:
        THEN encode(substring(wrapped FROM 7 FOR 32), 'escape') END
$$;

-- Whether a wrapped key that needed no shredding key needs one from now on.
CREATE FUNCTION gets_shredding_key(before bytea, after bytea) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT session_user <> 'lacuna_request' AND shredding_key(before) IS NULL AND shredding_key(after) IS NOT NULL
$$;

-- Notes the shredding key that a wrapped key needed which is taken away or replaced.
CREATE FUNCTION retire_key(of_tenant text, kind text, of_subject text, of_object text, digest text, before bytea, after bytea) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    INSERT INTO retired_key (tenant_id, name, object, subject, object_key, sha256, replaced)
    SELECT of_tenant, shredding_key(before), kind, of_subject, of_object, digest, after IS NOT NULL
    WHERE before IS NOT NULL AND (after IS NULL OR (shredding_key(before) IS NOT NULL
        AND shredding_key(before) IS DISTINCT FROM shredding_key(after)))
$$;
REVOKE ALL ON FUNCTION retire_key(of_tenant text, kind text, of_subject text, of_object text, digest text, before bytea, after bytea) FROM PUBLIC;

-- Notes the keys that are taken from a ticket.
CREATE FUNCTION retire_ticket_keys() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM retire_key(OLD.tenant_id, 'payload', OLD.id, OLD.payload_key, OLD.payload_sha256, OLD.payload_wrapped_key,
        NEW.payload_wrapped_key);
    PERFORM retire_key(OLD.tenant_id, 'kit', OLD.id, OLD.kit_key, OLD.kit_sha256, OLD.kit_wrapped_key,
        NEW.kit_wrapped_key);
    RETURN NULL;
END $$;
CREATE TRIGGER retired AFTER UPDATE OF payload_wrapped_key, kit_wrapped_key ON ticket
    FOR EACH ROW WHEN (((old.payload_wrapped_key IS DISTINCT FROM new.payload_wrapped_key) OR (old.kit_wrapped_key IS DISTINCT FROM new.kit_wrapped_key))) EXECUTE FUNCTION retire_ticket_keys();

-- Notes the key that is taken from a fit.
CREATE FUNCTION retire_fit_key() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM retire_key((SELECT tenant_id FROM ticket WHERE id = OLD.ticket_id), 'rows', OLD.ticket_id, OLD.object_key,
        OLD.sha256, OLD.wrapped_key, NEW.wrapped_key);
    RETURN NULL;
END $$;
CREATE TRIGGER retired AFTER UPDATE OF wrapped_key ON fit_rows
    FOR EACH ROW WHEN ((old.wrapped_key IS DISTINCT FROM new.wrapped_key)) EXECUTE FUNCTION retire_fit_key();

-- Notes the key that is taken from a letter.
CREATE FUNCTION retire_letter_key() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM retire_key((SELECT tenant_id FROM ticket WHERE id = OLD.ticket_id), 'letter', OLD.ticket_id, OLD.id::text,
        OLD.sha256, OLD.wrapped_key, NEW.wrapped_key);
    RETURN NULL;
END $$;
CREATE TRIGGER retired AFTER UPDATE OF wrapped_key ON letter
    FOR EACH ROW WHEN ((old.wrapped_key IS DISTINCT FROM new.wrapped_key)) EXECUTE FUNCTION retire_letter_key();

-- Notes the key that is taken from an import.
CREATE FUNCTION retire_import_key() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM retire_key(OLD.tenant_id, 'import', OLD.id::text, OLD.object_key, NULL, OLD.wrapped_key, NEW.wrapped_key);
    RETURN NULL;
END $$;
CREATE TRIGGER retired AFTER UPDATE OF wrapped_key ON import_job
    FOR EACH ROW WHEN ((old.wrapped_key IS DISTINCT FROM new.wrapped_key)) EXECUTE FUNCTION retire_import_key();

-- Notes the key that is taken from a list of DROP.
CREATE FUNCTION retire_drop_list_key() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM retire_key(OLD.tenant_id, 'import', OLD.id::text, OLD.object_key, NULL, OLD.wrapped_key, NEW.wrapped_key);
    RETURN NULL;
END $$;
CREATE TRIGGER retired AFTER UPDATE OF wrapped_key ON drop_list
    FOR EACH ROW WHEN ((old.wrapped_key IS DISTINCT FROM new.wrapped_key)) EXECUTE FUNCTION retire_drop_list_key();

-- Notes the key that is taken from the contact of a ticket.
CREATE FUNCTION retire_contact_key() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM retire_key(OLD.tenant_id, 'contact', OLD.ticket_id, 'contact/' || OLD.ticket_id, NULL, OLD.wrapped_key,
        NEW.wrapped_key);
    RETURN NULL;
END $$;
CREATE TRIGGER retired AFTER UPDATE OF wrapped_key ON ticket_contact
    FOR EACH ROW WHEN ((old.wrapped_key IS DISTINCT FROM new.wrapped_key)) EXECUTE FUNCTION retire_contact_key();

-- Notes the key of what was sealed for a ticket that was not filed. The control loop destroys it unless a row needs it.
CREATE FUNCTION abandon_key(of_tenant text, of_object text, wrapped bytea) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT retire_key(of_tenant, 'import', of_object, of_object, NULL, wrapped, NULL)
        WHERE shredding_key(wrapped) IS NOT NULL
$$;
REVOKE ALL ON FUNCTION abandon_key(of_tenant text, of_object text, wrapped bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION abandon_key(of_tenant text, of_object text, wrapped bytea) TO lacuna_request;
GRANT EXECUTE ON FUNCTION abandon_key(of_tenant text, of_object text, wrapped bytea) TO lacuna_control;

-- Notes the key that is taken from a form.
CREATE FUNCTION retire_form_key() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM retire_key(OLD.tenant_id, 'import', OLD.id::text, 'form/' || OLD.id, NULL, OLD.wrapped_key,
        NEW.wrapped_key);
    RETURN NULL;
END $$;
CREATE TRIGGER retired AFTER UPDATE OF wrapped_key ON form_request
    FOR EACH ROW WHEN ((old.wrapped_key IS DISTINCT FROM new.wrapped_key)) EXECUTE FUNCTION retire_form_key();

-- With the key of a ticket's payload goes that of its contact.
CREATE FUNCTION destroy_contact() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    UPDATE ticket_contact SET sealed = NULL, wrapped_key = NULL WHERE ticket_id = NEW.id AND wrapped_key IS NOT NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER contact_destroyed AFTER UPDATE OF payload_wrapped_key ON ticket
    FOR EACH ROW WHEN (((old.payload_wrapped_key IS NOT NULL) AND (new.payload_wrapped_key IS NULL))) EXECUTE FUNCTION destroy_contact();

-- The destruction of a key is recorded once.
CREATE FUNCTION guard_retired_key() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF OLD.destroyed_at IS NOT NULL OR NEW.destroyed_at IS NULL
        OR to_jsonb(NEW) - 'destroyed_at' <> to_jsonb(OLD) - 'destroyed_at' THEN
        RAISE EXCEPTION 'the destruction of a key is recorded once' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE UPDATE ON retired_key
    FOR EACH ROW EXECUTE FUNCTION guard_retired_key();

-- A destroyed key of a ticket's fit does not come back for the same object.
CREATE FUNCTION guard_fit_rows() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF OLD.wrapped_key IS NULL AND NEW.wrapped_key IS NOT NULL AND NEW.sha256 = OLD.sha256 THEN
        RAISE EXCEPTION 'the fit of ticket % was destroyed and cannot come back', NEW.ticket_id USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE UPDATE ON fit_rows
    FOR EACH ROW EXECUTE FUNCTION guard_fit_rows();

-- =====================================================================================================================
-- REQUESTS THAT NEED A SECOND PERSON
--
-- Access to an audit kit and the acceptance of a restore begin unconfirmed and are confirmed once (LC004). Whoever
-- confirms is another person than whoever asked: records have names, and person_of() says whose they are.
-- =====================================================================================================================

-- Whose a name in the records of a tenant is.
CREATE FUNCTION person_of(of_tenant text, spelling text) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT person_id FROM person_name WHERE tenant_id = of_tenant AND name = spelling
$$;
REVOKE ALL ON FUNCTION person_of(of_tenant text, spelling text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION person_of(of_tenant text, spelling text) TO lacuna_request;
GRANT EXECUTE ON FUNCTION person_of(of_tenant text, spelling text) TO lacuna_control;

-- Whether two names are those of two people. A name of nobody is that of no second person.
CREATE FUNCTION are_two_people(of_tenant text, one text, other text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT coalesce(person_of(of_tenant, one) <> person_of(of_tenant, other), false)
$$;
REVOKE ALL ON FUNCTION are_two_people(of_tenant text, one text, other text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION are_two_people(of_tenant text, one text, other text) TO lacuna_request;
GRANT EXECUTE ON FUNCTION are_two_people(of_tenant text, one text, other text) TO lacuna_control;

-- Refuses where the second of two names is not that of a second person (LC004).
CREATE FUNCTION require_two_people(of_tenant text, asked text, confirmed text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF confirmed IS NOT NULL AND NOT are_two_people(of_tenant, asked, confirmed) THEN
        RAISE EXCEPTION 'a second person has to confirm this' USING ERRCODE = 'LC004';
    END IF;
END $$;
REVOKE ALL ON FUNCTION require_two_people(of_tenant text, asked text, confirmed text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION require_two_people(of_tenant text, asked text, confirmed text) TO lacuna_request;
GRANT EXECUTE ON FUNCTION require_two_people(of_tenant text, asked text, confirmed text) TO lacuna_control;

-- A break-glass permission is confirmed by a second person.
CREATE FUNCTION guard_second_person() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM require_two_people((SELECT tenant_id FROM model WHERE id = NEW.model_id), NEW.asked_by, NEW.confirmed_by);
    RETURN NEW;
END $$;

-- The acceptance of a restore is confirmed by a second person of the operating tenant.
CREATE FUNCTION guard_acceptance_by_two() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM require_two_people('default', NEW.asked_by, NEW.confirmed_by);
    RETURN NEW;
END $$;
CREATE TRIGGER two_people BEFORE INSERT OR UPDATE ON restore_acceptance
    FOR EACH ROW EXECUTE FUNCTION guard_acceptance_by_two();

-- Access to an audit kit is allowed by a second person.
CREATE FUNCTION guard_kit_second_person() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM require_two_people((SELECT tenant_id FROM ticket WHERE id = NEW.ticket_id), NEW.asked_by, NEW.allowed_by);
    RETURN NEW;
END $$;
CREATE TRIGGER two_people BEFORE INSERT OR UPDATE ON kit_access
    FOR EACH ROW EXECUTE FUNCTION guard_kit_second_person();

-- A legal hold is released by another person than the one who asked for the release.
CREATE FUNCTION guard_release() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM require_two_people((SELECT tenant_id FROM ticket WHERE id = NEW.ticket_id),
        NEW.release_asked_by, NEW.released_by);
    RETURN NEW;
END $$;
CREATE TRIGGER two_people BEFORE INSERT OR UPDATE ON ticket_hold
    FOR EACH ROW EXECUTE FUNCTION guard_release();

-- Whether the person did not file the ticket; of one that the system filed, not who verified the identity.
CREATE FUNCTION may_decide(of_tenant text, filed_by text, verified_by text, decider text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT CASE WHEN filed_by = 'clerk' AND person_of(of_tenant, filed_by) IS NULL
        THEN person_of(of_tenant, decider) IS NOT NULL
            AND (verified_by IS NULL OR are_two_people(of_tenant, decider, verified_by))
        ELSE are_two_people(of_tenant, decider, filed_by) END
$$;
REVOKE ALL ON FUNCTION may_decide(of_tenant text, filed_by text, verified_by text, decider text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION may_decide(of_tenant text, filed_by text, verified_by text, decider text) TO lacuna_request;
GRANT EXECUTE ON FUNCTION may_decide(of_tenant text, filed_by text, verified_by text, decider text) TO lacuna_control;

-- Whether the person never edited the ticket.
CREATE FUNCTION may_approve(of_tenant text, of_ticket text, approver text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT person_of(of_tenant, approver) IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM ticket_event
        WHERE ticket_id = of_ticket AND kind = 'edited' AND NOT are_two_people(of_tenant, actor, approver))
$$;
REVOKE ALL ON FUNCTION may_approve(of_tenant text, of_ticket text, approver text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION may_approve(of_tenant text, of_ticket text, approver text) TO lacuna_request;
GRANT EXECUTE ON FUNCTION may_approve(of_tenant text, of_ticket text, approver text) TO lacuna_control;

-- A ticket is approved by somebody who neither filed it nor edited it at any time (LC004).
CREATE FUNCTION guard_decision() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.decided_by IS NOT NULL THEN
            RAISE EXCEPTION 'a new ticket is not decided' USING ERRCODE = 'LC004';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.decided_by IS NOT NULL AND NEW.state <> 'rejected'
        AND (NEW.decided_by IS DISTINCT FROM OLD.decided_by OR (NEW.state = 'approved' AND OLD.state = 'under_review'))
        AND NOT (may_decide(NEW.tenant_id, NEW.submitted_by, NEW.identity_by, NEW.decided_by)
            AND may_decide(NEW.tenant_id, NEW.last_edited_by, NULL, NEW.decided_by)
            AND may_approve(NEW.tenant_id, NEW.id, NEW.decided_by)) THEN
        RAISE EXCEPTION 'ticket % is approved by somebody who neither filed nor edited it', NEW.id
            USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard_decision BEFORE INSERT OR UPDATE ON ticket
    FOR EACH ROW EXECUTE FUNCTION guard_decision();

-- A ticket in force has a decision when its transaction ends (LC004).
CREATE FUNCTION guard_approval() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM ticket WHERE id = NEW.id AND (
        (state IN ('approved', 'scheduled', 'fitting', 'auditing', 'deploying', 'completed', 'failed', 'regressed')
            AND (decided_by IS NULL OR decided_at IS NULL OR ground IS NULL))
        OR (state = 'rejected' AND (decided_by IS NULL OR decided_at IS NULL OR decision_code IS NULL
            OR person_of(tenant_id, decided_by) IS NULL)))) THEN
        RAISE EXCEPTION 'ticket % is in force, or rejected, without a decision', NEW.id USING ERRCODE = 'LC004';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER decided AFTER INSERT OR UPDATE ON ticket DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (((new.state IN ('approved', 'scheduled', 'fitting', 'auditing', 'deploying', 'completed', 'failed', 'regressed')) AND ((new.decided_by IS NULL) OR (new.decided_at IS NULL) OR (new.ground IS NULL)))) EXECUTE FUNCTION guard_approval();
CREATE CONSTRAINT TRIGGER rejected AFTER UPDATE ON ticket DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN ((new.state = 'rejected')) EXECUTE FUNCTION guard_approval();

-- An access begins unconfirmed, is allowed once, and can then only be ended.
CREATE FUNCTION guard_kit_access() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.allowed_by IS NOT NULL OR NEW.ended_at IS NOT NULL THEN
            RAISE EXCEPTION 'a request for access to an audit kit must begin unconfirmed' USING ERRCODE = 'LC004';
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
        RAISE EXCEPTION 'access to an audit kit cannot be changed: it is allowed once and ended once'
            USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON kit_access
    FOR EACH ROW EXECUTE FUNCTION guard_kit_access();

-- An audit kit is opened only by the person who asked, while the access lasts.
CREATE FUNCTION guard_kit_opening() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM kit_access JOIN ticket ON ticket.id = kit_access.ticket_id
                   WHERE kit_access.id = NEW.access_id AND allowed_at IS NOT NULL AND ended_at IS NULL
                     AND person_of(tenant_id, asked_by) = person_of(tenant_id, NEW.actor)
                     AND clock_timestamp() < kit_access.expires_at) THEN
        RAISE EXCEPTION 'an audit kit is opened only by the person who asked, and only while access lasts'
            USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT ON kit_opening
    FOR EACH ROW EXECUTE FUNCTION guard_kit_opening();

-- An acceptance begins unconfirmed and is confirmed once.
CREATE FUNCTION guard_acceptance() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF (TG_OP = 'INSERT' AND NEW.confirmed_by IS NOT NULL) OR (TG_OP = 'UPDATE' AND (OLD.confirmed_by IS NOT NULL
        OR to_jsonb(NEW) - 'confirmed_by' - 'confirmed_at' <> to_jsonb(OLD) - 'confirmed_by' - 'confirmed_at')) THEN
        RAISE EXCEPTION 'the acceptance of a restore must begin unconfirmed, and is confirmed once'
            USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON restore_acceptance
    FOR EACH ROW EXECUTE FUNCTION guard_acceptance();

-- Also part of this section:
CREATE TRIGGER two_people BEFORE INSERT OR UPDATE ON break_glass
    FOR EACH ROW EXECUTE FUNCTION guard_second_person();

-- =====================================================================================================================
-- WHO WORKS WITH LACUNA
--
-- One administrator is not two people. After the set-up of a tenant, a person is added, a role, the subject of a token
-- or
-- a key for somebody else is given only in the transaction in which a second administrator confirms the grant (LC004).
-- =====================================================================================================================

-- Whether a name has characters that are not seen: controls, marks of direction, fillers, tags.
CREATE FUNCTION has_unseen(name text) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT name ~ '[\u0001-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f]|[\u200b-\u200f\u2028-\u202f\u205f-\u206f\u3164]|[\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U000e0000-\U000e0fff]'
$$;

-- Whether the first people of a tenant were added.
CREATE FUNCTION is_set_up(of_tenant text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT set_up_at IS NOT NULL FROM tenant WHERE id = of_tenant
$$;
REVOKE ALL ON FUNCTION is_set_up(of_tenant text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION is_set_up(of_tenant text) TO lacuna_request;
GRANT EXECUTE ON FUNCTION is_set_up(of_tenant text) TO lacuna_control;

-- Whether a grant of one of these kinds to a person was confirmed in this transaction.
CREATE FUNCTION is_granted_now(of_kind text[], of_person uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT EXISTS (SELECT 1 FROM access_grant WHERE person_id = of_person AND kind = ANY (of_kind)
        AND confirmed_in = pg_current_xact_id()::text AND confirmed_at > now() - interval '1 hour')
$$;
REVOKE ALL ON FUNCTION is_granted_now(of_kind text[], of_person uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION is_granted_now(of_kind text[], of_person uuid) TO lacuna_request;
GRANT EXECUTE ON FUNCTION is_granted_now(of_kind text[], of_person uuid) TO lacuna_control;

-- A tenant is added by two administrators of the operating tenant, and is set up once.
CREATE FUNCTION guard_tenant() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.id <> 'default' AND NOT EXISTS (SELECT 1 FROM tenant_request WHERE tenant_id = NEW.id
            AND confirmed_in = pg_current_xact_id()::text AND confirmed_at > now() - interval '1 hour') THEN
            RAISE EXCEPTION 'a tenant is added when a second administrator confirms it' USING ERRCODE = 'LC004';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.set_up_at IS NOT NULL AND NEW.set_up_at IS DISTINCT FROM OLD.set_up_at THEN
        RAISE EXCEPTION 'tenant % is set up once', NEW.id USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON tenant
    FOR EACH ROW EXECUTE FUNCTION guard_tenant();

-- A tenant is asked for by one administrator and confirmed by another, once, within a day, or ended once.
CREATE FUNCTION guard_tenant_request() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.confirmed_at IS NOT NULL OR NEW.confirmed_in IS NOT NULL OR NEW.ended_at IS NOT NULL THEN
            RAISE EXCEPTION 'a request for a tenant must begin unconfirmed' USING ERRCODE = 'LC004';
        END IF;
    ELSIF OLD.confirmed_at IS NOT NULL OR OLD.ended_at IS NOT NULL
        OR to_jsonb(NEW) - '{confirmed_by,confirmed_at,confirmed_in,ended_by,ended_at}'::text[]
            <> to_jsonb(OLD) - '{confirmed_by,confirmed_at,confirmed_in,ended_by,ended_at}'::text[] THEN
        RAISE EXCEPTION 'a request for a tenant cannot be changed: it is confirmed once, or ended once'
            USING ERRCODE = 'LC004';
    ELSE
        NEW.confirmed_in := CASE WHEN NEW.confirmed_at IS NOT NULL THEN pg_current_xact_id()::text END;
        IF NEW.confirmed_at IS NOT NULL AND OLD.asked_at < now() - interval '25 hours' THEN
            RAISE EXCEPTION 'a request for a tenant is confirmed within a day' USING ERRCODE = 'LC004';
        END IF;
    END IF;
    IF EXISTS (SELECT 1 FROM unnest(ARRAY[NEW.asked_by, NEW.confirmed_by, NEW.ended_by]) AS administrator WHERE
        administrator IS NOT NULL AND NOT EXISTS (SELECT 1 FROM person WHERE id = administrator
            AND tenant_id = 'default' AND disabled_at IS NULL AND 'admin' = ANY (roles))) THEN
        RAISE EXCEPTION 'a tenant is asked for and confirmed by administrators of the operating tenant'
            USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON tenant_request
    FOR EACH ROW EXECUTE FUNCTION guard_tenant_request();

-- A person is added, and given roles, by two administrators. The name never changes.
CREATE FUNCTION guard_person() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF has_unseen(NEW.name) THEN
            RAISE EXCEPTION 'the characters of a name are seen' USING ERRCODE = 'LC004';
        END IF;
        IF is_set_up(NEW.tenant_id) AND NOT (is_granted_now('{person}', NEW.id) AND EXISTS (
            SELECT 1 FROM access_grant WHERE person_id = NEW.id AND kind = 'person' AND tenant_id = NEW.tenant_id
                AND name = NEW.name AND roles @> NEW.roles AND confirmed_at IS NOT NULL)) THEN
            RAISE EXCEPTION 'a person is added when a second administrator confirms it' USING ERRCODE = 'LC004';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.tenant_id, NEW.name, NEW.skeleton, NEW.created_at)
        <> (OLD.id, OLD.tenant_id, OLD.name, OLD.skeleton, OLD.created_at) THEN
        RAISE EXCEPTION 'the name of a person cannot be changed' USING ERRCODE = 'LC004';
    END IF;
    IF (NOT NEW.roles <@ OLD.roles OR (OLD.disabled_at IS NOT NULL AND NEW.disabled_at IS NULL))
        AND NOT (is_granted_now('{roles}', NEW.id) AND EXISTS (
            SELECT 1 FROM access_grant WHERE person_id = NEW.id AND kind = 'roles' AND roles @> NEW.roles
                AND confirmed_in = pg_current_xact_id()::text)) THEN
        RAISE EXCEPTION 'a role is given when a second administrator confirms it' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON person
    FOR EACH ROW EXECUTE FUNCTION guard_person();

-- A new person's name is one of the names of records.
CREATE FUNCTION add_name_of_person() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO person_name (tenant_id, name, person_id) VALUES (NEW.tenant_id, NEW.name, NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER named AFTER INSERT ON person
    FOR EACH ROW EXECUTE FUNCTION add_name_of_person();

-- The subject of a token is given to a person by two administrators, and stays.
CREATE FUNCTION guard_subject() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.issuer <> '' OR NEW.issuer = '' OR (NEW.subject, NEW.person_id, NEW.tenant_id, NEW.given_at)
                <> (OLD.subject, OLD.person_id, OLD.tenant_id, OLD.given_at) THEN
            RAISE EXCEPTION 'the subject of a token stays with its person' USING ERRCODE = 'LC004';
        END IF;
        RETURN NEW;
    END IF;
    NEW.given_at := now();
    IF NEW.tenant_id IS DISTINCT FROM (SELECT tenant_id FROM person WHERE id = NEW.person_id)
        OR NOT (is_granted_now('{person,subject}', NEW.person_id) AND EXISTS (
            SELECT 1 FROM access_grant WHERE person_id = NEW.person_id AND issuer = NEW.issuer
                AND subject = NEW.subject AND confirmed_in = pg_current_xact_id()::text)) THEN
        RAISE EXCEPTION 'a subject is given to a person when a second administrator confirms it'
            USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON person_subject
    FOR EACH ROW EXECUTE FUNCTION guard_subject();

-- A key belongs to a person and has no role that the person does not have.
CREATE FUNCTION guard_api_key() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE holder person;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.id, NEW.tenant_id, NEW.owner, NEW.person_id, NEW.key_sha256)
                IS DISTINCT FROM (OLD.id, OLD.tenant_id, OLD.owner, OLD.person_id, OLD.key_sha256)
            OR (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at) THEN
            RAISE EXCEPTION 'a key stays with its person, and is revoked once' USING ERRCODE = 'LC004';
        END IF;
        RETURN NEW;
    END IF;
    SELECT * INTO holder FROM person WHERE id = person_of(NEW.tenant_id, NEW.owner);
    IF holder.id IS NULL OR holder.disabled_at IS NOT NULL OR NEW.person_id <> holder.id THEN
        RAISE EXCEPTION 'a key belongs to a person' USING ERRCODE = 'LC004';
    END IF;
    NEW.person_id := holder.id;
    IF NOT NEW.roles <@ holder.roles THEN
        RAISE EXCEPTION 'a key has no role that its person does not have' USING ERRCODE = 'LC004';
    END IF;
    IF is_set_up(NEW.tenant_id) AND person_of(NEW.tenant_id, NEW.created_by) IS DISTINCT FROM holder.id
        AND NOT (is_granted_now('{key}', holder.id) AND EXISTS (
            SELECT 1 FROM access_grant WHERE person_id = holder.id AND kind = 'key' AND roles @> NEW.roles
                AND scopes = NEW.scopes AND expires_at IS NOT DISTINCT FROM NEW.expires_at
                AND confirmed_in = pg_current_xact_id()::text)) THEN
        RAISE EXCEPTION 'a key is given to another person when a second administrator confirms it'
            USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON api_key
    FOR EACH ROW EXECUTE FUNCTION guard_api_key();

-- A grant is asked for by one administrator and confirmed by another, once, within a day, or ended once.
CREATE FUNCTION guard_access_grant() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.confirmed_at IS NOT NULL OR NEW.confirmed_in IS NOT NULL OR NEW.ended_at IS NOT NULL THEN
            RAISE EXCEPTION 'a grant must begin unconfirmed' USING ERRCODE = 'LC004';
        END IF;
    ELSIF OLD.confirmed_at IS NOT NULL OR OLD.ended_at IS NOT NULL
        OR to_jsonb(NEW) - '{confirmed_by,confirmed_at,confirmed_in,ended_by,ended_at}'::text[]
            <> to_jsonb(OLD) - '{confirmed_by,confirmed_at,confirmed_in,ended_by,ended_at}'::text[] THEN
        RAISE EXCEPTION 'a grant cannot be changed: it is confirmed once, or ended once' USING ERRCODE = 'LC004';
    ELSE
        NEW.confirmed_in := CASE WHEN NEW.confirmed_at IS NOT NULL THEN pg_current_xact_id()::text END;
        IF NEW.confirmed_at IS NOT NULL AND OLD.asked_at < now() - interval '25 hours' THEN
            RAISE EXCEPTION 'a grant is confirmed within a day' USING ERRCODE = 'LC004';
        END IF;
    END IF;
    IF EXISTS (SELECT 1 FROM unnest(ARRAY[NEW.asked_by, NEW.confirmed_by]) AS administrator WHERE
        administrator IS NOT NULL AND NOT EXISTS (SELECT 1 FROM person WHERE id = administrator
            AND tenant_id = NEW.tenant_id AND disabled_at IS NULL AND 'admin' = ANY (roles))) THEN
        RAISE EXCEPTION 'a grant is asked for and confirmed by administrators' USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON access_grant
    FOR EACH ROW EXECUTE FUNCTION guard_access_grant();

-- Also part of this section:
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON person
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON person_name
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON tenant_request
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- =====================================================================================================================
-- ANNOUNCED CHANGES
--
-- A change that gives a process something to do is announced (NOTIFY) when its transaction is committed: on the channel
-- lacuna_work to the control loop, on lacuna_desired_state to the replicas. An announcement carries nothing. The
-- renewal
-- of a lease is not announced. Every process also looks on its own now and then, so a lost announcement costs time
-- only.
-- =====================================================================================================================

-- Announces on the channels that the trigger names.
CREATE FUNCTION announce() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE channel text;
BEGIN
    FOREACH channel IN ARRAY TG_ARGV LOOP
        PERFORM pg_notify(channel, '');
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER announced AFTER UPDATE ON audit_run
    FOR EACH ROW WHEN ((old.status IS DISTINCT FROM new.status)) EXECUTE FUNCTION announce('lacuna_work');
CREATE TRIGGER announced AFTER UPDATE ON break_glass
    FOR EACH STATEMENT EXECUTE FUNCTION announce('lacuna_work', 'lacuna_desired_state');
CREATE TRIGGER announced AFTER INSERT OR UPDATE ON desired_state
    FOR EACH STATEMENT EXECUTE FUNCTION announce('lacuna_work', 'lacuna_desired_state');
CREATE TRIGGER announced AFTER INSERT ON drop_list
    FOR EACH STATEMENT EXECUTE FUNCTION announce('lacuna_work');
CREATE TRIGGER announced AFTER INSERT ON form_request
    FOR EACH STATEMENT EXECUTE FUNCTION announce('lacuna_work');
CREATE TRIGGER announced AFTER INSERT ON import_job
    FOR EACH STATEMENT EXECUTE FUNCTION announce('lacuna_work');
CREATE TRIGGER announced AFTER INSERT ON outbox
    FOR EACH STATEMENT EXECUTE FUNCTION announce('lacuna_work');
CREATE TRIGGER announced AFTER UPDATE ON refit_run
    FOR EACH ROW WHEN ((old.status IS DISTINCT FROM new.status)) EXECUTE FUNCTION announce('lacuna_work');
CREATE TRIGGER announced AFTER INSERT OR UPDATE ON refit_run_ticket
    FOR EACH STATEMENT EXECUTE FUNCTION announce('lacuna_work');
CREATE TRIGGER announced AFTER UPDATE ON replica
    FOR EACH ROW WHEN (((old.generation IS DISTINCT FROM new.generation) OR (old.state IS DISTINCT FROM new.state) OR (old.version_number IS DISTINCT FROM new.version_number) OR (old.lease_until < now()))) EXECUTE FUNCTION announce('lacuna_work');
CREATE TRIGGER announced AFTER UPDATE ON restore_acceptance
    FOR EACH STATEMENT EXECUTE FUNCTION announce('lacuna_work');
CREATE TRIGGER announced AFTER INSERT ON rewrap
    FOR EACH STATEMENT EXECUTE FUNCTION announce('lacuna_work');
CREATE TRIGGER announced AFTER INSERT ON webhook_delivery
    FOR EACH STATEMENT EXECUTE FUNCTION announce('lacuna_work');
CREATE TRIGGER announced_first AFTER INSERT ON replica
    FOR EACH ROW EXECUTE FUNCTION announce('lacuna_work');

-- Announces a leaf, unless another one waits for its position: then the sequencer knows.
CREATE FUNCTION announce_leaf() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM log_leaf WHERE position IS NULL) THEN
        PERFORM pg_notify('lacuna_work', '');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER announced BEFORE INSERT ON log_leaf
    FOR EACH STATEMENT EXECUTE FUNCTION announce_leaf();

-- =====================================================================================================================
-- THE ONE DELETION
--
-- No service may delete rows. This function is the one exception, and it takes no argument.
-- =====================================================================================================================

-- Deletes the answers to requests with an idempotency key that are older than one day.
CREATE FUNCTION forget_old_answers() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    WITH gone AS (DELETE FROM idempotency_key WHERE created_at < now() - interval '1 day' RETURNING 1)
    SELECT count(*) FROM gone
$$;
REVOKE ALL ON FUNCTION forget_old_answers() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_old_answers() TO lacuna_request;
GRANT EXECUTE ON FUNCTION forget_old_answers() TO lacuna_control;

-- =====================================================================================================================
-- STATISTICS
--
-- PostgreSQL plans queries by them. It makes them by itself, a minute late; an import of many tickets cannot wait.
-- =====================================================================================================================

-- Makes the statistics of tickets anew.
CREATE FUNCTION analyze_tickets() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    ANALYZE ticket;
END $$;
REVOKE ALL ON FUNCTION analyze_tickets() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION analyze_tickets() TO lacuna_request;
GRANT EXECUTE ON FUNCTION analyze_tickets() TO lacuna_control;
