"""People: accounts are rows, keys and subjects of tokens belong to one, and a second person is another row.

What the database compared before were names: upper case, a Cyrillic letter or a space that is not seen made another
person. Names stay in the records that have them, because the log and the history name people, and `person_name` says
whose each spelling is.
"""

import unicodedata
import uuid
from collections.abc import Iterable
from typing import Any

from alembic import op
from sqlalchemy import Connection, text

from shared.domain.person_names import check_name
from shared.errors import BadInput
from shared.text.skeletons import skeleton

revision = "0020"
down_revision = "0019"

# What is not seen in a name: control characters, marks of direction, fillers, variation selectors, tags.
UNSEEN = (
    r"[\u0001-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f]"
    r"|[\u200b-\u200f\u2028-\u202f\u205f-\u206f\u3164]"
    r"|[\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U000e0000-\U000e0fff]"
)

TABLES = rf"""
ALTER TABLE tenant ADD COLUMN set_up_at timestamptz;

CREATE FUNCTION has_unseen(name text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT SET search_path = public, pg_temp AS $$
    SELECT name ~ '{UNSEEN}'
$$;

CREATE TABLE person (
    id uuid PRIMARY KEY,
    tenant_id text NOT NULL REFERENCES tenant,
    name text NOT NULL,
    skeleton text NOT NULL,
    roles text[] NOT NULL,
    created_at timestamptz NOT NULL,
    disabled_at timestamptz,
    UNIQUE (tenant_id, name),
    UNIQUE (tenant_id, skeleton),
    CONSTRAINT person_name_is_plain CHECK (name <> '' AND length(name) <= 200 AND name !~ '[A-Z]'
        AND name = btrim(name)),
    CONSTRAINT person_roles_known CHECK (
        roles <@ ARRAY['requester', 'officer', 'approver', 'auditor', 'operator', 'admin', 'client']),
    CONSTRAINT person_auditor_exclusive CHECK (NOT 'auditor' = ANY (roles) OR cardinality(roles) = 1),
    CONSTRAINT person_operator_apart CHECK (NOT 'operator' = ANY (roles) OR roles <@ ARRAY['operator', 'client'])
);
CREATE TABLE person_name (
    tenant_id text NOT NULL REFERENCES tenant,
    name text NOT NULL,
    person_id uuid NOT NULL REFERENCES person,
    PRIMARY KEY (tenant_id, name)
);
-- An issuer '' is that of the provider that the settings named before this migration.
CREATE TABLE person_subject (
    issuer text NOT NULL,
    subject text NOT NULL CHECK (subject <> ''),
    person_id uuid NOT NULL REFERENCES person,
    PRIMARY KEY (issuer, subject)
);
CREATE TABLE access_grant (
    id uuid PRIMARY KEY,
    tenant_id text NOT NULL REFERENCES tenant,
    kind text NOT NULL CHECK (kind IN ('person', 'roles', 'subject', 'key')),
    person_id uuid NOT NULL,
    name text NOT NULL,
    roles text[] DEFAULT '{{}}' NOT NULL,
    scopes text[] DEFAULT '{{}}' NOT NULL,
    label text DEFAULT '' NOT NULL,
    expires_at timestamptz,
    key_part_sha256 text,
    issuer text,
    subject text,
    asked_by uuid NOT NULL REFERENCES person,
    asked_at timestamptz NOT NULL,
    confirmed_by uuid REFERENCES person,
    confirmed_at timestamptz,
    confirmed_in text,
    ended_by uuid REFERENCES person,
    ended_at timestamptz,
    CONSTRAINT access_grant_by_two CHECK (confirmed_by <> asked_by),
    CONSTRAINT access_grant_confirmed CHECK ((confirmed_by IS NULL) = (confirmed_at IS NULL)),
    CONSTRAINT access_grant_ended CHECK ((ended_by IS NULL) = (ended_at IS NULL)),
    CONSTRAINT access_grant_confirmed_or_ended CHECK (confirmed_at IS NULL OR ended_at IS NULL),
    CONSTRAINT access_grant_key CHECK ((kind = 'key') = (key_part_sha256 IS NOT NULL)),
    CONSTRAINT access_grant_subject CHECK ((issuer IS NULL) = (subject IS NULL)
        AND (kind <> 'subject' OR subject IS NOT NULL))
);
CREATE INDEX access_grant_newest ON access_grant (tenant_id, asked_at DESC);
ALTER TABLE api_key ADD COLUMN person_id uuid REFERENCES person;
CREATE INDEX api_key_person ON api_key (person_id);
"""

GRANTS = """
REVOKE UPDATE ON tenant, api_key FROM lacuna_request;
GRANT UPDATE (set_up_at) ON tenant TO lacuna_request;
GRANT UPDATE (revoked_at, last_used_at) ON api_key TO lacuna_request;
GRANT SELECT, INSERT, UPDATE (roles, disabled_at) ON person TO lacuna_request;
GRANT SELECT (id, name, roles, disabled_at) ON person TO lacuna_inference;
GRANT SELECT ON person_name TO lacuna_request;
GRANT SELECT, INSERT, UPDATE (issuer) ON person_subject TO lacuna_request;
GRANT SELECT, INSERT, UPDATE (confirmed_by, confirmed_at, ended_by, ended_at) ON access_grant TO lacuna_request;
"""

FUNCTIONS = """
CREATE FUNCTION person_of(of_tenant text, spelling text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT person_id FROM person_name WHERE tenant_id = of_tenant AND name = spelling
$$;
REVOKE ALL ON FUNCTION person_of(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION person_of(text, text) TO lacuna_request;

CREATE FUNCTION are_two_people(of_tenant text, one text, other text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(person_of(of_tenant, one) <> person_of(of_tenant, other), false)
$$;
REVOKE ALL ON FUNCTION are_two_people(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION are_two_people(text, text, text) TO lacuna_request;

CREATE FUNCTION is_granted_now(of_kind text[], of_person uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT 1 FROM access_grant WHERE person_id = of_person AND kind = ANY (of_kind)
        AND confirmed_in = pg_current_xact_id()::text AND confirmed_at > now() - interval '1 hour')
$$;
REVOKE ALL ON FUNCTION is_granted_now(text[], uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION is_granted_now(text[], uuid) TO lacuna_request;

CREATE FUNCTION is_set_up(of_tenant text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT set_up_at IS NOT NULL FROM tenant WHERE id = of_tenant
$$;
REVOKE ALL ON FUNCTION is_set_up(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION is_set_up(text) TO lacuna_request;

CREATE FUNCTION guard_tenant() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF OLD.set_up_at IS NOT NULL AND NEW.set_up_at IS DISTINCT FROM OLD.set_up_at THEN
        RAISE EXCEPTION 'tenant % is set up once', NEW.id USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION guard_person() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
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

CREATE FUNCTION add_name_of_person() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO person_name (tenant_id, name, person_id) VALUES (NEW.tenant_id, NEW.name, NEW.id);
    RETURN NULL;
END $$;

CREATE FUNCTION guard_subject() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.issuer <> '' OR NEW.issuer = '' OR (NEW.subject, NEW.person_id) <> (OLD.subject, OLD.person_id) THEN
            RAISE EXCEPTION 'the subject of a token stays with its person' USING ERRCODE = 'LC004';
        END IF;
    ELSIF NOT (is_granted_now('{person,subject}', NEW.person_id) AND EXISTS (
        SELECT 1 FROM access_grant WHERE person_id = NEW.person_id AND issuer = NEW.issuer AND subject = NEW.subject
            AND confirmed_in = pg_current_xact_id()::text)) THEN
        RAISE EXCEPTION 'a subject is given to a person when a second administrator confirms it'
            USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;

-- The version before does not know `person_id`: the owner's name says whose the key is.
CREATE FUNCTION guard_api_key() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
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

CREATE FUNCTION guard_access_grant() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
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

CREATE TRIGGER guard BEFORE UPDATE ON tenant FOR EACH ROW EXECUTE FUNCTION guard_tenant();
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON person FOR EACH ROW EXECUTE FUNCTION guard_person();
CREATE TRIGGER named AFTER INSERT ON person FOR EACH ROW EXECUTE FUNCTION add_name_of_person();
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON person_subject FOR EACH ROW EXECUTE FUNCTION guard_subject();
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON api_key FOR EACH ROW EXECUTE FUNCTION guard_api_key();
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON access_grant FOR EACH ROW EXECUTE FUNCTION guard_access_grant();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON person_name
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON person FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

# The names are compared by triggers from now on, whose they are.
SEPARATION = """
ALTER TABLE ticket DROP CONSTRAINT ticket_check;
ALTER TABLE ticket_hold DROP CONSTRAINT ticket_hold_check2;
ALTER TABLE ticket_hold DROP CONSTRAINT ticket_hold_check,
    ADD CONSTRAINT ticket_hold_check CHECK (released_by IS NULL OR release_asked_by IS NOT NULL);
ALTER TABLE break_glass DROP CONSTRAINT break_glass_check, DROP CONSTRAINT break_glass_check4;
ALTER TABLE kit_access DROP CONSTRAINT kit_access_check;
ALTER TABLE restore_acceptance DROP CONSTRAINT restore_acceptance_check1;

CREATE FUNCTION may_approve(of_tenant text, of_ticket text, approver text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT person_of(of_tenant, approver) IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM ticket_event
        WHERE ticket_id = of_ticket AND kind = 'edited' AND NOT are_two_people(of_tenant, actor, approver))
$$;
REVOKE ALL ON FUNCTION may_approve(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION may_approve(text, text, text) TO lacuna_request;

CREATE FUNCTION guard_decision() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.decided_by IS NOT NULL THEN
            RAISE EXCEPTION 'a new ticket is not decided' USING ERRCODE = 'LC004';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.decided_by IS NOT NULL AND NEW.state <> 'rejected'
        AND (NEW.decided_by IS DISTINCT FROM OLD.decided_by OR (NEW.state = 'approved' AND OLD.state = 'under_review'))
        AND NOT (are_two_people(NEW.tenant_id, NEW.decided_by, NEW.submitted_by)
            AND are_two_people(NEW.tenant_id, NEW.decided_by, NEW.last_edited_by)
            AND may_approve(NEW.tenant_id, NEW.id, NEW.decided_by)) THEN
        RAISE EXCEPTION 'ticket % is approved by somebody who neither filed nor edited it', NEW.id
            USING ERRCODE = 'LC004';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard_decision BEFORE INSERT OR UPDATE ON ticket FOR EACH ROW EXECUTE FUNCTION guard_decision();

-- At the end of the transaction: the version before writes the state first and the decision after it.
CREATE FUNCTION guard_approval() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM ticket WHERE id = NEW.id
        AND state IN ('approved', 'scheduled', 'fitting', 'auditing', 'deploying', 'completed', 'failed', 'regressed')
        AND (decided_by IS NULL OR decided_at IS NULL OR ground IS NULL)) THEN
        RAISE EXCEPTION 'ticket % is in force without a decision', NEW.id USING ERRCODE = 'LC004';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER decided AFTER INSERT OR UPDATE ON ticket DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.state IN ('approved', 'scheduled', 'fitting', 'auditing', 'deploying', 'completed', 'failed',
        'regressed') AND (NEW.decided_by IS NULL OR NEW.decided_at IS NULL OR NEW.ground IS NULL))
    EXECUTE FUNCTION guard_approval();

CREATE FUNCTION require_two_people(of_tenant text, asked text, confirmed text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF confirmed IS NOT NULL AND NOT are_two_people(of_tenant, asked, confirmed) THEN
        RAISE EXCEPTION 'a second person has to confirm this' USING ERRCODE = 'LC004';
    END IF;
END $$;
REVOKE ALL ON FUNCTION require_two_people(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION require_two_people(text, text, text) TO lacuna_request;

CREATE FUNCTION guard_release() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM require_two_people((SELECT tenant_id FROM ticket WHERE id = NEW.ticket_id),
        NEW.release_asked_by, NEW.released_by);
    RETURN NEW;
END $$;
CREATE TRIGGER two_people BEFORE INSERT OR UPDATE ON ticket_hold FOR EACH ROW EXECUTE FUNCTION guard_release();

CREATE FUNCTION guard_kit_second_person() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM require_two_people((SELECT tenant_id FROM ticket WHERE id = NEW.ticket_id), NEW.asked_by, NEW.allowed_by);
    RETURN NEW;
END $$;
CREATE TRIGGER two_people BEFORE INSERT OR UPDATE ON kit_access
    FOR EACH ROW EXECUTE FUNCTION guard_kit_second_person();

CREATE FUNCTION guard_second_person() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM require_two_people((SELECT tenant_id FROM model WHERE id = NEW.model_id), NEW.asked_by, NEW.confirmed_by);
    RETURN NEW;
END $$;
CREATE TRIGGER two_people BEFORE INSERT OR UPDATE ON break_glass
    FOR EACH ROW EXECUTE FUNCTION guard_second_person();
CREATE TRIGGER two_people BEFORE INSERT OR UPDATE ON restore_acceptance
    FOR EACH ROW EXECUTE FUNCTION guard_second_person();

CREATE OR REPLACE FUNCTION guard_kit_opening() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
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
"""

# Every name that an older record has, with the tenant that it belongs to.
OF_TICKET = "FROM {table} AS record JOIN ticket ON ticket.id = record.ticket_id"
OF_MODEL = "FROM {table} AS record JOIN model ON model.id = record.model_id"
SPELLINGS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("api_key", ("owner", "created_by"), "FROM api_key AS record"),
    ("ticket", ("submitted_by", "last_edited_by", "decided_by", "identity_by"), "FROM ticket AS record"),
    ("ticket_event", ("actor",), OF_TICKET),
    ("ticket_clock", ("actor",), OF_TICKET),
    ("ticket_hold", ("set_by", "release_asked_by", "released_by"), OF_TICKET),
    ("kit_access", ("asked_by", "allowed_by", "ended_by"), OF_TICKET),
    ("break_glass", ("asked_by", "confirmed_by", "ended_by"), OF_MODEL),
    ("restore_acceptance", ("asked_by", "confirmed_by"), OF_MODEL),
    ("desired_state", ("changed_by",), OF_MODEL),
    ("promotion", ("actor",), OF_MODEL),
    ("retain_set", ("added_by",), OF_MODEL),
    ("retain_choice", ("changed_by",), OF_MODEL),
    ("webhook", ("created_by",), "FROM webhook AS record"),
    ("import_job", ("owner",), "FROM import_job AS record"),
)
SYSTEM = "clerk"
OIDC = "oidc:"
# What a token gave is not known here: its roles are compared with these, and never exclude each other.
ROLES_OF_TOKENS = ["requester", "officer", "approver", "admin", "client"]


def upgrade() -> None:
    """Add it."""
    op.execute(TABLES)
    op.execute(GRANTS)
    _add_people(op.get_bind())
    op.execute("UPDATE tenant SET set_up_at = now() WHERE EXISTS (SELECT 1 FROM api_key WHERE tenant_id = tenant.id)")
    op.execute("ALTER TABLE api_key ALTER COLUMN person_id SET NOT NULL")
    op.execute(FUNCTIONS)
    op.execute(SEPARATION)


def _add_people(connection: Connection) -> None:
    """A person for each skeleton of the names that older records have, and all its spellings."""
    spellings: dict[tuple[str, str], dict[str, None]] = {}
    for tenant, name in _names(connection):
        spellings.setdefault((tenant, skeleton(name)), {})[name] = None
    taken: set[tuple[str, str]] = set()
    for (tenant, form), names in spellings.items():
        person = uuid.uuid4()
        name = _new_name(names, person)
        if (tenant, name) in taken:
            name = _placeholder(person)
        taken.add((tenant, name))
        connection.execute(
            text(
                "INSERT INTO person (id, tenant_id, name, skeleton, roles, created_at) "
                "VALUES (:id, :tenant, :name, :skeleton, :roles, now())"
            ),
            {
                "id": person,
                "tenant": tenant,
                "name": name,
                "skeleton": skeleton(name) if name == _placeholder(person) else form,
                "roles": _roles(connection, tenant, list(names)),
            },
        )
        for spelling in {**names, name: None}:
            connection.execute(
                text(
                    "INSERT INTO person_name (tenant_id, name, person_id) VALUES (:tenant, :name, :person) "
                    "ON CONFLICT DO NOTHING"
                ),
                {"tenant": tenant, "name": spelling, "person": person},
            )
            if spelling.startswith(OIDC) and len(spelling) > len(OIDC):
                connection.execute(
                    text("INSERT INTO person_subject VALUES ('', :subject, :person) ON CONFLICT DO NOTHING"),
                    {"subject": spelling.removeprefix(OIDC), "person": person},
                )
        connection.execute(
            text("UPDATE api_key SET person_id = :person WHERE tenant_id = :tenant AND owner = ANY (:names)"),
            {"person": person, "tenant": tenant, "names": list(names)},
        )


def _names(connection: Connection) -> Iterable[tuple[str, str]]:
    """Tenant and name, the names of keys first, each once: the first spelling gives a person its name."""
    seen: dict[tuple[str, str], None] = {}
    for table, columns, source in SPELLINGS:
        for column in columns:
            rows = connection.execute(
                text(
                    f"SELECT DISTINCT tenant_id, record.{column} {source.format(table=table)} "
                    f"WHERE record.{column} IS NOT NULL AND record.{column} <> :system ORDER BY 1, 2"
                ),
                {"system": SYSTEM},
            )
            seen |= dict.fromkeys(rows)
    return seen


def _new_name(names: Iterable[str], person: uuid.UUID) -> str:
    """The first spelling that is a name, as names are kept."""
    for spelling in names:
        try:
            return check_name(spelling.strip())
        except BadInput:
            plain = "".join(c for c in unicodedata.normalize("NFKC", spelling) if c.isalnum() or c in " .-_@+:")
            try:
                return check_name(" ".join(plain.split()))
            except BadInput:
                continue
    return _placeholder(person)


def _placeholder(person: uuid.UUID) -> str:
    return f"account {person.hex[:12]}"


def _roles(connection: Connection, tenant: str, names: list[str]) -> list[str]:
    """The roles of the person's keys, the usable and then the older ones first, without any that these exclude."""
    keys: Any = connection.scalars(
        text(
            "SELECT roles FROM api_key WHERE tenant_id = :tenant AND owner = ANY (:names) "
            "ORDER BY revoked_at IS NOT NULL, expires_at < now(), created_at"
        ),
        {"tenant": tenant, "names": names},
    )
    roles = ROLES_OF_TOKENS if all(name.startswith(OIDC) for name in names) else []
    for of_key in keys:
        both = sorted({*roles, *of_key})
        auditor, operator = "auditor" in both, "operator" in both
        if not (auditor and len(both) > 1) and not (operator and not {*both} <= {"operator", "client"}):
            roles = both
    return roles


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
