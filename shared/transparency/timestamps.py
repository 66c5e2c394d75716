"""Time-stamps of an outside authority on signed checkpoints (RFC 3161): asking for one, and checking it offline.

What is stamped are the bytes of the signed note, so that a token says: these leaves, signed with this key, were there
at this time. Checked are the granted status, the imprint, the nonce where it is known, the signature over the signed
attributes, the chain to a pinned CA at the attested time, the critical extendedKeyUsage timeStamping, and the policy.
Not checked: revocation of the authority's certificate (no list is fetched), and ESSCertID beyond what the chain says.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from shared.errors import BadInput, IntegrityFailure

MOST: Final = 65_536  # bytes of a token that is looked at; real ones have 1 to 8 thousand
_IMPRINT_ENDS: Final = 56  # a request's head: SEQUENCE 2, version 3, imprint with SHA-256 51


@dataclass(frozen=True)
class VerifiedTimestamp:
    """What a token says, once it holds."""

    size: int  # leaves of the checkpoint
    at: datetime
    policy: str
    serial: int

    def sentence(self) -> str:
        """For whoever asked."""
        return f"{self.size} leaves existed at {self.at.isoformat(timespec='seconds')} (token {self.serial:x})"


@dataclass(frozen=True)
class TimestampRequest:
    """A TimeStampReq in DER for the SHA-256 of a note, and its nonce (64 bits), which the answer has to repeat."""

    der: bytes
    nonce: int


@dataclass(frozen=True)
class TimestampAuthority:
    """Whom a token is believed from: the CA certificates that were pinned, and the policy where one is asked for."""

    roots: tuple[x509.Certificate, ...]
    policy: str = ""

    @classmethod
    def read(cls, pem: bytes, policy: str = "") -> "TimestampAuthority":
        """From PEM certificates; raises BadInput."""
        try:
            if policy:
                _oid(policy)
            return cls(tuple(x509.load_pem_x509_certificates(pem)), policy)
        except ValueError as exc:
            raise BadInput("The CA of the time-stamping authority is one or more PEM certificates.") from exc

    def request(self, note: bytes) -> TimestampRequest:
        """A request for a time-stamp on the note; it asks for the certificate of the authority too."""
        request = TimestampRequestBuilder().data(note).hash_algorithm(HashAlgorithm.SHA256).build()
        if request.nonce is None:
            raise ValueError("a request has a nonce")
        return TimestampRequest(_with_policy(request.as_bytes(), self.policy), request.nonce)

    def check(self, token: bytes, note: bytes, size: int, nonce: int | None = None) -> VerifiedTimestamp:
        """What `token`, a whole TimeStampResp, attests of the note at `size` leaves; raises IntegrityFailure."""
        try:
            if len(token) > MOST:
                raise ValueError("far too long")
            response = decode_timestamp_response(token)
            if response.status not in (0, 1):
                raise IntegrityFailure(f"The time-stamping authority refused: {_reason(response)}.")
            if response.tst_info.message_imprint.message != hashlib.sha256(note).digest():
                raise IntegrityFailure("The time-stamp is of something else than this checkpoint.")
            builder = VerifierBuilder(
                policy_id=x509.ObjectIdentifier(self.policy) if self.policy else None,
                roots=list(self.roots),
                nonce=nonce,
            )
            builder.build().verify_message(response, note)
            info = response.tst_info
            return VerifiedTimestamp(size, info.gen_time, info.policy.dotted_string, info.serial_number)
        except VerificationError as exc:
            raise IntegrityFailure(f"The time-stamp does not hold: {_plain(str(exc))}.") from exc
        except (ValueError, OverflowError) as exc:
            raise IntegrityFailure("The time-stamp cannot be read.") from exc


def _reason(response: Any) -> str:
    return "; ".join(response.status_string) or f"status {response.status}"


def _plain(text: str) -> str:
    """The library's words as the end of a sentence; OpenSSL's may be several lines."""
    first = text.strip().splitlines()[0] if text.strip() else "no reason is given"
    return first.rstrip(".")[:300]


def _with_policy(request: bytes, policy: str) -> bytes:
    """Put the policy's OID after the imprint, where RFC 3161 has it; the library writes none."""
    if not policy:
        return request
    body = request[2:_IMPRINT_ENDS] + _oid(policy) + request[_IMPRINT_ENDS:]
    return bytes((0x30, len(body))) + body


def _oid(dotted: str) -> bytes:
    """DER of an object identifier (X.690, 8.19); raises BadInput for one that is none, or longer than 40 bytes."""
    try:
        parts = [int(part) for part in x509.ObjectIdentifier(dotted).dotted_string.split(".")]
    except ValueError as exc:
        raise BadInput("The policy of the time-stamping authority is written as numbers with dots.") from exc
    content = b"".join(_base128(part) for part in (40 * parts[0] + parts[1], *parts[2:]))
    if len(content) > 40:
        raise BadInput("The policy of the time-stamping authority is too long.")
    return bytes((0x06, len(content))) + content


def _base128(value: int) -> bytes:
    groups: Sequence[int] = [value & 0x7F]
    while value := value >> 7:
        groups = [0x80 | value & 0x7F, *groups]
    return bytes(groups)
