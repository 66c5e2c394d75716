"""Who wraps data keys: the key-encryption key of the environment, or HashiCorp Vault's transit engine (vault.py).

A provider sees data keys only, never what they seal. Whoever destroys every copy of a wrapped key has shredded its
object, whichever provider wrapped it.
"""

import hmac
from collections.abc import Sequence
from typing import Final, Protocol

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from shared.errors import BadInput, IntegrityFailure

VAULT_MARK: Final = b"vault:"  # how transit's ciphertexts begin: vault:v<key version>:<base64>


class KeyProvider(Protocol):
    """Every method raises KeysUnavailable where the keys cannot be reached or are refused to us."""

    def wrap(self, key: bytes) -> bytes:
        """`key` (32 bytes), so that only this provider reads it."""

    def unwrap(self, wrapped: bytes) -> bytes:
        """The key; raises IntegrityFailure where `wrapped` was altered or is not this provider's."""

    def rewrap(self, wrapped: bytes) -> bytes:
        """The same key under the newest version of the wrapping key; what it opens stays as it is."""

    def name(self, wrapped: bytes) -> str:
        """Which wrapping key `wrapped` needs: its public name; raises IntegrityFailure where it is none of ours."""


class LocalKeys:
    """AES key wrap (RFC 3394) under 32 bytes that this process holds; what one of the `old` ones wrapped is opened too.

    A wrapped key does not say which one wrapped it: each is tried, and a wrong one is told by RFC 3394's check value.
    """

    def __init__(self, kek: bytes, old: Sequence[bytes] = ()) -> None:
        if any(len(one) != 32 for one in (kek, *old)):
            raise BadInput("The key-encryption key must be 32 bytes.")
        self._kek, self._all = kek, (kek, *old)

    def wrap(self, key: bytes) -> bytes:
        """See KeyProvider."""
        return aes_key_wrap(self._kek, key)

    def unwrap(self, wrapped: bytes) -> bytes:
        """See KeyProvider."""
        return self._opened(wrapped)[0]

    def rewrap(self, wrapped: bytes) -> bytes:
        """See KeyProvider."""
        return self.wrap(self.unwrap(wrapped))

    def name(self, wrapped: bytes) -> str:
        """See KeyProvider. `kek:` and eight hex digits of an HMAC under the key: says nothing of it."""
        return f"kek:{hmac.digest(self._opened(wrapped)[1], b'lacuna kek name v1', 'sha256').hex()[:8]}"

    def _opened(self, wrapped: bytes) -> tuple[bytes, bytes]:
        """The data key, and who wrapped it."""
        for kek in self._all:
            try:
                return aes_key_unwrap(kek, wrapped), kek
            except (InvalidUnwrap, ValueError):
                continue
        raise IntegrityFailure("A wrapped key was altered, or is not ours.")
