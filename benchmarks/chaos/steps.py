"""The named steps of a ticket's life and of a refit, and the function boundary at which each one is. Plain data.

A step stands "before" or "after" a function that production code calls anyway. `follows` narrows it to the first such
call after a call of another function: a commit has no function of its own and is recognised by what is called next.
`key` narrows it to objects whose key has that prefix. Nothing in services or shared knows this table:
`fault_injection.py` wraps the functions in the processes of a chaos stack. A test checks that every function exists.
"""

from dataclasses import dataclass
from typing import Final, Literal

Place = Literal["before", "after"]
# What the officer does to make a process arrive at the step; `fresh`: the stored statistics are deleted before.
Act = Literal["file", "approve", "withdraw", "any", "fresh"]


@dataclass(frozen=True)
class Step:
    """`process` performs the step; `target` and `follows` are `module:attribute.attribute`."""

    name: str
    process: str
    place: Place
    target: str
    follows: str = ""
    key: str = ""  # prefix of the object's key
    word: str = ""  # one of the arguments equals this word
    act: Act = "any"


_S3 = "shared.storage.s3:S3Store.put"
_REFIT, _ROWS = "services.refit.pipeline", "shared.db.repositories.refits"
_ONCE = "services.request.api.idempotency:Mutation.run_once"
_VERSIONS = "shared.db.repositories.erasers"
_SEND = "celery.app.base:Celery.send_task"
_DESIRED, _ADVANCE = "shared.db.repositories.rollouts:set_desired_state", "shared.db.repositories.tickets:advance"

STEPS: Final[tuple[Step, ...]] = (
    Step("payload-stored", "request", "after", "services.request.tickets.intake:seal_material", act="file"),
    Step("ticket-row-written", "request", "after", "services.request.tickets.intake:insert_tickets", act="file"),
    Step("ticket-committed", "request", "after", _ONCE, act="file"),
    Step("outbox-written", "request", "after", "services.request.tickets.service:approve", act="approve"),
    Step("approval-committed", "request", "after", _ONCE, act="approve"),
    Step("withdrawal-written", "request", "after", "services.request.tickets.service:withdraw", act="withdraw"),
    Step("withdrawal-committed", "request", "after", _ONCE, act="withdraw"),
    Step("message-taken", "control-loop", "before", _SEND),
    Step("message-published", "control-loop", "after", _SEND),
    Step("publication-noted", "control-loop", "before", "services.request.break_glass.service:expire", follows=_SEND),
    Step("lease-written", "refit", "after", f"{_ROWS}:claim_run"),
    Step("lease-taken", "refit", "before", f"{_REFIT}:refit"),
    Step("tickets-gathered", "refit", "after", f"{_REFIT}:_delete_retired_fits"),
    Step("statistics-uploaded", "refit", "after", _S3, key="statistics/", act="fresh"),
    Step("statistics-done", "refit", "after", "services.refit.context:RefitContext.statistics"),
    Step("payload-opened", "refit", "after", "services.refit.pipeline:probes"),
    Step("rows-made", "refit", "after", f"{_REFIT}:_fit_ticket"),
    Step("rows-uploaded", "refit", "after", _S3, key="rows/"),
    Step("rows-written", "refit", "after", "shared.db.repositories.ticket_fits:record_fit"),
    Step("eraser-assembled", "refit", "after", "shared.erasure.assembly:assemble"),
    Step("self-tested", "refit", "after", f"{_REFIT}:_self_test"),
    Step("artifact-uploaded", "refit", "after", _S3, key="erasers/"),
    Step("version-written", "refit", "after", f"{_VERSIONS}:add_version"),
    Step("version-committed", "refit", "after", f"{_REFIT}:_publish"),
    Step("refit-returned", "refit", "after", "services.refit.tasks:run_order", follows=f"{_VERSIONS}:add_version"),
    Step("audit-claimed", "audit", "after", "shared.db.repositories.audits:claim_audit"),
    Step("audit-started", "audit", "after", "shared.artifacts.erasers:load_verified_eraser"),
    Step("audit-measured", "audit", "after", "services.audit.suite:Suite.audit"),
    Step("verdict-written", "audit", "after", "shared.db.repositories.audits:finish_audit"),
    Step("verdict-committed", "audit", "after", "services.audit.tasks:audit_version"),
    Step("promotion-written", "control-loop", "after", _DESIRED),
    Step(
        "promotion-committed",
        "control-loop",
        "before",
        "services.request.tickets.progress:move_tickets",
        follows=_DESIRED,
    ),
    Step("eraser-fetched", "inference", "after", "shared.artifacts.erasers:load_verified_eraser"),
    Step("eraser-swapped", "inference", "after", "services.inference.active_eraser:ActiveEraser.serve"),
    Step(
        "acknowledgement-written",
        "inference",
        "after",
        "shared.db.repositories.rollouts:record_replica_state",
        follows="services.inference.active_eraser:ActiveEraser.serve",
    ),
    Step("completion-written", "control-loop", "after", _ADVANCE, word="complete"),
    Step("move-committed", "control-loop", "before", "services.request.tickets.escalations:escalate", follows=_ADVANCE),
    Step("leaves-placed", "control-loop", "after", "shared.db.repositories.audit_log:assign_positions"),
    Step(
        "checkpoint-signed",
        "control-loop",
        "before",
        "services.request.audit_log.sequencer:Sequencer._publish",
        follows="shared.db.repositories.audit_log:assign_positions",
    ),
    Step("checkpoint-uploaded", "control-loop", "after", _S3, key="log/checkpoints/"),
    Step(
        "certificate-written", "control-loop", "after", "services.request.certificates.issuer:CertificateIssuer._issue"
    ),
    Step("kit-made", "control-loop", "after", _S3, key="kits/"),
    Step("payload-destroyed", "control-loop", "after", "services.request.retention.service:shred_key"),
    Step("mark-raised", "control-loop", "after", _S3, key="highwater/"),
)
STEPS_BY_NAME: Final = {step.name: step for step in STEPS}
