"""Issues a certificate when a ticket is completed, again when what it says changes, and suspends what no longer holds.

What it says changes when another version covers the ticket, or when material of the ticket is destroyed. The issuer
works from database rows alone and may be repeated: it looks for tickets whose newest certificate is out of date.
"""

import json
import logging
import uuid
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Literal

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from services.request.audit_log.sequencer import Sequencer
from services.request.certificates import statement as certificates_statement
from services.request.certificates.statement import CertificateFacts, CertificateHeader
from services.request.erasers.rollouts import is_rolled_out
from shared.core.clock import utc_now
from shared.core.config import ControllerSettings
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
BATCH: Final = 50
MATERIAL_DESTROYED: Final = "material_destroyed"
SERVING_KINDS: Final = ("eraser.promoted", "eraser.rolled_back", "eraser.exposing")  # leaves that say what is served


@dataclass(frozen=True)
class ServedVersion:
    """The version that every live replica acknowledged, with the desired state that names it."""

    state: DesiredState
    version: EraserVersion


@dataclass(frozen=True)
class Coverage:
    """The coverage tree of one version: the position and the digest of each of its tickets."""

    tree: Tree
    positions: dict[str, int]
    digests: dict[str, str]


@dataclass(frozen=True)
class LoggedTicket:
    """A locked ticket as the log shows it under a checkpoint: the leaf of its state, and those of its disposals."""

    ticket: Ticket
    checkpoint: LogCheckpoint
    state_leaf: LogLeaf
    disposals: list[LogLeaf]


@dataclass
class CertificateIssuer:
    """`run_once()` is one round. Signs with the key of the sequencer, over the tree of the sequencer."""

    sequencer: Sequencer
    model_id: str
    database: Engine  # of the tenant for which the model is served
    controller: ControllerSettings = field(default_factory=ControllerSettings)
    _settled: tuple[int, int] | None = None  # (leaves, generation) at which nothing was left to do
    _coverage: dict[uuid.UUID, Coverage] = field(default_factory=dict)

    def run_once(self) -> int:
        """Issue and suspend what is due, a batch at most; return how many certificates that were."""
        with transaction(self.database) as session:
            state = rollouts.desired_state(session, self.model_id)
            if state is None:
                return 0
            position = (audit_log.sequenced_count(session), state.generation)
            if position == self._settled:
                return 0
            due = certificates.tickets_to_certify(session, self.model_id, state.version_id, BATCH)
        issued = 0
        for ticket_id in due:
            with transaction(self.database) as session:
                issued += self._certify(session, ticket_id)
        if not due:
            self._settled = position
        return issued

    def _certify(self, session: Session, ticket_id: str) -> bool:
        """Issue or suspend one certificate, where the log can prove what it says; return whether it was done."""
        logged = self._logged_ticket(session, ticket_id)
        if logged is None:
            return False
        ticket = logged.ticket
        previous = certificates.newest_certificate(session, ticket_id)
        news = previous is not None and any(
            (leaf.position or 0) >= (previous.log_size or 0) for leaf in logged.disposals
        )
        if ticket.state == "completed":
            served = self._served_version(session, ticket)
            reason = _reason_to_issue(previous, served.version, news) if served else None
            if served is None or reason is None:
                return False
            header = _header(previous, "in_force", reason)
            facts = self._facts(session, logged, served)
            if facts is None:
                return False
            statement = certificates_statement.in_force(header, facts)
            self._issue(session, logged, header, served.version, statement)
            return True
        if previous is None or (previous.status != "in_force" and not news):
            return False
        reason = f"ticket_{ticket.state}" if previous.status == "in_force" else MATERIAL_DESTROYED
        header = _header(previous, "suspended", reason)
        log = self._log_part(session, logged.checkpoint, [logged.state_leaf, *logged.disposals])
        statement = certificates_statement.suspended(header, ticket, logged.disposals, log)
        self._issue(session, logged, header, None, statement)
        return True

    def _logged_ticket(self, session: Session, ticket_id: str) -> LoggedTicket | None:
        """The ticket, locked; None where another process has it, or its leaf has no signed position yet."""
        ticket = session.scalar(select(Ticket).where(Ticket.id == ticket_id).with_for_update(skip_locked=True))
        checkpoint = audit_log.newest_checkpoint(session)
        if ticket is None or checkpoint is None:
            return None
        state_leaf = self._leaf(session, checkpoint, f"ticket.{ticket.state}", ticket.id)
        if state_leaf is None:
            return None
        disposals = certificates.disposal_leaves(session, ticket.id, checkpoint.size)
        return LoggedTicket(ticket, checkpoint, state_leaf, disposals)

    def _served_version(self, session: Session, ticket: Ticket) -> ServedVersion | None:
        """What every live replica acknowledged, where it covers the ticket."""
        state = rollouts.desired_state(session, ticket.model_id)
        if state is None or not rollouts.live_replicas(session, ticket.model_id):
            return None
        if not is_rolled_out(session, state.generation, ticket.model_id):
            return None
        if session.get(VersionTicket, (state.version_id, ticket.id)) is None:
            return None
        return ServedVersion(state, session.get_one(EraserVersion, state.version_id))

    def _facts(self, session: Session, logged: LoggedTicket, served: ServedVersion) -> CertificateFacts | None:
        """What the certificate says; None where the log does not prove yet that the version is served."""
        ticket, checkpoint, version = logged.ticket, logged.checkpoint, served.version
        name = f"{version.model_id}/{version.number}"
        serving = [self._leaf(session, checkpoint, kind, name) for kind in SERVING_KINDS]
        newest = max((leaf for leaf in serving if leaf), key=lambda leaf: leaf.id, default=None)
        if newest is None:
            return None
        approval = self._leaf(session, checkpoint, "ticket.approved", ticket.id)
        decisive = [leaf for leaf in (logged.state_leaf, approval, newest) if leaf is not None]
        audits = [audit for audit in audits_repository.list_audits(session, version.id) if audit.verdict == "passed"]
        promotions = select(Promotion).where(Promotion.version_id == version.id).order_by(Promotion.id.desc())
        return CertificateFacts(
            ticket=ticket,
            completed_at=logged.state_leaf.at,
            version=version,
            audit=audits[0] if audits else None,
            state=served.state,
            promotion=session.scalar(promotions.limit(1)),
            replicas=rollouts.live_replicas(session, ticket.model_id),
            coverage=self._coverage_part(session, version.id, ticket.id),
            log=self._log_part(session, checkpoint, [*decisive, *logged.disposals]),
            disposals=logged.disposals,
            in_full=audits_repository.last_full_figures(session, ticket.id),
            controller=self._controller(),
        )

    def _controller(self) -> dict[str, str] | None:
        """Who is responsible, where the settings name somebody."""
        named = {"name": self.controller.name, "address": self.controller.address, "contact": self.controller.contact}
        return {name: text for name, text in named.items() if text} if self.controller.name else None

    def _issue(
        self,
        session: Session,
        logged: LoggedTicket,
        header: CertificateHeader,
        version: EraserVersion | None,
        statement: dict[str, Any],
    ) -> None:
        """Sign, keep and log, in one transaction."""
        payload = json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        digest = sha256(payload).hexdigest()
        session.add(
            Certificate(
                id=uuid.UUID(header.id),
                ticket_id=logged.ticket.id,
                number=header.number,
                status=header.status,
                reason=header.reason,
                version_id=version.id if version else None,
                sha256=digest,
                envelope=self.sequencer.signer.sign(payload, STATEMENT_TYPE),
                issued_at=utc_now(),
                log_size=logged.checkpoint.size,
            )
        )
        event = "issued" if header.status == "in_force" else "suspended"
        detail = {"number": header.number, "sha256": digest, "reason": header.reason}
        audit_log.append_leaf(session, SYSTEM_ACTOR, f"certificate.{event}", logged.ticket.id, detail)
        logger.info("certificate %d of %s is %s", header.number, logged.ticket.id, event)

    def _leaf(self, session: Session, checkpoint: LogCheckpoint, kind: str, subject: str) -> LogLeaf | None:
        """The newest such leaf, where the checkpoint covers it."""
        leaf = audit_log.newest_leaf(session, kind, subject)
        return leaf if leaf and leaf.position is not None and leaf.position < checkpoint.size else None

    def _log_part(self, session: Session, checkpoint: LogCheckpoint, leaves: list[LogLeaf]) -> dict[str, Any]:
        """The leaves with their proofs under the checkpoint."""
        tree = self.sequencer.tree(session)
        entries = [
            LogEntryProof(
                audit_log.leaf_bytes(leaf), leaf.position, tuple(tree.inclusion(leaf.position, checkpoint.size))
            )
            for leaf in leaves
            if leaf.position is not None
        ]
        return certificates_statement.log_part(checkpoint.note, checkpoint.size, entries)

    def _coverage_part(self, session: Session, version_id: uuid.UUID, ticket_id: str) -> dict[str, Any]:
        """The proof that the version covers the ticket (RFC 6962), in the tree to whose root the version commits."""
        if version_id not in self._coverage:
            rows = select(VersionTicket.ticket_id, VersionTicket.rows_sha256).where(
                VersionTicket.version_id == version_id
            )
            digests = {row.ticket_id: row.rows_sha256 for row in session.execute(rows)}
            positions = {name: position for position, name in enumerate(sorted(digests))}
            # Only the coverage of the version that is served is kept.
            self._coverage = {version_id: Coverage(coverage_tree(digests), positions, digests)}
        coverage = self._coverage[version_id]
        tree, position, digest = coverage.tree, coverage.positions[ticket_id], coverage.digests[ticket_id]
        entry = LogEntryProof(coverage_leaf(ticket_id, digest), position, tuple(tree.inclusion(position, tree.size)))
        return entry.as_json() | {"rows_sha256": digest, "tickets": tree.size, "root": tree.root().hex()}


def _header(previous: Certificate | None, status: Literal["in_force", "suspended"], reason: str) -> CertificateHeader:
    return CertificateHeader(
        id=str(uuid.uuid4()),
        number=previous.number + 1 if previous else 1,
        issued_at=utc_now().isoformat(timespec="seconds"),
        replaces=previous.number if previous else None,
        status=status,
        reason=reason,
    )


def _reason_to_issue(previous: Certificate | None, version: EraserVersion, news: bool) -> str | None:
    """Why another certificate is issued; None where `previous` is up to date (another process was faster)."""
    if previous is None:
        return "completed"
    if previous.status != "in_force":
        return "completed_again"
    if previous.version_id != version.id:
        return "version_changed"
    return MATERIAL_DESTROYED if news else None
