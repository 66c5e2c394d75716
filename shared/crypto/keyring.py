"""Sealing, signing, blind indexing. `cryptography` does the work; here stand the choices.

Sealed: AES-256-GCM under a data key of its own, which a key provider wraps (keys.py); whoever destroys the wrapped key
shreds the object. Signed: Ed25519 in a DSSE envelope (secure-systems-lab, v1).
"""

import hmac
import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.core.config import Settings
from shared.crypto.key_providers import VAULT_MARK, KeyProvider, LocalKeys
from shared.crypto.signing import decode_base64
from shared.errors import BadInput, IntegrityFailure, KeysUnavailable

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
        from shared.crypto.vault import provider_of  # noqa: PLC0415 - with its HTTP client

        settings.need("kek")
        old = [decode_base64(one.strip(), "LACUNA_OLD_KEKS") for one in settings.old_keks.split(",") if one.strip()]
        if old and not settings.index_key:
            raise BadInput(
                "LACUNA_INDEX_KEY must be set where LACUNA_OLD_KEKS is: the first of all key-encryption keys."
            )
        index = decode_base64(settings.index_key, "LACUNA_INDEX_KEY") if settings.index_key else None
        return cls(decode_base64(settings.kek, "LACUNA_KEK"), provider_of(settings), old, index)

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

    def wrapping_key_name(self, wrapped_key: bytes) -> str:
        """Which wrapping key opens it, by its public name; raises IntegrityFailure, KeysUnavailable."""
        return self._provider_of(wrapped_key).name(wrapped_key)

    def current_wrapping_key(self) -> str:
        """The name of the wrapping key under which data keys are wrapped now."""
        return self.wrapping_key_name((self._provider or self._local).wrap(AESGCM.generate_key(256)))

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
