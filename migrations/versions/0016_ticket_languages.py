"""The languages in which a person is asked about, by ticket."""

from alembic import op

revision = "0016"
down_revision = "0015"

# BCP 47 primary subtags. Which ones there are wordings for is the application's to know: it grows without a migration.
# Earlier tickets, and those that the version before still files, are asked about in English, as they were.
COLUMN = """
ALTER TABLE ticket
    ADD COLUMN languages text[] DEFAULT '{en}' NOT NULL,
    ADD CONSTRAINT ticket_languages_check
        CHECK (cardinality(languages) >= 1 AND cardinality(languages) <= 20
            AND array_position(languages, NULL) IS NULL);
"""


def upgrade() -> None:
    """Add it."""
    op.execute(COLUMN)


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
