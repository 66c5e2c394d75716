"""Data keys wrapped by Vault's transit engine, against a stand-in that speaks its HTTP API; and by our own key."""

import base64
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from shared.core.config import Settings, VaultSettings
from shared.crypto.key_providers import LocalKeys
from shared.crypto.keyring import KeyRing
from shared.crypto.vault import VaultKeys, provider_of
from shared.errors import BadInput, IntegrityFailure, KeysUnavailable, Unavailable

TOKEN = "hvs.test"


@dataclass
class Vault:
    """One transit key with versions. Each answer has the shape that Vault's documentation gives."""

    token: str = TOKEN
    versions: int = 1
    oldest: int = 1
    sealed: bool = False
    kept: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/v1/transit/{verb}/{name}")
        async def transit(verb: str, name: str, request: Request) -> JSONResponse:
            self.asked.append(verb)
            if self.sealed:
                return JSONResponse({"errors": ["Vault is sealed"]}, 503)
            if request.headers.get("X-Vault-Token") != self.token:
                return JSONResponse({"errors": ["permission denied"]}, 403)
            body = await request.json()
            return JSONResponse(*self.answer(verb, name, body))

        return app

    def answer(self, verb: str, name: str, body: dict[str, Any]) -> tuple[dict[str, Any], int]:
        if name != "lacuna":
            return {"errors": ["encryption key not found"]}, 400
        if verb == "encrypt":
            return {"data": self.keep(body["plaintext"])}, 200
        plain = self.kept.get(body["ciphertext"])
        if plain is None:
            return {"errors": ["invalid ciphertext: could not decrypt"]}, 400
        if int(body["ciphertext"].split(":")[1][1:]) < self.oldest:
            return {"errors": ["ciphertext or signature version is disallowed by policy (too old)"]}, 400
        return {"data": {"plaintext": plain} if verb == "decrypt" else self.keep(plain)}, 200

    def keep(self, plain: str) -> dict[str, Any]:
        written = f"vault:v{self.versions}:{base64.b64encode(os.urandom(48)).decode()}"
        self.kept[written] = plain
        return {"ciphertext": written, "key_version": self.versions}


@pytest.fixture
def vault() -> Vault:
    return Vault()


@pytest.fixture
def keys(vault: Vault, listening: Callable[[Any], str]) -> Iterator[VaultKeys]:
    provider = VaultKeys(listening(vault.app()), TOKEN)
    yield provider
    provider.close()


def test_wrapped_key_is_unwrapped_only_by_its_provider(keys: VaultKeys) -> None:
    key = os.urandom(32)
    for provider in (keys, LocalKeys(bytes(32))):
        wrapped = provider.wrap(key)
        assert key not in wrapped
        assert provider.unwrap(wrapped) == key
        assert provider.name(wrapped).startswith(("vault:v1", "kek:"))
        with pytest.raises(IntegrityFailure):
            provider.unwrap(wrapped[:-2] + b"AA")
    with pytest.raises(IntegrityFailure):
        LocalKeys(bytes(range(32))).unwrap(wrapped)
    for strange in (b"\xff", b"vault:"):
        with pytest.raises(IntegrityFailure):
            keys.unwrap(strange)
        with pytest.raises(IntegrityFailure):
            keys.name(strange)


def test_rotation_rewraps_and_the_objects_stay(keys: VaultKeys, vault: Vault) -> None:
    ring = KeyRing(bytes(32), keys)
    sealed = ring.seal(b"Mara Lindqvist", "payloads/t/1")
    assert keys.name(sealed.wrapped_key) == "vault:v1"
    vault.versions = 2
    newer = ring.rewrap(sealed.wrapped_key)
    assert keys.name(newer) == "vault:v2"
    assert vault.asked[-1] == "rewrap"
    vault.oldest = 2
    assert ring.open(sealed.blob, newer, "payloads/t/1") == b"Mara Lindqvist"
    with pytest.raises(IntegrityFailure):
        ring.open(sealed.blob, sealed.wrapped_key, "payloads/t/1")
    with pytest.raises(IntegrityFailure):
        ring.open(sealed.blob, newer, "payloads/t/2")


def test_key_ring_with_vault_opens_local_keys_but_local_ring_refuses_vault_keys(keys: VaultKeys) -> None:
    own, moved = KeyRing(bytes(32)), KeyRing(bytes(32), keys)
    sealed = own.seal(b"Mara", "a")
    assert moved.open(sealed.blob, sealed.wrapped_key, "a") == b"Mara"
    again = moved.rewrap(sealed.wrapped_key)
    assert again.startswith(b"vault:v1:")
    assert moved.open(sealed.blob, again, "a") == b"Mara"
    with pytest.raises(KeysUnavailable, match="LACUNA_VAULT_ADDRESS"):
        own.open(sealed.blob, again, "a")
    assert own.blind_index("Mara") == moved.blind_index("Mara")


def test_wrong_token_sealed_or_unreachable_vault_is_reported_as_unavailable(
    keys: VaultKeys, vault: Vault, listening: Callable[[Any], str]
) -> None:
    ring = KeyRing(bytes(32), keys)
    sealed = ring.seal(b"Mara", "a")
    vault.token = "another"
    with pytest.raises(KeysUnavailable, match="refuses the token"):
        ring.open(sealed.blob, sealed.wrapped_key, "a")
    vault.token, vault.sealed = TOKEN, True
    with pytest.raises(KeysUnavailable, match="503"):
        ring.seal(b"Mara", "a")
    vault.sealed = False
    assert ring.open(sealed.blob, sealed.wrapped_key, "a") == b"Mara"
    for address, says in (("http://127.0.0.1:1", "cannot be reached"), (listening(FastAPI()), "404")):
        other = VaultKeys(address, TOKEN)
        with pytest.raises(Unavailable, match=says):
            other.wrap(bytes(32))
        other.close()


def test_settings_choose_the_provider() -> None:
    assert provider_of(Settings()) is None
    with pytest.raises(BadInput, match="LACUNA_VAULT_TOKEN"):
        provider_of(Settings(vault=VaultSettings(address="https://vault:8200")))
    provider = provider_of(Settings(vault=VaultSettings(address="https://vault:8200", token=TOKEN)))
    assert isinstance(provider, VaultKeys)
    provider.close()


@pytest.mark.parametrize(
    "address", ["http://vault.example", "vault.example:8200", "ftp://vault.example", "http://127.0.0.1.example"]
)
def test_vault_is_reached_by_https_alone(address: str) -> None:
    with pytest.raises(BadInput, match="LACUNA_VAULT_ADDRESS"):
        provider_of(Settings(vault=VaultSettings(address=address, token="t")))
