"""Sealing, signing, blind indexing. `cryptography` does the work; here stand the choices.

Sealed: AES-256-GCM under a data key of its own, which a key provider wraps (keys.py); whoever destroys the wrapped key
shreds the object. Signed: Ed25519 in a DSSE envelope (secure-systems-lab, v1).
"""

import base64
import hashlib
import hmac
import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.errors import BadInput, IntegrityFailure, KeysUnavailable
from shared.keys import VAULT_MARK, KeyProvider, LocalKeys

if TYPE_CHECKING:
    from shared.config import Settings  # reading settings takes a quarter of a second: whoever only verifies has none

_NONCE = 12


@dataclass(frozen=True)
class Sealed:
    """`blob` = nonce, ciphertext, tag. Without `wrapped_key` it is noise."""

    blob: bytes
    wrapped_key: bytes


class KeyRing:
    """The keys of one installation: `kek` (32 bytes) wraps data keys where there is no `provider`.

    With a provider new data keys are wrapped by it. What `kek` or one of the `old` ones wrapped before is still opened.
    Blind indices and tags are keyed by `index`, `kek` where there is none: they must stay when `kek` is rotated, since
    they cannot be made anew once the payloads are destroyed.
    """

    def __init__(
        self, kek: bytes, provider: KeyProvider | None = None, old: Sequence[bytes] = (), index: bytes | None = None
    ) -> None:
        self._local = LocalKeys(kek, old)
        self._provider = provider
        self._tags = index or kek
        self._index = hmac.digest(self._tags, b"lacuna blind index v1", "sha256")

    @classmethod
    def from_settings(cls, settings: "Settings") -> "KeyRing":
        """From LACUNA_KEK, and LACUNA_VAULT_ADDRESS where it is given."""
        from shared.vault import provider_of  # noqa: PLC0415 - with its HTTP client

        settings.need("kek")
        old = [_decoded(one.strip(), "LACUNA_OLD_KEKS") for one in settings.old_keks.split(",") if one.strip()]
        if old and not settings.index_key:
            raise BadInput(
                "LACUNA_INDEX_KEY must be set where LACUNA_OLD_KEKS is: the first of all key-encryption keys."
            )
        index = _decoded(settings.index_key, "LACUNA_INDEX_KEY") if settings.index_key else None
        return cls(_decoded(settings.kek, "LACUNA_KEK"), provider_of(settings), old, index)

    def seal(self, plaintext: bytes, aad: str) -> Sealed:
        """Encrypt under a fresh data key; `aad` (the object's key in the store) is bound to it."""
        key, nonce = AESGCM.generate_key(256), os.urandom(_NONCE)
        blob = nonce + AESGCM(key).encrypt(nonce, plaintext, aad.encode())
        return Sealed(blob, (self._provider or self._local).wrap(key))

    def open(self, blob: bytes, wrapped_key: bytes, aad: str) -> bytes:
        """The plaintext; raises IntegrityFailure where a byte, the key or the place is not as sealed.

        KeysUnavailable where the provider that wrapped the key is away or not configured.
        """
        try:
            key = self._provider_of(bytes(wrapped_key)).unwrap(bytes(wrapped_key))
            return AESGCM(key).decrypt(blob[:_NONCE], blob[_NONCE:], aad.encode())
        except (InvalidTag, IntegrityFailure, ValueError) as exc:
            raise IntegrityFailure(f"The object {aad} cannot be opened: it was altered, or is not ours.") from exc

    def rewrap(self, wrapped_key: bytes) -> bytes:
        """The same data key under the newest wrapping key; the object need not be touched."""
        old = self._provider_of(wrapped_key)
        new = self._provider or self._local
        return new.rewrap(wrapped_key) if old is new else new.wrap(old.unwrap(wrapped_key))

    def name_of(self, wrapped_key: bytes) -> str:
        """Which wrapping key opens it, by its public name; raises IntegrityFailure, KeysUnavailable."""
        return self._provider_of(wrapped_key).name(wrapped_key)

    def newest(self) -> str:
        """The name of the wrapping key under which data keys are wrapped now."""
        return self.name_of((self._provider or self._local).wrap(AESGCM.generate_key(256)))

    def _provider_of(self, wrapped_key: bytes) -> KeyProvider:
        if not wrapped_key.startswith(VAULT_MARK):
            return self._local
        if self._provider is None:
            raise KeysUnavailable("A data key is wrapped by Vault: LACUNA_VAULT_ADDRESS must be set.")
        return self._provider

    def tag(self, text: bytes, purpose: str) -> str:
        """HMAC-SHA256 (hex) of `text` under a key for `purpose` alone."""
        return hmac.digest(hmac.digest(self._tags, f"lacuna tag {purpose}".encode(), "sha256"), text, "sha256").hex()

    def secret(self, purpose: str) -> bytes:
        """A 32-byte secret for one purpose, derived: the same in every process that has the key."""
        return hmac.digest(self._tags, b"lacuna secret v1 " + purpose.encode(), "sha256")

    def blind_index(self, text: str) -> str:
        """HMAC-SHA256 (hex) of `text`: equal texts meet, nobody without the key can guess them.

        Case, blanks and ways to encode a letter (Unicode NFKC) do not count.
        """
        plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
        return hmac.digest(self._index, plain.encode(), "sha256").hex()


class Signer:
    """An Ed25519 key that signs: manifests in the refit service, the log and certificates in the clerk."""

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
        """From the variable `name`."""
        try:
            return cls(_decoded(text, name))
        except ValueError as exc:
            raise BadInput(f"{name} is no Ed25519 key.") from exc

    @classmethod
    def generate(cls) -> tuple[bytes, bytes]:
        """A new key pair, raw (private, public)."""
        key = Ed25519PrivateKey.generate()
        return key.private_bytes_raw(), key.public_key().public_bytes_raw()

    def sign_bytes(self, message: bytes) -> bytes:
        """The bare signature, 64 bytes. Whoever calls it keeps its messages apart from DSSE's (`DSSEv1 ...`)."""
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
    """Public keys that are trusted."""

    def __init__(self, public: Sequence[bytes]) -> None:
        self._keys = {key_id(raw): Ed25519PublicKey.from_public_bytes(raw) for raw in public}

    @classmethod
    def from_settings(cls, settings: "Settings") -> "Verifier":
        """From LACUNA_VERIFY_KEYS."""
        settings.need("verify_keys")
        return cls([_decoded(one.strip(), "LACUNA_VERIFY_KEYS") for one in settings.verify_keys.split(",")])

    def verify(self, envelope: Mapping[str, Any]) -> bytes:
        """The payload; raises IntegrityFailure unless one trusted key signed exactly it."""
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


def _decoded(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as exc:
        raise BadInput(f"{name} is not base64.") from exc
