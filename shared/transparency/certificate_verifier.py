"""Read a certificate of suppression and check offline everything that it says about the log and the eraser.

A certificate is an in-toto Statement v1 in a DSSE envelope, signed with the log's key. Checked are the signature; that
the leaves which it names (approval, completion, promotion) are in the log at the signed checkpoint and are about this
ticket and this version; that the ticket is in the coverage tree of the version; and, in a bundle, that the issue of the
certificate is in the log too. Not checked are whether a later certificate exists and whether what was logged is true.
"""

import base64
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, TypeVar

from shared.crypto.signing import Verifier
from shared.errors import BadInput, IntegrityFailure
from shared.transparency import checkpoints
from shared.transparency.checkpoints import Checkpoint, PublicKey
from shared.transparency.coverage import coverage_leaf
from shared.transparency.leaves import decode
from shared.transparency.media_types import PREDICATE_TYPE, STATEMENT_TYPE
from shared.transparency.merkle_tree import leaf_hash
from shared.transparency.proofs import is_consistent, is_included

STATEMENT: Final = "https://in-toto.io/Statement/v1"
ENVELOPE, ISSUED, MANIFEST, STAMPS = "certificate.json", "issued.json", "eraser.json", "timestamps.json"  # in a bundle
Timestamp = TypeVar("Timestamp")  # result of a time-stamp's check: timestamps.py has it, and is slow to import
_MAX_BYTES: Final = 20_000_000  # of a certificate or bundle
_MAX_MEMBERS: Final = 500_000  # of the JSON in one file


@dataclass(frozen=True)
class LogEntryProof:
    """A leaf with the proof of its position under a checkpoint."""

    line: bytes
    position: int
    path: tuple[bytes, ...]

    def as_json(self) -> dict[str, Any]:
        """The form that certificates contain."""
        path = [base64.b64encode(step).decode() for step in self.path]
        return {"leaf": self.line.decode(), "position": self.position, "path": path}

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> "LogEntryProof":
        """From the JSON of `as_json`. Raises KeyError, TypeError or ValueError."""
        path = tuple(base64.b64decode(step, validate=True) for step in entry["path"])
        return cls(str(entry["leaf"]).encode(), int(entry["position"]), path)

    def check(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """The content of the leaf. Raises IntegrityFailure where the leaf is not in the log at the checkpoint."""
        if not is_included(leaf_hash(self.line), self.position, checkpoint.size, self.path, checkpoint.root):
            raise IntegrityFailure(f"Leaf {self.position}, which the certificate names, is not in the signed log.")
        return decode(self.line)


@dataclass(frozen=True)
class VerifiedCertificate:
    """A certificate that was checked and found good."""

    statement: Mapping[str, Any]
    issue_is_logged: bool  # whether a bundle proved that the log contains the issue of this certificate
    sha256: str  # of the signed statement

    def sentence(self) -> str:
        """The result for a person."""
        predicate = self.statement["predicate"]
        certificate = predicate["certificate"]
        status = (
            f"{predicate['ticket']['id']} has been suppressed in {predicate['model']['id']} since "
            f"{predicate['ticket']['completed_at']}, now by eraser version {predicate['eraser']['version']}"
            if certificate["status"] == "in_force"
            else f"the certificate of {predicate['ticket']['id']} is SUSPENDED ({certificate['reason']})"
        )
        issue = "; its issuing is in the log" if self.issue_is_logged else ""
        proofs = len(predicate["log"]["entries"])
        return (
            f"Certificate {certificate['number']} holds: as of {certificate['issued_at']}, {status}. Signature, "
            f"checkpoint ({predicate['log']['size']} leaves) and {proofs} log proofs are good{issue}."
        )


@dataclass(frozen=True)
class CertificateFile:
    """What a certificate or a bundle contains. A plain certificate has nothing but its envelope."""

    envelope: dict[str, Any]
    issue_proof: dict[str, Any] | None = None
    eraser_manifest: dict[str, Any] | None = None
    timestamps: tuple[dict[str, Any], ...] = ()


def read_certificate_file(data: bytes) -> CertificateFile:
    """Read a certificate (JSON) or a bundle (zip). Raises BadInput."""
    try:
        if len(data) > _MAX_BYTES:
            raise ValueError("too large")
        if not data.startswith(b"PK"):
            return CertificateFile(dict(_parsed(data)))
        with zipfile.ZipFile(io.BytesIO(data)) as bundle:
            if sum(entry.file_size for entry in bundle.infolist()) > _MAX_BYTES:
                raise ValueError("too large")
            names = set(bundle.namelist())
            parts = {name: _parsed(bundle.read(name)) for name in (ISSUED, MANIFEST, STAMPS) if name in names}
            return CertificateFile(
                dict(_parsed(bundle.read(ENVELOPE))),
                parts.get(ISSUED),
                parts.get(MANIFEST),
                tuple(dict(entry) for entry in parts.get(STAMPS, ())),
            )
    except (ValueError, TypeError, KeyError, zipfile.BadZipFile, RecursionError, NotImplementedError) as exc:
        raise BadInput("This is neither a certificate (JSON) nor a bundle (zip).") from exc


def _parsed(document: bytes) -> Any:
    """The JSON; raises ValueError for more members than a certificate has, each of which takes 60 bytes."""
    if document.count(b",") + document.count(b"[") + document.count(b"{") > _MAX_MEMBERS:
        raise ValueError("too many members")
    return json.loads(document)


def verify_timestamp(
    certificate: VerifiedCertificate,
    entry: Mapping[str, Any],
    keys: Sequence[PublicKey],
    check: Callable[[bytes, bytes, int], Timestamp],
) -> Timestamp:
    """Check one time-stamp of a bundle.

    `check` takes the token, the signed note and its size, and decides whether the token is good. Hashes prove that the
    stamped log contains the issue of this certificate and continues the log that the certificate names. Raises
    IntegrityFailure.
    """
    try:
        checkpoint = checkpoints.read(entry["checkpoint"], keys)
        token = base64.b64decode(entry["token"], validate=True)
        own = checkpoints.read(certificate.statement["predicate"]["log"]["checkpoint"], keys)
        path = [base64.b64decode(step, validate=True) for step in entry["consistency"]]
        if not is_consistent(own.size, checkpoint.size, path, own.root, checkpoint.root):
            raise IntegrityFailure(
                "The log that was time-stamped does not continue the log that the certificate names."
            )
        proof = dict(entry["issued"]) | {"checkpoint": entry["checkpoint"]}
        _check_issue(proof, keys, certificate.statement["predicate"]["ticket"]["id"], certificate.sha256)
        return check(token, str(entry["checkpoint"]).encode(), checkpoint.size)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise IntegrityFailure("A time-stamp of the bundle cannot be read.") from exc


def verify(
    envelope: Mapping[str, Any], keys: Sequence[PublicKey], issue_proof: Mapping[str, Any] | None = None
) -> VerifiedCertificate:
    """Check everything that the certificate says. Raises IntegrityFailure, which names what is wrong."""
    try:
        payload = Verifier([key.raw for key in keys]).verify(envelope)
    except IntegrityFailure as exc:
        raise IntegrityFailure("The certificate was altered, or is not signed by a key that you trust.") from exc
    try:
        statement = json.loads(payload)
        if envelope["payloadType"] != STATEMENT_TYPE or statement["_type"] != STATEMENT:
            raise IntegrityFailure("This is signed, but it is not an in-toto statement.")
        if statement["predicateType"] != PREDICATE_TYPE:
            raise IntegrityFailure(
                "This is a signed statement, but not a certificate of suppression of a version that is known here."
            )
        predicate = statement["predicate"]
        checkpoint = _checkpoint(predicate["log"], keys)
        leaves = [LogEntryProof.read(entry).check(checkpoint) for entry in predicate["log"]["entries"]]
        _check_subject(statement, leaves)
        _check_disposals(predicate, leaves)
        if predicate["certificate"]["status"] == "in_force":
            _check_coverage(predicate)
        digest = sha256(payload).hexdigest()
        if issue_proof is not None:
            _check_issue(issue_proof, keys, predicate["ticket"]["id"], digest)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise IntegrityFailure("The certificate is signed, but something that it must contain is missing.") from exc
    return VerifiedCertificate(statement, issue_proof is not None, digest)


def verify_manifest(manifest: Mapping[str, Any], predicate: Mapping[str, Any], verifier: Verifier) -> None:
    """Check the eraser's manifest, which has a signature by another key, against the certificate's predicate.

    The certificate has to name this manifest, and the manifest has to commit to the same tickets. Raises
    IntegrityFailure.
    """
    payload = verifier.verify(manifest)
    if sha256(payload).hexdigest() != predicate["eraser"]["manifest_sha256"]:
        raise IntegrityFailure("The manifest in the bundle is not that of the eraser which the certificate names.")
    committed = json.loads(payload).get("coverage")  # None in the oldest versions
    if committed is not None and committed["root"] != predicate["coverage"]["root"]:
        raise IntegrityFailure("The eraser commits to other tickets than the certificate says.")


def _checkpoint(log: Mapping[str, Any], keys: Sequence[PublicKey]) -> Checkpoint:
    checkpoint = checkpoints.read(log["checkpoint"], keys)
    if checkpoint.size != log["size"]:
        raise IntegrityFailure("The certificate names another checkpoint than the one that it contains.")
    return checkpoint


def _check_subject(statement: Mapping[str, Any], leaves: Sequence[Mapping[str, Any]]) -> None:
    """The statement is about one ticket; in force, the log says that it was completed and which version serves."""
    predicate = statement["predicate"]
    ticket, status = predicate["ticket"]["id"], predicate["certificate"]["status"]
    if statement["subject"][0]["name"] != ticket:
        raise IntegrityFailure("The certificate names two tickets.")
    if status != "in_force":
        return
    if not any(leaf["subject"] == ticket and leaf["kind"] == "ticket.completed" for leaf in leaves):
        raise IntegrityFailure(f"No leaf of the log says that {ticket} was completed.")
    number = predicate["eraser"]["version"]
    version = f"{predicate['model']['id']}/{number}"
    if not any(leaf["subject"] == version and leaf["kind"].startswith("eraser.") for leaf in leaves):
        raise IntegrityFailure(f"No leaf of the log says that version {number} was put into service.")


def _check_disposals(predicate: Mapping[str, Any], leaves: Sequence[Mapping[str, Any]]) -> None:
    """The listed disposals have to be in leaves about this ticket. The oldest certificates have no such list."""
    if "destroyed" not in predicate:
        return
    logged = {
        (leaf["kind"], leaf["at"], leaf["detail"].get("object"), leaf["detail"].get("sha256"))
        for leaf in leaves
        if leaf["subject"] == predicate["ticket"]["id"]
    }
    listed = [
        (f"{entry['what']}.{entry['step']}", entry["at"], entry["object"], entry["sha256"])
        for entry in predicate["destroyed"]
    ]
    destroyed = predicate["payload"]["state"] == "key_destroyed"
    if not set(listed) <= logged or destroyed != any(kind == "payload.destroyed" for kind, *_ in listed):
        raise IntegrityFailure("The log does not say that what the certificate lists as destroyed was destroyed.")


def _check_coverage(predicate: Mapping[str, Any]) -> None:
    """The ticket's leaf has to be in the coverage tree of the version (see coverage.py)."""
    coverage = predicate["coverage"]
    proof = LogEntryProof.read(coverage)
    leaf = coverage_leaf(predicate["ticket"]["id"], coverage["rows_sha256"])
    root = bytes.fromhex(coverage["root"])
    if proof.line != leaf or not is_included(leaf_hash(leaf), proof.position, coverage["tickets"], proof.path, root):
        raise IntegrityFailure("The ticket is not in the coverage of the version that the certificate names.")


def _check_issue(proof: Mapping[str, Any], keys: Sequence[PublicKey], ticket: str, digest: str) -> None:
    leaf = LogEntryProof.read(proof).check(checkpoints.read(proof["checkpoint"], keys))
    is_issue = leaf["kind"].startswith("certificate.") and leaf["subject"] == ticket
    if not is_issue or leaf["detail"].get("sha256") != digest:
        raise IntegrityFailure("The log does not say that this certificate was issued.")
