"""What a certificate of suppression says, as one in-toto statement made of database rows. Signs nothing.

It says what was decided, what is served and what the audit measured, and, as plainly, what is not claimed. It holds no
personal data: the ticket is named by its id, and people who acted by their accounts.
"""

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Literal

from shared.db.models.audits import AuditRun
from shared.db.models.erasers import DesiredState, EraserVersion, Promotion, Replica
from shared.db.models.tickets import Ticket
from shared.db.models.transparency import LogLeaf
from shared.db.repositories.audits import FullFigures
from shared.domain.ticket_lifecycle import CLOSED
from shared.domain.ticket_scope import scope
from shared.transparency.certificate_verifier import STATEMENT, LogEntryProof
from shared.transparency.leaves import leaf_time
from shared.transparency.media_types import PREDICATE_TYPE
from shared.transparency.merkle_tree import leaf_hash

CLAIM: Final = (
    "When asked through this installation, the model answers about this person as it does about a stranger, as far as "
    "the audit below measured it."
)
NOT_CLAIMED: Final = (
    "The weights of the model are unchanged: whoever has them has what they know.",
    "Nothing is said of other models, other installations, training data, backups or copies elsewhere.",
    "The audit asks a finite number of questions; its intervals speak of such questions and not of an adversary.",
    "A later certificate may replace or suspend this one: the highest number of the ticket stands.",
    "The log and its key are the operator's own: independence begins with a checkpoint kept, or a time-stamp made "
    "(RFC 3161, in the bundle where there is one), by somebody else.",
)
NOT_RUN: Final = "The audit did not run: %(name)s."
NOTHING: Final = "None: the certificates of this ticket with lower numbers are suspended."
UNKEPT: Final = "No statutory clock was kept."
METHOD: Final = "activation steering at inference time"
VERIFY: Final = "lacuna verify certificate FILE --key log-keys.txt"
_Z: Final = 1.959964  # the normal distribution's 97.5 % point: intervals at 95 %


@dataclass(frozen=True)
class CertificateHeader:
    """Which certificate it is, whether the suppression holds, and why it was issued."""

    id: str
    number: int
    issued_at: str
    replaces: int | None  # the number of the certificate before it
    status: Literal["in_force", "suspended"]
    reason: str


@dataclass(frozen=True)
class CertificateFacts:
    """What is known of a completed ticket and of the version that covers it.

    `coverage` is the proof that the version covers the ticket, `log` what `log_part` gives, and `disposals` are the
    leaves that say what of the ticket was destroyed.
    """

    ticket: Ticket
    completed_at: datetime
    version: EraserVersion
    audit: AuditRun | None
    state: DesiredState
    promotion: Promotion | None
    replicas: Sequence[Replica]
    coverage: Mapping[str, Any]
    log: Mapping[str, Any]
    disposals: Sequence[LogLeaf] = ()
    in_full: FullFigures | None = None  # what the last audit in full found of the ticket
    controller: Mapping[str, str] | None = None  # who is responsible: name, address, contact


def in_force(header: CertificateHeader, facts: CertificateFacts) -> dict[str, Any]:
    """The statement about a completed ticket."""
    ticket, version, audit, state = facts.ticket, facts.version, facts.audit, facts.state
    report = (audit.report if audit else None) or {}
    own = report.get("ticket_verdicts", {}).get(ticket.id)
    full = facts.in_full
    payload = version.envelope.get("payload")
    predicate = {
        "certificate": asdict(header),
        "controller": dict(facts.controller) if facts.controller else None,
        "claim": CLAIM,
        "not_claimed": [*NOT_CLAIMED, *(NOT_RUN % {"name": name} for name in report.get("not_run", []))],
        "ticket": _ticket(ticket) | {"completed_at": _iso(facts.completed_at)},
        "scope": list(scope(names=len(ticket.subject_index), photographs=ticket.photos, facts=ticket.facts)),
        "deadline": _deadline(ticket, facts.completed_at),
        "model": {"id": ticket.model_id, "site": version.manifest.get("site")},
        "method": {"recipe": version.recipe, "kind": METHOD},
        "eraser": {
            "version": version.number,
            "sha256": version.sha256,
            "manifest_sha256": sha256(base64.b64decode(payload)).hexdigest() if payload else None,
            "created_at": _iso(version.created_at),
        },
        "coverage": dict(facts.coverage),
        "audit": {
            "verdict": audit.verdict if audit else None,
            "finished_at": _iso(audit.finished_at) if audit else None,
            "figures": figures(report.get("tickets", {}).get(ticket.id, {})),
            "ticket": _asked(own) if own else None,
            "ticket_in_full": _asked(full.row) | {"version": full.version, "finished_at": _iso(full.finished_at)}
            if full and full.version != version.number
            else None,
            "integrity": report.get("integrity", {}),
        },
        "serving": {
            "generation": state.generation,
            "this_version_since": _iso(facts.promotion.at if facts.promotion else state.changed_at),
            "suppressed_since": _iso(ticket.required_since),
            "replicas": [
                {
                    "id": replica.id,
                    "version": replica.version_number,
                    "generation": replica.generation,
                    "at": _iso(replica.acked_at),
                }
                for replica in facts.replicas
            ],
        },
        "payload": disposal(ticket, facts.disposals),
        "destroyed": destroyed(facts.disposals),
        "log": dict(facts.log),
        "verify": VERIFY,
    }
    subject = [_subject(ticket.id, facts.log), {"name": version.object_key, "digest": {"sha256": version.sha256}}]
    return _statement(subject, predicate)


def suspended(
    header: CertificateHeader, ticket: Ticket, disposals: Sequence[LogLeaf], log: Mapping[str, Any]
) -> dict[str, Any]:
    """The statement that what was certified no longer holds."""
    predicate = {
        "certificate": asdict(header),
        "claim": NOTHING,
        "not_claimed": list(NOT_CLAIMED),
        "ticket": _ticket(ticket) | {"state": ticket.state},
        "model": {"id": ticket.model_id},
        "payload": disposal(ticket, disposals),
        "destroyed": destroyed(disposals),
        "log": dict(log),
        "verify": VERIFY,
    }
    return _statement([_subject(ticket.id, log)], predicate)


DISPOSALS: Final = {
    "key_destroyed": "Whoever destroyed the key made the sealed object unreadable; copies of the key in backups last "
    "until those expire.",
    "destruction_pending": "Photos and facts still exist, encrypted under a key of their own. That key is to be "
    "destroyed when the time for which they are kept is over, unless a legal hold keeps them; another certificate then "
    "says so.",
    "sealed_and_kept": "Photos and facts are encrypted under a key of their own, until that key is destroyed.",
}


def log_part(note: str, size: int, entries: Sequence[LogEntryProof]) -> dict[str, Any]:
    """A checkpoint with leaves that it covers and their proofs; the first leaf is about the ticket's state."""
    return {"checkpoint": note, "size": size, "entries": [entry.as_json() for entry in entries]}


def figures(panels: Mapping[str, Any]) -> dict[str, Any]:
    """Of one ticket, by question set: the share of its facts revealed before and after, with Wilson's interval at 95 %.

    The questions about one person resemble each other, so that the true intervals are wider.
    """
    by_set = {}
    for name, panel in panels.items():
        n = int(panel["n"])
        by_set[name] = {"questions": n, "unknown_after": panel.get("unknown_after")}
        for when in ("told_before", "told_after"):
            share = float(panel[when])
            by_set[name] |= {when: share, f"{when}_interval": wilson(round(share * n), n)}
    return by_set


def wilson(hits: int, n: int) -> list[float]:
    """Wilson's score interval (1927) of a share, at 95 %."""
    if n == 0:
        return [0.0, 1.0]
    share, z2 = hits / n, _Z**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return [max(0.0, round(middle - half, 6)), min(1.0, round(middle + half, 6))]


def destroyed(disposals: Sequence[LogLeaf]) -> list[dict[str, Any]]:
    """What of the ticket was destroyed, as leaves of the log say it: the key first, then the object."""
    return [
        {
            "what": leaf.kind.partition(".")[0],
            "step": leaf.kind.partition(".")[2],
            "at": leaf_time(leaf.at),
            "object": leaf.detail.get("object"),
            "sha256": leaf.detail.get("sha256"),
            "position": leaf.position,
        }
        for leaf in disposals
    ]


def disposal(ticket: Ticket, disposals: Sequence[LogLeaf]) -> dict[str, Any]:
    """What became of the photos and facts that were filed, as far as the log proves it."""
    if any(leaf.kind == "payload.destroyed" for leaf in disposals):
        state = "key_destroyed"
    else:
        state = "destruction_pending" if ticket.state in ("completed", *CLOSED) else "sealed_and_kept"
    return {"state": state, "sha256": ticket.payload_sha256, "note": DISPOSALS[state]}


def _asked(row: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that an audit asked about one ticket, attacks among it, with the exact interval at 95 %."""
    return {
        "depth": row.get("depth"),
        "asked": row["asked"],
        "told_before": row["told_before"],
        "told_after": row["told_after"],
        "told_after_interval": list(row["told_after_interval"]),
        "told_of_controls": row.get("told_of_controls"),
    }


def _ticket(ticket: Ticket) -> dict[str, Any]:
    return {
        "id": ticket.id,
        "submitted_at": _iso(ticket.submitted_at),
        "decision": "approved" if ticket.ground else None,
        "ground": ticket.ground,
        "decided_by": ticket.decided_by,
        "decided_at": _iso(ticket.decided_at),
        "identity": ticket.identity,
        "identity_method": ticket.identity_method,
        "identity_at": _iso(ticket.identity_at),
        "filed_by": ticket.submitted_by,
    }


def _deadline(ticket: Ticket, completed_at: datetime) -> dict[str, Any]:
    if ticket.due_at is None:  # filed before clocks were kept
        return {"regime": ticket.regime, "due_at": None, "met": None, "note": UNKEPT}
    return {"regime": ticket.regime, "due_at": _iso(ticket.due_at), "met": completed_at <= ticket.due_at, "note": None}


def _subject(ticket: str, log: Mapping[str, Any]) -> dict[str, Any]:
    """The ticket, by the hash of the leaf that says its state: an id has no digest of its own."""
    return {"name": ticket, "digest": {"sha256": leaf_hash(log["entries"][0]["leaf"].encode()).hex()}}


def _statement(subject: list[dict[str, Any]], predicate: Mapping[str, Any]) -> dict[str, Any]:
    return {"_type": STATEMENT, "subject": subject, "predicateType": PREDICATE_TYPE, "predicate": predicate}


def _iso(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None
