"""Issues certificates when tickets are completed, again as the version that covers them changes or material of theirs
is destroyed; suspends what ended.

Works from the rows alone and may be repeated: it looks for tickets whose newest certificate does not say what is so.
"""

import json
import logging
import uuid
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.request.audit_log.sequencer import Sequencer
from services.request.certificates import statement as certificates_statement
from services.request.erasers.rollouts import is_rolled_out
from shared.core.clock import utc_now
from shared.db.models.erasers import DesiredState, EraserVersion, Promotion, VersionTicket
from shared.db.models.tickets import Ticket
from shared.db.models.transparency import Certificate, LogCheckpoint, LogLeaf
from shared.db.repositories import audit_log, certificates, rollouts
from shared.db.repositories import audits as audits_repository
from shared.db.session import transaction
from shared.domain.accounts import SYSTEM_ACTOR
from shared.transparency.certificate_verifier import LogEntryProof
from shared.transparency.coverage import coverage_leaf, coverage_tree
from shared.transparency.media_types import STATEMENT_TYPE
from shared.transparency.merkle_tree import Tree

logger = logging.getLogger(__name__)
BATCH = 50
DESTROYED = "material_destroyed"
SERVED = ("eraser.promoted", "eraser.rolled_back", "eraser.exposing")


@dataclass
class CertificateIssuer:
    """`turn()` is one round. Signs with the sequencer's key, over the sequencer's tree."""

    sequencer: Sequencer
    model_id: str
    _settled: tuple[int, int] | None = None  # (leaves, generation) at which nothing was left to do
    _coverage: dict[uuid.UUID, tuple[Tree, dict[str, tuple[int, str]]]] = field(default_factory=dict)

    def turn(self) -> int:
        """Issue and suspend what is due, a batch at most; how many."""
        with transaction(self.sequencer.database) as session:
            state = rollouts.desired_state(session, self.model_id)
            if state is None:
                return 0
            place = (audit_log.sequenced_count(session), state.generation)
            if place == self._settled:
                return 0
            due = certificates.tickets_to_certify(session, self.model_id, state.version_id, BATCH)
        made = 0
        for ticket in due:
            with transaction(self.sequencer.database) as session:
                made += self._certify(session, ticket)
        if not due:
            self._settled = place
        return made

    def _certify(self, session: Session, ticket_id: str) -> bool:
        found = select(Ticket).where(Ticket.id == ticket_id).with_for_update(skip_locked=True)
        ticket, checkpoint = session.scalar(found), audit_log.newest_checkpoint(session)
        if ticket is None or checkpoint is None:
            return False
        held, now = certificates.newest_certificate(session, ticket_id), utc_now()
        about: dict[str, Any] = {
            "id": str(uuid.uuid4()),
            "number": held.number + 1 if held else 1,
            "issued_at": now.isoformat(timespec="seconds"),
            "replaces": held.number if held else None,
        }
        told = self._leaf(session, checkpoint, f"ticket.{ticket.state}", ticket.id)
        gone = certificates.disposal_leaves(session, ticket.id, checkpoint.size)
        news = held is not None and any((leaf.position or 0) >= (held.log_size or 0) for leaf in gone)
        if told is None:
            return False  # the leaf has no signed place yet: the next turn
        version: EraserVersion | None = None
        if ticket.state == "completed":
            served = self._served(session, ticket)
            reason = _why(held, served[1], news) if served else None
            if served is None or reason is None:
                return False
            state, version = served
            about |= {"status": "in_force", "reason": reason}
            statement = self._in_force(session, checkpoint, ticket, told, gone, state, version, about)
            if statement is None:
                return False
        elif held is not None and (held.status == "in_force" or news):
            reason = f"ticket_{ticket.state}" if held.status == "in_force" else DESTROYED
            about |= {"status": "suspended", "reason": reason}
            log = self._log(session, checkpoint, [told, *gone])
            statement = certificates_statement.suspended(ticket, about, gone, log)
        else:
            return False
        self._issue(session, ticket, about, version, statement, checkpoint.size)
        return True

    def _served(self, session: Session, ticket: Ticket) -> tuple[DesiredState, EraserVersion] | None:
        """What every live replica acknowledged, where it covers the ticket."""
        state = rollouts.desired_state(session, ticket.model_id)
        if state is None or not rollouts.live_replicas(session, ticket.model_id):
            return None
        if not is_rolled_out(session, state.generation, ticket.model_id):
            return None
        if session.get(VersionTicket, (state.version_id, ticket.id)) is None:
            return None
        return state, session.get_one(EraserVersion, state.version_id)

    def _in_force(
        self,
        session: Session,
        checkpoint: LogCheckpoint,
        ticket: Ticket,
        told: LogLeaf,
        gone: list[LogLeaf],
        state: DesiredState,
        version: EraserVersion,
        about: dict[str, Any],
    ) -> dict[str, Any] | None:
        subject = f"{version.model_id}/{version.number}"
        promoted = [self._leaf(session, checkpoint, kind, subject) for kind in SERVED]
        newest = max((leaf for leaf in promoted if leaf), key=lambda leaf: leaf.id, default=None)
        if newest is None:
            return None
        approved = self._leaf(session, checkpoint, "ticket.approved", ticket.id)
        chosen = [leaf for leaf in (told, approved, newest) if leaf is not None]
        audits = [one for one in audits_repository.list_audits(session, version.id) if one.verdict == "passed"]
        promotion = session.scalar(
            select(Promotion).where(Promotion.version_id == version.id).order_by(Promotion.id.desc()).limit(1)
        )
        return certificates_statement.in_force(
            ticket,
            version,
            audits[0] if audits else None,
            state,
            promotion,
            rollouts.live_replicas(session, ticket.model_id),
            about,
            self._covered(session, version.id, ticket.id),
            self._log(session, checkpoint, [*chosen, *gone]),
            told.at,
            gone,
        )

    def _issue(
        self,
        session: Session,
        ticket: Ticket,
        about: dict[str, Any],
        version: EraserVersion | None,
        statement: dict[str, Any],
        size: int,
    ) -> None:
        """Sign, keep and log, in one transaction."""
        payload = json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        digest = sha256(payload).hexdigest()
        session.add(
            Certificate(
                id=uuid.UUID(about["id"]),
                ticket_id=ticket.id,
                number=about["number"],
                status=about["status"],
                reason=about["reason"],
                version_id=version.id if version else None,
                sha256=digest,
                envelope=self.sequencer.signer.sign(payload, STATEMENT_TYPE),
                issued_at=utc_now(),
                log_size=size,
            )
        )
        said = "issued" if about["status"] == "in_force" else "suspended"
        detail = {"number": about["number"], "sha256": digest, "reason": about["reason"]}
        audit_log.append_leaf(session, SYSTEM_ACTOR, f"certificate.{said}", ticket.id, detail)
        logger.info("certificate %d of %s is %s", about["number"], ticket.id, said)

    def _leaf(self, session: Session, checkpoint: LogCheckpoint, kind: str, subject: str) -> LogLeaf | None:
        """The newest such leaf, where the checkpoint vouches for it."""
        leaf = audit_log.newest_leaf(session, kind, subject)
        return leaf if leaf and leaf.position is not None and leaf.position < checkpoint.size else None

    def _log(self, session: Session, checkpoint: LogCheckpoint, leaves: list[LogLeaf]) -> dict[str, Any]:
        tree = self.sequencer.tree(session)
        entries = [
            LogEntryProof(
                audit_log.leaf_bytes(leaf), leaf.position, tuple(tree.inclusion(leaf.position, checkpoint.size))
            )
            for leaf in leaves
            if leaf.position is not None
        ]
        return certificates_statement.log_part(checkpoint.note, checkpoint.size, entries)

    def _covered(self, session: Session, version: uuid.UUID, ticket: str) -> dict[str, Any]:
        """The ticket's place in the coverage tree of the version: RFC 6962 over "ticket sha256-of-its-rows"."""
        if version not in self._coverage:
            found = select(VersionTicket.ticket_id, VersionTicket.rows_sha256).where(
                VersionTicket.version_id == version
            )
            covered = {row.ticket_id: row.rows_sha256 for row in session.execute(found)}
            places = {one: (position, digest) for position, (one, digest) in enumerate(sorted(covered.items()))}
            self._coverage = {
                version: (coverage_tree(covered), places)
            }  # of the one that is served: the others are history
        tree, places = self._coverage[version]
        position, digest = places[ticket]
        entry = LogEntryProof(coverage_leaf(ticket, digest), position, tuple(tree.inclusion(position, tree.size)))
        return entry.as_json() | {"rows_sha256": digest, "tickets": tree.size, "root": tree.root().hex()}


def _why(held: Certificate | None, version: EraserVersion, news: bool) -> str | None:
    """The reason for another one, None where `held` says what is so (another clerk was faster)."""
    if held is None:
        return "completed"
    if held.status != "in_force":
        return "completed_again"
    if held.version_id != version.id:
        return "version_changed"
    return DESTROYED if news else None
