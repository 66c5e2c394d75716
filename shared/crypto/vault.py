"""HashiCorp Vault's transit engine as a key provider and as a store of shredding keys. Its keys never leave Vault.

API: https://developer.hashicorp.com/vault/api-docs/secret/transit.
"""

import base64
import binascii
import secrets
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from shared.core.config import Settings
from shared.crypto.key_providers import VAULT_MARK, KeyProvider
from shared.crypto.shredding_keys import NAME_LENGTH, destroyed
from shared.errors import BadInput, IntegrityFailure, KeysUnavailable

_TIMEOUT_S: Final = 5.0
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class _Transit:
    """The transit engine at `mount` of the Vault at `address`, over HTTP."""

    def __init__(self, address: str, token: str, mount: str) -> None:
        if not token:
            raise BadInput("LACUNA_VAULT_TOKEN must be set where LACUNA_VAULT_ADDRESS is.")
        self._mount = mount.strip("/")
        self._http = httpx.Client(
            base_url=address.rstrip("/"), headers={"X-Vault-Token": token}, timeout=_TIMEOUT_S, trust_env=False
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """The answer where it is a success, 400 or 404. Raises KeysUnavailable for every other."""
        verb, _, name = path.partition("/")
        try:
            reply = self._http.request(method, f"/v1/{self._mount}/{path}", json=body)
        except httpx.HTTPError as exc:
            raise KeysUnavailable("The key service (Vault) cannot be reached.") from exc
        if reply.status_code == httpx.codes.FORBIDDEN:
            raise KeysUnavailable(f"Vault refuses the token: it has expired, or may not {verb} with {name!r}.")
        if not reply.is_success and reply.status_code not in (httpx.codes.BAD_REQUEST, httpx.codes.NOT_FOUND):
            raise KeysUnavailable(f"Vault cannot {verb} with {name!r} now: it answers {reply.status_code}.")
        return reply

    def encrypt(self, name: str, data: bytes) -> bytes:
        """`data` under the key `name`, as Vault writes it."""
        reply = self.call("POST", f"encrypt/{name}", {"plaintext": base64.b64encode(data).decode()})
        if not reply.is_success:
            raise KeysUnavailable(f"Vault cannot encrypt with {name!r} now: it answers {reply.status_code}.")
        return member(reply, "ciphertext").encode()


def member(reply: httpx.Response, name: str) -> str:
    """One member of the data of an answer of Vault."""
    try:
        value: Any = reply.json()["data"][name]
    except (ValueError, KeyError, TypeError) as exc:
        raise KeysUnavailable("The server at LACUNA_VAULT_ADDRESS is not Vault.") from exc
    return str(value)


class VaultKeys:
    """The transit key `name` of the Vault at `address`.

    The token needs a policy that may update encrypt/`name`, decrypt/`name` and rewrap/`name`. Something else (Vault
    Agent) has to renew it.
    """

    def __init__(self, address: str, token: str, *, mount: str = "transit", name: str = "lacuna") -> None:
        self._name, self._transit = name, _Transit(address, token, mount)

    def wrap(self, key: bytes) -> bytes:
        """See KeyProvider."""
        return self._transit.encrypt(self._name, key)

    def unwrap(self, wrapped: bytes) -> bytes:
        """See KeyProvider."""
        try:
            return base64.b64decode(self._request("decrypt", wrapped.decode("ascii"), "plaintext"), validate=True)
        except (UnicodeDecodeError, binascii.Error) as exc:
            raise IntegrityFailure("A wrapped key was altered, or Vault did not wrap it.") from exc

    def rewrap(self, wrapped: bytes) -> bytes:
        """See KeyProvider. Vault does it: this process does not see the data key."""
        return self._request("rewrap", wrapped.decode("ascii"), "ciphertext").encode()

    def name(self, wrapped: bytes) -> str:
        """See KeyProvider. `vault:v` and the version of the transit key."""
        mark, _, rest = wrapped.partition(b":v")
        number = rest.partition(b":")[0]
        if mark + b":" != VAULT_MARK or not number.isdigit():
            raise IntegrityFailure("A wrapped key was altered, or Vault did not wrap it.")
        return f"vault:v{int(number)}"

    def close(self) -> None:
        """Close the connections."""
        self._transit.close()

    def _request(self, verb: str, ciphertext: str, wanted: str) -> str:
        reply = self._transit.call("POST", f"{verb}/{self._name}", {"ciphertext": ciphertext})
        if reply.status_code == httpx.codes.BAD_REQUEST:
            raise IntegrityFailure("Vault cannot open a wrapped key: it was altered, or its key version is retired.")
        if not reply.is_success:
            raise KeysUnavailable(f"Vault cannot {verb} with {self._name!r} now: it answers {reply.status_code}.")
        return member(reply, wanted)


class VaultShreddingKeys:
    """One transit key for each sealed object, `<prefix><name>`, which is deleted when the object is shredded.

    The token needs a policy that may create, update and read keys/`<prefix>*` and update encrypt/`<prefix>*` and
    decrypt/`<prefix>*`; that of the control loop also delete keys/`<prefix>*` and update keys/`<prefix>*`/config.
    """

    def __init__(self, address: str, token: str, *, mount: str = "transit", prefix: str = "lacuna-shred-") -> None:
        self._prefix, self._transit = prefix, _Transit(address, token, mount)

    def create(self) -> str:
        """See ShreddingKeys. The key cannot be deleted until `destroy` allows it."""
        name = secrets.token_hex(NAME_LENGTH // 2)
        self._done(self._transit.call("POST", f"keys/{self._prefix}{name}", {"type": "aes256-gcm96"}), "create")
        return name

    def wrap(self, name: str, data: bytes) -> bytes:
        """See ShreddingKeys."""
        return self._transit.encrypt(self._prefix + name, data)

    def unwrap(self, name: str, wrapped: bytes) -> bytes:
        """See ShreddingKeys."""
        key = self._prefix + name
        try:
            reply = self._transit.call("POST", f"decrypt/{key}", {"ciphertext": wrapped.decode("ascii")})
            if not reply.is_success:
                if not self._exists(name):
                    raise destroyed(name)
                raise IntegrityFailure("Vault cannot open a wrapped key: it was altered.")
            return base64.b64decode(member(reply, "plaintext"), validate=True)
        except (UnicodeDecodeError, binascii.Error) as exc:
            raise IntegrityFailure("A wrapped key was altered, or Vault did not wrap it.") from exc

    def destroy(self, name: str) -> None:
        """See ShreddingKeys."""
        if self._exists(name):
            key = f"keys/{self._prefix}{name}"
            self._done(self._transit.call("POST", f"{key}/config", {"deletion_allowed": True}), "configure")
            self._done(self._transit.call("DELETE", key), "delete")

    def close(self) -> None:
        """Close the connections."""
        self._transit.close()

    def _exists(self, name: str) -> bool:
        reply = self._transit.call("GET", f"keys/{self._prefix}{name}")
        if reply.status_code == httpx.codes.NOT_FOUND:
            return False
        self._done(reply, "read")
        return True

    def _done(self, reply: httpx.Response, verb: str) -> None:
        if not reply.is_success:
            raise KeysUnavailable(f"Vault cannot {verb} a shredding key now: it answers {reply.status_code}.")


def provider_of(settings: Settings) -> KeyProvider | None:
    """The Vault of the settings, where they name one. Raises BadInput unless it is reached by https."""
    if not settings.vault.address:
        return None
    _check_address(settings)
    return VaultKeys(settings.vault.address, settings.vault.token, mount=settings.vault.mount, name=settings.vault.key)


def shredding_keys_of(settings: Settings) -> VaultShreddingKeys:
    """The shredding keys in the Vault of the settings. Raises BadInput where they name none."""
    if not settings.vault.address:
        raise BadInput("LACUNA_SHREDDING_KEYS is vault, and LACUNA_VAULT_ADDRESS is not set.")
    _check_address(settings)
    vault = settings.vault
    return VaultShreddingKeys(vault.address, vault.token, mount=vault.mount, prefix=f"{vault.key}-shred-")


def _check_address(settings: Settings) -> None:
    place = urlsplit(settings.vault.address)
    if place.scheme != "https" and not (place.scheme == "http" and place.hostname in LOOPBACK):
        raise BadInput("LACUNA_VAULT_ADDRESS has to begin with https: data keys travel to it in clear.")
