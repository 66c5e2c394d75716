"""Key providers wrap data keys: with the key-encryption key of the environment, or with HashiCorp Vault (vault.py).

A provider sees data keys only, never what they seal. Destroying every copy of a wrapped key shreds its object,
whichever provider wrapped it.
"""

import hmac
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from shared.errors import BadInput, IntegrityFailure

VAULT_MARK: Final = b"vault:"  # the ciphertexts of transit begin so: vault:v<key version>:<base64>


class KeyProvider(Protocol):
    """Every method raises KeysUnavailable where the keys cannot be reached, or access to them is refused."""

    def wrap(self, key: bytes) -> bytes:
        """`key` (32 bytes), encrypted so that only this provider can read it."""

    def unwrap(self, wrapped: bytes) -> bytes:
        """The key. Raises IntegrityFailure where `wrapped` was altered or another provider wrapped it."""

    def rewrap(self, wrapped: bytes) -> bytes:
        """The same data key under the newest version of the wrapping key. The sealed object does not change."""

    def name(self, wrapped: bytes) -> str:
        """The public name of the wrapping key that `wrapped` needs. Raises IntegrityFailure where it is not known."""


class _Unwrapped(NamedTuple):
    """A data key, and the key-encryption key that wrapped it."""

    key: bytes
    kek: bytes


class LocalKeys:
    """AES key wrap (RFC 3394) under a key of 32 bytes; keys that one of the `old` keys wrapped are opened too.

    A wrapped key does not say which key wrapped it. Each is tried: the check value of RFC 3394 tells a wrong key.
    """

    def __init__(self, kek: bytes, old: Sequence[bytes] = ()) -> None:
        if any(len(key) != 32 for key in (kek, *old)):
            raise BadInput("The key-encryption key must be 32 bytes.")
        self._kek, self._all = kek, (kek, *old)

    def wrap(self, key: bytes) -> bytes:
        """See KeyProvider."""
        return aes_key_wrap(self._kek, key)

    def unwrap(self, wrapped: bytes) -> bytes:
        """See KeyProvider."""
        return self._unwrap(wrapped).key

    def rewrap(self, wrapped: bytes) -> bytes:
        """See KeyProvider."""
        return self.wrap(self.unwrap(wrapped))

    def name(self, wrapped: bytes) -> str:
        """See KeyProvider. `kek:` and eight hex digits of an HMAC under the key, which reveal nothing of the key."""
        return f"kek:{hmac.digest(self._unwrap(wrapped).kek, b'lacuna kek name v1', 'sha256').hex()[:8]}"

    def _unwrap(self, wrapped: bytes) -> _Unwrapped:
        for kek in self._all:
            try:
                return _Unwrapped(aes_key_unwrap(kek, wrapped), kek)
            except (InvalidUnwrap, ValueError):
                continue
        raise IntegrityFailure("A wrapped key was altered, or is not ours.")
