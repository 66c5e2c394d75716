"""The control loop alone places leaves, signs the log and its certificates: the request API only reads them.

Whoever takes over the request API, which everybody reaches, can still append a leaf, and nothing else to the log.
"""

from alembic import op

revision = "0029"
down_revision = "0028"

GRANTS = """
REVOKE UPDATE (position, leaf_hash) ON log_leaf FROM lacuna_request;
REVOKE INSERT ON log_checkpoint, log_timestamp, certificate FROM lacuna_request;
"""


def upgrade() -> None:
    """Take the grants away."""
    op.execute(GRANTS)


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
