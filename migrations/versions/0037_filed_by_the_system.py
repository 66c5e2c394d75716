"""Requests that nobody of the operator filed can be approved: by somebody else than whoever verified the identity.

They are filed by the system (`clerk`), which is no person: what a form, an agent or a deletion list brings.
"""

from alembic import op

revision = "0037"
down_revision = "0031"

DECISION = """
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
CREATE OR REPLACE FUNCTION guard_decision() RETURNS trigger
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
"""


def upgrade() -> None:
    """Replace the check of a decision."""
    op.execute(DECISION)


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
