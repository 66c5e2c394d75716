"""HashiCorp Vault's transit engine as a key provider: it wraps data keys, and its own key never leaves it."""

import base64
import binascii
from typing import Any, Final

import httpx

from shared.core.config import Settings
from shared.crypto.key_providers import VAULT_MARK, KeyProvider
from shared.errors import BadInput, IntegrityFailure, KeysUnavailable

_TIMEOUT_S: Final = 5.0


class VaultKeys:
    """The transit key `name` of a Vault at `address`: the wrapping key never leaves it.

    https://developer.hashicorp.com/vault/api-docs/secret/transit. Needs a policy that may update encrypt/`name`,
    decrypt/`name` and rewrap/`name`; the token's renewal is somebody else's (Vault Agent).
    """

    def __init__(self, address: str, token: str, *, mount: str = "transit", name: str = "lacuna") -> None:
        if not token:
            raise BadInput("LACUNA_VAULT_TOKEN must be set where LACUNA_VAULT_ADDRESS is.")
        self._name, self._mount = name, mount.strip("/")
        self._http = httpx.Client(
            base_url=address.rstrip("/"), headers={"X-Vault-Token": token}, timeout=_TIMEOUT_S, trust_env=False
        )

    def wrap(self, key: bytes) -> bytes:
        """See KeyProvider."""
        return str(self._ask("encrypt", {"plaintext": base64.b64encode(key).decode()}, "ciphertext")).encode()

    def unwrap(self, wrapped: bytes) -> bytes:
        """See KeyProvider."""
        try:
            return base64.b64decode(
                self._ask("decrypt", {"ciphertext": wrapped.decode("ascii")}, "plaintext"), validate=True
            )
        except (UnicodeDecodeError, binascii.Error) as exc:
            raise IntegrityFailure("A wrapped key was altered, or is not Vault's.") from exc

    def rewrap(self, wrapped: bytes) -> bytes:
        """See KeyProvider. Vault does it: the key is not seen here."""
        return str(self._ask("rewrap", {"ciphertext": wrapped.decode("ascii")}, "ciphertext")).encode()

    def name(self, wrapped: bytes) -> str:
        """See KeyProvider. `vault:v` and the version of the transit key."""
        mark, _, rest = wrapped.partition(b":v")
        number = rest.partition(b":")[0]
        if mark + b":" != VAULT_MARK or not number.isdigit():
            raise IntegrityFailure("A wrapped key was altered, or is not Vault's.")
        return f"vault:v{int(number)}"

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def _ask(self, verb: str, body: dict[str, str], wanted: str) -> str:
        try:
            reply = self._http.post(f"/v1/{self._mount}/{verb}/{self._name}", json=body)
        except httpx.HTTPError as exc:
            raise KeysUnavailable("The key service (Vault) cannot be reached.") from exc
        if reply.status_code == httpx.codes.FORBIDDEN:
            raise KeysUnavailable(f"Vault refuses our token: it is expired, or may not {verb} with {self._name!r}.")
        if reply.status_code == httpx.codes.BAD_REQUEST and verb != "encrypt":
            raise IntegrityFailure("Vault cannot open a wrapped key: it was altered, or its key version is retired.")
        if reply.status_code != httpx.codes.OK:
            raise KeysUnavailable(f"Vault cannot {verb} with {self._name!r} now: it answers {reply.status_code}.")
        try:
            found: Any = reply.json()["data"][wanted]
        except (ValueError, KeyError, TypeError) as exc:
            raise KeysUnavailable("What answers at LACUNA_VAULT_ADDRESS is no Vault.") from exc
        return str(found)


def provider_of(settings: Settings) -> KeyProvider | None:
    """Vault, where the settings name one."""
    if not settings.vault_address:
        return None
    return VaultKeys(settings.vault_address, settings.vault_token, mount=settings.vault_mount, name=settings.vault_key)
