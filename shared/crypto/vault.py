"""HashiCorp Vault's transit engine as a key provider. Its wrapping key never leaves Vault."""

import base64
import binascii
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from shared.core.config import Settings
from shared.crypto.key_providers import VAULT_MARK, KeyProvider
from shared.errors import BadInput, IntegrityFailure, KeysUnavailable

_TIMEOUT_S: Final = 5.0
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class VaultKeys:
    """The transit key `name` of the Vault at `address`.

    The token needs a policy that may update encrypt/`name`, decrypt/`name` and rewrap/`name`. Something else (Vault
    Agent) has to renew it. API: https://developer.hashicorp.com/vault/api-docs/secret/transit.
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
        return str(self._request("encrypt", {"plaintext": base64.b64encode(key).decode()}, "ciphertext")).encode()

    def unwrap(self, wrapped: bytes) -> bytes:
        """See KeyProvider."""
        try:
            return base64.b64decode(
                self._request("decrypt", {"ciphertext": wrapped.decode("ascii")}, "plaintext"), validate=True
            )
        except (UnicodeDecodeError, binascii.Error) as exc:
            raise IntegrityFailure("A wrapped key was altered, or Vault did not wrap it.") from exc

    def rewrap(self, wrapped: bytes) -> bytes:
        """See KeyProvider. Vault does it: this process does not see the data key."""
        return str(self._request("rewrap", {"ciphertext": wrapped.decode("ascii")}, "ciphertext")).encode()

    def name(self, wrapped: bytes) -> str:
        """See KeyProvider. `vault:v` and the version of the transit key."""
        mark, _, rest = wrapped.partition(b":v")
        number = rest.partition(b":")[0]
        if mark + b":" != VAULT_MARK or not number.isdigit():
            raise IntegrityFailure("A wrapped key was altered, or Vault did not wrap it.")
        return f"vault:v{int(number)}"

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _request(self, verb: str, body: dict[str, str], member: str) -> str:
        try:
            reply = self._http.post(f"/v1/{self._mount}/{verb}/{self._name}", json=body)
        except httpx.HTTPError as exc:
            raise KeysUnavailable("The key service (Vault) cannot be reached.") from exc
        if reply.status_code == httpx.codes.FORBIDDEN:
            raise KeysUnavailable(f"Vault refuses the token: it has expired, or may not {verb} with {self._name!r}.")
        if reply.status_code == httpx.codes.BAD_REQUEST and verb != "encrypt":
            raise IntegrityFailure("Vault cannot open a wrapped key: it was altered, or its key version is retired.")
        if reply.status_code != httpx.codes.OK:
            raise KeysUnavailable(f"Vault cannot {verb} with {self._name!r} now: it answers {reply.status_code}.")
        try:
            value: Any = reply.json()["data"][member]
        except (ValueError, KeyError, TypeError) as exc:
            raise KeysUnavailable("The server at LACUNA_VAULT_ADDRESS is not Vault.") from exc
        return str(value)


def provider_of(settings: Settings) -> KeyProvider | None:
    """The Vault of the settings, where they name one. Raises BadInput unless it is reached by https."""
    if not settings.vault.address:
        return None
    place = urlsplit(settings.vault.address)
    if place.scheme != "https" and not (place.scheme == "http" and place.hostname in LOOPBACK):
        raise BadInput("LACUNA_VAULT_ADDRESS has to begin with https: data keys travel to it in clear.")
    return VaultKeys(settings.vault.address, settings.vault.token, mount=settings.vault.mount, name=settings.vault.key)
