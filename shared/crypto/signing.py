"""Signatures: Ed25519 in a DSSE envelope (secure-systems-lab, v1)."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.core.config import Settings
from shared.errors import BadInput, IntegrityFailure


class Signer:
    """A private Ed25519 key: the refit worker signs manifests, the control loop the log and certificates."""

    def __init__(self, private: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(private)
        self.public = self._private.public_key().public_bytes_raw()

    @classmethod
    def from_settings(cls, settings: "Settings") -> "Signer":
        """From LACUNA_SIGNING_KEY."""
        settings.need("signing_key")
        return cls.from_base64(settings.signing_key, "LACUNA_SIGNING_KEY")

    @classmethod
    def from_base64(cls, text: str, name: str) -> "Signer":
        """From the value of the variable `name`. Raises BadInput."""
        try:
            return cls(decode_base64(text, name))
        except ValueError as exc:
            raise BadInput(f"{name} is not an Ed25519 key.") from exc

    @classmethod
    def generate(cls) -> tuple[bytes, bytes]:
        """A new key pair, raw (private, public)."""
        key = Ed25519PrivateKey.generate()
        return key.private_bytes_raw(), key.public_key().public_bytes_raw()

    def sign_bytes(self, message: bytes) -> bytes:
        """The bare signature, 64 bytes. No `message` of the caller may begin as those of DSSE do (`DSSEv1 ...`)."""
        return self._private.sign(message)

    def sign(self, payload: bytes, payload_type: str) -> dict[str, Any]:
        """The DSSE envelope of `payload`."""
        signature = self._private.sign(_pae(payload_type, payload))
        return {
            "payloadType": payload_type,
            "payload": base64.b64encode(payload).decode(),
            "signatures": [{"keyid": key_id(self.public), "sig": base64.b64encode(signature).decode()}],
        }


class Verifier:
    """Trusted public keys."""

    def __init__(self, public: Sequence[bytes]) -> None:
        self._keys = {key_id(raw): Ed25519PublicKey.from_public_bytes(raw) for raw in public}

    @classmethod
    def from_settings(cls, settings: "Settings") -> "Verifier":
        """From LACUNA_VERIFY_KEYS."""
        settings.need("verify_keys")
        return cls([decode_base64(key.strip(), "LACUNA_VERIFY_KEYS") for key in settings.verify_keys.split(",")])

    def verify(self, envelope: Mapping[str, Any]) -> bytes:
        """The payload of the envelope. Raises IntegrityFailure unless a trusted key signed exactly this payload."""
        try:
            payload = base64.b64decode(envelope["payload"], validate=True)
            signed = _pae(envelope["payloadType"], payload)
            for signature in envelope["signatures"]:
                key = self._keys.get(signature["keyid"])
                if key is not None:
                    key.verify(base64.b64decode(signature["sig"], validate=True), signed)
                    return payload
        except (InvalidSignature, KeyError, TypeError, ValueError, AttributeError) as exc:
            raise IntegrityFailure("The manifest's signature does not hold.") from exc
        raise IntegrityFailure("The manifest is not signed by a key that is trusted here.")


def key_id(public: bytes) -> str:
    """Short name of a public key: the first 16 hex digits of its sha256."""
    return hashlib.sha256(public).hexdigest()[:16]


def _pae(payload_type: str, payload: bytes) -> bytes:
    """Pre-authentication encoding (DSSE v1)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def decode_base64(text: str, name: str) -> bytes:
    """The bytes of the variable `name`. Raises BadInput, which does not repeat `text`."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as exc:
        raise BadInput(f"{name} is not base64.") from exc
