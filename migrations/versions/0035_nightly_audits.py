"""Nightly audits stand beside those of candidates. They say nothing about promotion, so they have no verdict.

`ticket_results` says of each ticket that a nightly audit has asked about whether it passed, and why: the whole report
is large, and the control loop looks often.
"""

from alembic import op

revision = "0035"
down_revision = "0030"

NIGHTLY = """
ALTER TABLE audit_run ADD COLUMN kind text NOT NULL DEFAULT 'candidate' CHECK (kind IN ('candidate', 'nightly'));
ALTER TABLE audit_run ADD COLUMN ticket_results jsonb;
ALTER TABLE audit_run ADD CONSTRAINT audit_run_nightly_verdict CHECK (kind = 'candidate' OR verdict IS NULL);
"""


def upgrade() -> None:
    """Add what kind an audit is, and what a nightly one found."""
    op.execute(NIGHTLY)


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
