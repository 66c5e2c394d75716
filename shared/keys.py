"""Who wraps data keys: the key-encryption key of the environment, or HashiCorp Vault's transit engine (vault.py).

A provider sees data keys only, never what they seal. Whoever destroys every copy of a wrapped key has shredded its
object, whichever provider wrapped it.
"""

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

    def version(self, wrapped: bytes) -> int:
        """Which version of the wrapping key `wrapped` needs."""


class LocalKeys:
    """AES key wrap (RFC 3394) under 32 bytes that this process holds. There is one version."""

    def __init__(self, kek: bytes) -> None:
        if len(kek) != 32:
            raise BadInput("The key-encryption key must be 32 bytes.")
        self._kek = kek

    def wrap(self, key: bytes) -> bytes:
        """See KeyProvider."""
        return aes_key_wrap(self._kek, key)

    def unwrap(self, wrapped: bytes) -> bytes:
        """See KeyProvider."""
        try:
            return aes_key_unwrap(self._kek, wrapped)
        except (InvalidUnwrap, ValueError) as exc:
            raise IntegrityFailure("A wrapped key was altered, or is not ours.") from exc

    def rewrap(self, wrapped: bytes) -> bytes:
        """See KeyProvider."""
        return self.wrap(self.unwrap(wrapped))

    def version(self, wrapped: bytes) -> int:
        """See KeyProvider."""
        return 1
