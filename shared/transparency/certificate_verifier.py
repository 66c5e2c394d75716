"""Reads a certificate of suppression and checks all that it says of the log and the eraser, offline.

A certificate is an in-toto Statement v1 in a DSSE envelope, signed with the log's key. What is checked: the signature;
that the leaves which it names (approval, completion, promotion) stand in the log at the signed checkpoint and are about
this ticket and this version; that the ticket is in the coverage tree of the version; and, from a bundle, that the
issuing itself is in the log. Not checked: whether a later certificate exists, and whether what was logged is true.
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
Stamped = TypeVar("Stamped")  # what a check of a time-stamp finds (stamp.py, which takes a library to import)
_MOST: Final = 20_000_000  # bytes of a file that is looked at


@dataclass(frozen=True)
class LogEntryProof:
    """A leaf with the proof of its place under a checkpoint."""

    line: bytes
    position: int
    path: tuple[bytes, ...]

    def as_json(self) -> dict[str, Any]:
        """As it stands in a certificate."""
        path = [base64.b64encode(step).decode() for step in self.path]
        return {"leaf": self.line.decode(), "position": self.position, "path": path}

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> "LogEntryProof":
        """Back from JSON; raises KeyError, TypeError or ValueError."""
        path = tuple(base64.b64decode(step, validate=True) for step in given["path"])
        return cls(str(given["leaf"]).encode(), int(given["position"]), path)

    def check(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """What the leaf says; raises IntegrityFailure where it is not in the log."""
        if not is_included(leaf_hash(self.line), self.position, checkpoint.size, self.path, checkpoint.root):
            raise IntegrityFailure(f"Leaf {self.position}, which the certificate names, is not in the signed log.")
        return decode(self.line)


@dataclass(frozen=True)
class VerifiedCertificate:
    """A certificate that holds."""

    statement: Mapping[str, Any]
    logged: bool  # whether its own issuing was proved to be in the log
    sha256: str  # of the statement as it was signed

    def sentence(self) -> str:
        """For whoever asked."""
        said = self.statement["predicate"]
        about = said["certificate"]
        what = (
            f"{said['ticket']['id']} has been suppressed in {said['model']['id']} since "
            f"{said['ticket']['completed_at']}, now by eraser version {said['eraser']['version']}"
            if about["status"] == "in_force"
            else f"the certificate of {said['ticket']['id']} is SUSPENDED ({about['reason']})"
        )
        own = "; its issuing is in the log" if self.logged else ""
        return (
            f"Certificate {about['number']} holds: as of {about['issued_at']}, {what}. Signature, checkpoint "
            f"({said['log']['size']} leaves) and {len(said['log']['entries'])} log proofs are good{own}."
        )


def read_file(data: bytes) -> tuple[dict[str, Any], dict[str, Any] | None, dict[str, Any] | None]:
    """(envelope, proof of the issuing, eraser manifest) from a certificate or a bundle; raises BadInput."""
    try:
        if len(data) > _MOST:
            raise ValueError("too large")
        if not data.startswith(b"PK"):
            return dict(json.loads(data)), None, None
        with zipfile.ZipFile(io.BytesIO(data)) as bundle:
            if sum(one.file_size for one in bundle.infolist()) > _MOST:
                raise ValueError("too large")
            names = set(bundle.namelist())
            more = [json.loads(bundle.read(n)) if n in names else None for n in (ISSUED, MANIFEST)]
            return dict(json.loads(bundle.read(ENVELOPE))), more[0], more[1]
    except (ValueError, TypeError, KeyError, zipfile.BadZipFile, RecursionError, NotImplementedError) as exc:
        raise BadInput("This is neither a certificate (JSON) nor a bundle (zip).") from exc


def read_timestamps(data: bytes) -> list[dict[str, Any]]:
    """The time-stamps of a bundle, [] where it holds none; raises BadInput. Read the file with `read_file` first."""
    if not data.startswith(b"PK"):
        return []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as bundle:
            return [dict(one) for one in json.loads(bundle.read(STAMPS))] if STAMPS in bundle.namelist() else []
    except (ValueError, TypeError, zipfile.BadZipFile, RecursionError, NotImplementedError) as exc:
        raise BadInput("The time-stamps of the bundle cannot be read.") from exc


def verify_timestamp(
    found: VerifiedCertificate,
    given: Mapping[str, Any],
    keys: Sequence[PublicKey],
    check: Callable[[bytes, bytes, int], Stamped],
) -> Stamped:
    """One time-stamp of a bundle: `check` (token, note, size) believes the token; that the stamped log holds this
    certificate and continues the one that it speaks of is proved by hashes. Raises IntegrityFailure.
    """
    try:
        checkpoint = checkpoints.read(given["checkpoint"], keys)
        token = base64.b64decode(given["token"], validate=True)
        own = checkpoints.read(found.statement["predicate"]["log"]["checkpoint"], keys)
        path = [base64.b64decode(step, validate=True) for step in given["consistency"]]
        if not is_consistent(own.size, checkpoint.size, path, own.root, checkpoint.root):
            raise IntegrityFailure(
                "The log that was time-stamped does not continue the one that the certificate names."
            )
        issued = dict(given["issued"]) | {"checkpoint": given["checkpoint"]}
        _issued(issued, keys, found.statement["predicate"]["ticket"]["id"], found.sha256)
        return check(token, str(given["checkpoint"]).encode(), checkpoint.size)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise IntegrityFailure("A time-stamp of the bundle cannot be read.") from exc


def verify(
    envelope: Mapping[str, Any], keys: Sequence[PublicKey], issued: Mapping[str, Any] | None = None
) -> VerifiedCertificate:
    """Check everything; raises IntegrityFailure with what does not hold."""
    try:
        payload = Verifier([key.raw for key in keys]).verify(envelope)
    except IntegrityFailure as exc:
        raise IntegrityFailure("The certificate was altered, or is not signed by a key that you trust.") from exc
    try:
        statement = json.loads(payload)
        if envelope["payloadType"] != STATEMENT_TYPE or statement["_type"] != STATEMENT:
            raise IntegrityFailure("This is signed, but it is no in-toto statement.")
        if statement["predicateType"] != PREDICATE_TYPE:
            raise IntegrityFailure("This is a signed statement, but no certificate of suppression that is known here.")
        said = statement["predicate"]
        checkpoint = _checkpoint(said["log"], keys)
        leaves = [LogEntryProof.read(one).check(checkpoint) for one in said["log"]["entries"]]
        _about(statement, leaves)
        _destroyed(said, leaves)
        if said["certificate"]["status"] == "in_force":
            _covered(said)
        digest = sha256(payload).hexdigest()
        if issued is not None:
            _issued(issued, keys, said["ticket"]["id"], digest)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise IntegrityFailure("The certificate is signed, but something that it must say is missing.") from exc
    return VerifiedCertificate(statement, issued is not None, digest)


def verify_manifest(manifest: Mapping[str, Any], said: Mapping[str, Any], verifier: Verifier) -> None:
    """The eraser's own manifest, signed with another key, has to be the one named, and to commit to the same tickets.

    Raises IntegrityFailure.
    """
    payload = verifier.verify(manifest)
    if sha256(payload).hexdigest() != said["eraser"]["manifest_sha256"]:
        raise IntegrityFailure("The manifest in the bundle is not that of the eraser which the certificate names.")
    committed = json.loads(payload).get("coverage")  # versions made before there were commitments have none
    if committed is not None and committed["root"] != said["coverage"]["root"]:
        raise IntegrityFailure("The eraser commits to other tickets than the certificate says.")


def _checkpoint(log: Mapping[str, Any], keys: Sequence[PublicKey]) -> Checkpoint:
    found = checkpoints.read(log["checkpoint"], keys)
    if found.size != log["size"]:
        raise IntegrityFailure("The certificate speaks of another checkpoint than it carries.")
    return found


def _about(statement: Mapping[str, Any], leaves: Sequence[Mapping[str, Any]]) -> None:
    said = statement["predicate"]
    ticket, status = said["ticket"]["id"], said["certificate"]["status"]
    own = {leaf["kind"]: leaf for leaf in leaves if leaf["subject"] == ticket}
    if statement["subject"][0]["name"] != ticket:
        raise IntegrityFailure("The certificate names two tickets.")
    if status != "in_force":
        return
    if "ticket.completed" not in own:
        raise IntegrityFailure(f"No leaf of the log says that {ticket} was completed.")
    version = f"{said['model']['id']}/{said['eraser']['version']}"
    if not any(leaf["subject"] == version and leaf["kind"].startswith("eraser.") for leaf in leaves):
        raise IntegrityFailure(
            f"No leaf of the log says that version {said['eraser']['version']} was put into service."
        )


def _destroyed(said: Mapping[str, Any], leaves: Sequence[Mapping[str, Any]]) -> None:
    """What it says was destroyed has to be what leaves about this ticket say; certificates before there was such a list
    say only the payload's state.
    """
    if "destroyed" not in said:
        return
    known = {
        (leaf["kind"], leaf["at"], leaf["detail"].get("object"), leaf["detail"].get("sha256"))
        for leaf in leaves
        if leaf["subject"] == said["ticket"]["id"]
    }
    told = [(f"{one['what']}.{one['step']}", one["at"], one["object"], one["sha256"]) for one in said["destroyed"]]
    gone = said["payload"]["state"] == "key_destroyed"
    if not set(told) <= known or gone != any(kind == "payload.destroyed" for kind, *_ in told):
        raise IntegrityFailure("No leaf of the log says that this was destroyed.")


def _covered(said: Mapping[str, Any]) -> None:
    """The ticket's leaf has to be in the version's coverage tree (RFC 6962 over "ticket sha256-of-its-rows")."""
    coverage = said["coverage"]
    entry = LogEntryProof.read(coverage)
    leaf = coverage_leaf(said["ticket"]["id"], coverage["rows_sha256"])
    place = (entry.position, coverage["tickets"], entry.path, bytes.fromhex(coverage["root"]))
    if entry.line != leaf or not is_included(leaf_hash(leaf), *place):
        raise IntegrityFailure("The ticket is not in the coverage of the version that the certificate names.")


def _issued(issued: Mapping[str, Any], keys: Sequence[PublicKey], ticket: str, digest: str) -> None:
    leaf = LogEntryProof.read(issued).check(checkpoints.read(issued["checkpoint"], keys))
    known = leaf["kind"].startswith("certificate.") and leaf["subject"] == ticket
    if not known or leaf["detail"].get("sha256") != digest:
        raise IntegrityFailure("The log does not say that this certificate was issued.")
