"""Retain sets of an operator's own, which of them is in use, and what a refit tells while it runs."""

from alembic import op

revision = "0004"
down_revision = "0001"

TABLES = """
CREATE TABLE retain_set (
    model_id text NOT NULL REFERENCES model, number integer NOT NULL CHECK (number > 0), digest text NOT NULL,
    object_key text NOT NULL, sha256 text NOT NULL, wrapped_key bytea NOT NULL, seed integer NOT NULL,
    counts jsonb NOT NULL, added_by text NOT NULL, added_at timestamptz NOT NULL,
    PRIMARY KEY (model_id, number), UNIQUE (model_id, digest));
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON retain_set
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE retain_choice (
    model_id text PRIMARY KEY REFERENCES model, number integer, changed_by text NOT NULL,
    changed_at timestamptz NOT NULL, FOREIGN KEY (model_id, number) REFERENCES retain_set);

ALTER TABLE refit_run ADD progress jsonb, ADD notes jsonb;
ALTER TABLE refit_run_ticket ADD detail text;
"""

GRANTS = """
GRANT SELECT, INSERT ON retain_set TO lacuna_request;
GRANT SELECT, INSERT, UPDATE ON retain_choice TO lacuna_request;
GRANT SELECT ON retain_set, retain_choice TO lacuna_refit;
GRANT SELECT ON retain_set TO lacuna_audit;
"""


def upgrade() -> None:
    """Make everything."""
    op.execute(TABLES)
    op.execute(GRANTS)


def downgrade() -> None:
    """Not taken back: versions name the sets that they were made with."""
    raise NotImplementedError("restore a backup instead")
