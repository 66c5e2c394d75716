"""Sealing, tags and blind indices.

An object is sealed with AES-256-GCM under a data key of its own, which a key provider wraps (key_providers.py). What
is to be shredded one day also needs a shredding key (shredding_keys.py): destroying that one shreds the object,
whatever copies of the wrapped key are kept.
"""

import hmac
import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.core.config import Settings
from shared.crypto import shredding_keys
from shared.crypto.key_providers import VAULT_MARK, KeyProvider, LocalKeys
from shared.crypto.shredding_keys import ShreddableKey, ShreddingKeys
from shared.crypto.signing import decode_base64
from shared.errors import BadInput, IntegrityFailure, KeysUnavailable
from shared.text.names import name_forms

_NONCE: Final = 12  # bytes
NAME_FORM: Final = 1  # of the canonical form in `name_keys`; a higher number has the keys of all tickets made anew


@dataclass(frozen=True)
class Sealed:
    """`blob` is nonce, ciphertext and tag. Nobody can open it without `wrapped_key`."""

    blob: bytes
    wrapped_key: bytes


class KeyRing:
    """The keys of one installation.

    New data keys are wrapped by `provider`, or by `kek` (32 bytes) where there is none. What `kek` or one of the `old`
    keys wrapped before is still opened. Blind indices and tags are keyed by `index`, or by `kek` where there is none:
    they must not change when `kek` is rotated, because they cannot be computed again once the payloads are destroyed.
    What is sealed shreddable needs a key of `shredding`, where there is one.
    """

    def __init__(
        self,
        kek: bytes,
        provider: KeyProvider | None = None,
        old: Sequence[bytes] = (),
        index: bytes | None = None,
        shredding: ShreddingKeys | None = None,
    ) -> None:
        self._local = LocalKeys(kek, old)
        self._shredding = shredding
        self._provider = provider
        self._tags = index or kek
        self._index = hmac.digest(self._tags, b"lacuna blind index v1", "sha256")

    @classmethod
    def from_settings(cls, settings: "Settings") -> "KeyRing":
        """From LACUNA_KEK and LACUNA_SHREDDING_KEYS, and from LACUNA_VAULT_ADDRESS where it is given."""
        from shared.crypto.vault import provider_of, shredding_keys_of  # noqa: PLC0415 - imports an HTTP client

        settings.need("kek")
        old = [decode_base64(kek.strip(), "LACUNA_OLD_KEKS") for kek in settings.old_keks.split(",") if kek.strip()]
        if old and not settings.index_key:
            raise BadInput("LACUNA_INDEX_KEY must be set where LACUNA_OLD_KEKS is: the very first key-encryption key.")
        index = decode_base64(settings.index_key, "LACUNA_INDEX_KEY") if settings.index_key else None
        shredding = shredding_keys.folder_of(settings) or shredding_keys_of(settings)
        return cls(decode_base64(settings.kek, "LACUNA_KEK"), provider_of(settings), old, index, shredding)

    def seal(self, plaintext: bytes, aad: str, *, shreddable: bool = False) -> Sealed:
        """Encrypt under a fresh data key. `aad`, the key of the object in the store, is bound to the ciphertext.

        With `shreddable` the object gets a shredding key. Raises KeysUnavailable where a key cannot be made.
        """
        key, nonce = AESGCM.generate_key(256), os.urandom(_NONCE)
        blob = nonce + AESGCM(key).encrypt(nonce, plaintext, aad.encode())
        wrapped = (self._provider or self._local).wrap(key)
        return Sealed(blob, self.make_shreddable(wrapped) if shreddable else wrapped)

    def open(self, blob: bytes, wrapped_key: bytes, aad: str) -> bytes:
        """The plaintext.

        Raises IntegrityFailure where a byte, the data key or the place of the object is another one than when it was
        sealed, KeysUnavailable where the provider that wrapped the key is away or not configured, and NeedsResubmission
        where the shredding key of the object is destroyed.
        """
        try:
            _, inner = self._open_shreddable(bytes(wrapped_key))
            key = self._provider_of(inner).unwrap(inner)
            return AESGCM(key).decrypt(blob[:_NONCE], blob[_NONCE:], aad.encode())
        except (InvalidTag, IntegrityFailure, ValueError) as exc:
            raise IntegrityFailure(f"The object {aad} cannot be opened: it was altered, or is not ours.") from exc

    def rewrap(self, wrapped_key: bytes) -> bytes:
        """The same data key under the newest wrapping key. The object itself does not change."""
        name, inner = self._open_shreddable(wrapped_key)
        old = self._provider_of(inner)
        new = self._provider or self._local
        rewrapped = new.rewrap(inner) if old is new else new.wrap(old.unwrap(inner))
        return self._wrap_shreddable(name, rewrapped) if name else rewrapped

    def wrapping_key_name(self, wrapped_key: bytes) -> str:
        """The public name of the wrapping key that opens `wrapped_key`.

        Raises IntegrityFailure, KeysUnavailable or NeedsResubmission.
        """
        _, inner = self._open_shreddable(wrapped_key)
        return self._provider_of(inner).name(inner)

    def make_shreddable(self, wrapped_key: bytes) -> bytes:
        """`wrapped_key` under a new shredding key; the same where there is no store of them, or it has one already."""
        if self._shredding is None or shredding_keys.parse(wrapped_key) is not None:
            return wrapped_key
        return self._wrap_shreddable(self._shredding.create(), wrapped_key)

    def shred(self, name: str) -> None:
        """Destroy the shredding key `name`. Safe to repeat. Raises KeysUnavailable."""
        self._need_shredding_keys().destroy(name)

    def current_wrapping_key(self) -> str:
        """The public name of the wrapping key that wraps new data keys."""
        return self.wrapping_key_name((self._provider or self._local).wrap(AESGCM.generate_key(256)))

    def _open_shreddable(self, wrapped_key: bytes) -> tuple[str | None, bytes]:
        """The name of the shredding key and what it wraps; None and the wrapped key itself where it needs none."""
        key = shredding_keys.parse(wrapped_key)
        if key is None:
            return None, wrapped_key
        return key.name, self._need_shredding_keys().unwrap(key.name, key.wrapped)

    def _wrap_shreddable(self, name: str, wrapped_key: bytes) -> bytes:
        return ShreddableKey(name, self._need_shredding_keys().wrap(name, wrapped_key)).to_bytes()

    def _need_shredding_keys(self) -> ShreddingKeys:
        if self._shredding is None:
            raise KeysUnavailable("A data key needs a shredding key: LACUNA_SHREDDING_KEYS must be set.")
        return self._shredding

    def _provider_of(self, wrapped_key: bytes) -> KeyProvider:
        if not wrapped_key.startswith(VAULT_MARK):
            return self._local
        if self._provider is None:
            raise KeysUnavailable("A data key is wrapped by Vault: LACUNA_VAULT_ADDRESS must be set.")
        return self._provider

    def tag(self, text: bytes, purpose: str) -> str:
        """HMAC-SHA256 (hex) of `text` under a key that serves `purpose` alone."""
        return hmac.digest(hmac.digest(self._tags, f"lacuna tag {purpose}".encode(), "sha256"), text, "sha256").hex()

    def secret(self, purpose: str) -> bytes:
        """A derived secret of 32 bytes for one purpose: the same in every process that has the key."""
        return hmac.digest(self._tags, b"lacuna secret v1 " + purpose.encode(), "sha256")

    def blind_index(self, text: str) -> str:
        """HMAC-SHA256 (hex) of `text`: the same for equal texts, and nobody without the key can guess the text.

        Case, blanks and the encoding of a letter (Unicode NFKC) make no difference.
        """
        plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
        return hmac.digest(self._index, plain.encode(), "sha256").hex()

    def name_keys(self, names: Iterable[str]) -> list[str]:
        """The keys of all canonical forms of `names`, sorted: two spellings of one name share a key.

        Nobody without the index key can guess a name from them.
        """
        return sorted({self.name_form_key(form) for name in names for form in name_forms(name)})

    def name_form_key(self, form: str) -> str:
        """HMAC-SHA256 (hex) of one canonical form of a name (shared/text/names.py)."""
        return hmac.digest(self._index, f"name form {NAME_FORM}\n{form}".encode(), "sha256").hex()

    def person_keys(self, names: Iterable[str]) -> list[str]:
        """By which a person's tickets are found: `name_keys`, and the blind index of each name for tickets that have no
        such keys; sorted."""
        names = list(names)
        return sorted({*self.name_keys(names), *map(self.blind_index, names)})
