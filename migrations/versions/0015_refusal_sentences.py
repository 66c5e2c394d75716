"""The sentences with which the triggers refuse a change, rewritten so that a user can understand them.

Only the sentences change: each function is read from the database, its sentences are replaced, and it is written back.
Its rule, SQLSTATE, owner and grants stay as they are. A user sees a sentence after "The database refuses: ".
"""

from alembic import op
from sqlalchemy import text

revision = "0015"
down_revision = "0014"

SENTENCES = {  # by function: the sentence before, the sentence now
    "guard_leaf": {
        "log_leaf is append-only: a leaf begins without a place": "log_leaf is append-only: a new leaf has no position",
    },
    "guard_checkpoint": {
        "a checkpoint is larger than all before it": "a new checkpoint must be larger than every earlier one",
    },
    "guard_exposure": {
        "the ledger is not rewritten": "an exposure cannot be changed: its end is recorded once",
    },
    "guard_desired_state": {
        "a generation only grows": "the generation of the desired state must grow",
    },
    "guard_version": {
        "a version commits to the tickets that it covers": "a new version must state the Merkle root of its tickets",
    },
    "guard_break_glass": {
        "breaking the glass begins with asking": "a break-glass request must begin unconfirmed",
        "a broken glass is not changed, only ended": (
            "a break-glass request cannot be changed: it is confirmed once and ended once"
        ),
    },
    "guard_break_glass_ticket": {
        "nobody is added after the confirmation": "no ticket can be added to a confirmed break-glass request",
    },
    "guard_ticket": {
        "a ticket begins with being received": "a new ticket must be received, under_review or duplicate",
        "a ticket does not go from % to %": "a ticket cannot go from % to %",
        "what a ticket began with, and since when it is required, stays": (
            "id, tenant, model and submitter of a ticket, and since when it is required, cannot be changed"
        ),
        "ticket % is not covered by what is served": (
            "ticket % cannot be completed: the desired version does not cover it"
        ),
        "ticket % is held": "ticket % is under a legal hold",
    },
    "guard_disposal": {
        "the payload of ticket % was destroyed": "the payload of ticket % was destroyed and cannot come back",
        "destroying the payload of ticket % leaves a proof": (
            "the payload of ticket % cannot be destroyed without a disposal record"
        ),
        "destroying the kit of ticket % leaves a proof": (
            "the kit of ticket % cannot be destroyed under a hold or without a disposal record"
        ),
    },
    "guard_hold": {
        "a hold begins unreleased": "a new legal hold must not be released yet",
        "a hold is released, never changed": "a legal hold cannot be changed: it is released once",
    },
    "guard_fit_rows": {
        "the rows of ticket % were destroyed": "the fit of ticket % was destroyed and cannot come back",
    },
    "guard_kit_access": {
        "looking into a kit begins with asking": "a request for access to an audit kit must begin unconfirmed",
        "access to a kit is not changed, only ended": (
            "access to an audit kit cannot be changed: it is allowed once and ended once"
        ),
    },
    "guard_kit_opening": {
        "nobody has allowed that": "an audit kit is opened only by the person who asked, and only while access lasts",
    },
    "guard_acceptance": {
        "accepting an older database begins with asking, and is confirmed once": (
            "the acceptance of a restore must begin unconfirmed, and is confirmed once"
        ),
    },
}
WIDTH = 120  # of a line of schema.sql


def upgrade() -> None:
    """Replace the sentences; raises ValueError where a function does not hold one of them exactly once."""
    connection = op.get_bind()
    for name, sentences in SENTENCES.items():
        query = text("SELECT pg_get_functiondef(('public.' || :name)::regproc)")
        definition = str(connection.execute(query, {"name": name}).scalar_one())
        for before, now in sentences.items():
            if definition.count(f"EXCEPTION '{before}'") != 1:
                raise ValueError(f"{name} does not refuse with '{before}'")
            definition = definition.replace(f"EXCEPTION '{before}'", f"EXCEPTION '{now}'")
        definition = "\n".join(
            line.replace(" USING ERRCODE", "\n            USING ERRCODE") if len(line) > WIDTH else line
            for line in definition.split("\n")
        )
        connection.exec_driver_sql(definition.replace("%", "%%"))  # the driver reads % as a placeholder


def downgrade() -> None:
    """Not taken back, like the first schema."""
    raise NotImplementedError("restore a backup instead")
