"""Shredding keys in a folder, and in Vault's transit engine against a stand-in that speaks its HTTP API."""

import base64
import os
import stat
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from shared.core.config import Settings, VaultSettings
from shared.crypto.keyring import KeyRing
from shared.crypto.shredding_keys import IDENTITY, FolderKeys, ShreddingKeys, folder_of, parse
from shared.crypto.vault import VaultShreddingKeys, shredding_keys_of
from shared.errors import BadInput, IntegrityFailure, KeysUnavailable, NeedsResubmission

TOKEN = "hvs.test"
KEK = bytes(range(32))


@dataclass
class Transit:
    """Transit keys by name. Status and body of each answer are those of Vault's documentation."""

    token: str = TOKEN
    keys: dict[str, dict[str, str]] = field(default_factory=dict)  # ciphertext -> plaintext
    deletable: set[str] = field(default_factory=set)
    sealed: bool = False

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.api_route("/v1/transit/{path:path}", methods=["GET", "POST", "DELETE"])
        async def transit(path: str, request: Request) -> Response:
            if self.sealed:
                return JSONResponse({"errors": ["Vault is sealed"]}, 503)
            if request.headers.get("X-Vault-Token") != self.token:
                return JSONResponse({"errors": ["permission denied"]}, 403)
            body = await request.json() if await request.body() else {}
            return self.answer(request.method, path.split("/"), body)

        return app

    def answer(self, method: str, path: list[str], body: dict[str, Any]) -> Response:
        done, refused = Response(status_code=204), JSONResponse({"errors": ["not found, or not allowed"]}, 400)
        match (method, *path):
            case ("POST", "keys", name):
                assert body == {"type": "aes256-gcm96"}
                self.keys[name] = {}
            case ("GET", "keys", name):
                done = (
                    JSONResponse({"data": {"name": name}}) if name in self.keys else JSONResponse({"errors": []}, 404)
                )
            case ("POST", "keys", name, "config") if name in self.keys:
                assert body == {"deletion_allowed": True}
                self.deletable.add(name)
            case ("DELETE", "keys", name) if name in self.deletable:
                del self.keys[name]
            case ("POST", "encrypt", name) if name in self.keys:
                written = f"vault:v1:{base64.b64encode(os.urandom(48)).decode()}"
                self.keys[name][written] = body["plaintext"]
                done = JSONResponse({"data": {"ciphertext": written, "key_version": 1}})
            case ("POST", "decrypt", name) if body["ciphertext"] in self.keys.get(name, {}):
                done = JSONResponse({"data": {"plaintext": self.keys[name][body["ciphertext"]]}})
            case _:
                done = refused
        return done


@pytest.fixture
def transit() -> Transit:
    return Transit()


@pytest.fixture
def vault(transit: Transit, listening: Callable[[Any], str]) -> Iterator[VaultShreddingKeys]:
    store = VaultShreddingKeys(listening(transit.app()), TOKEN)
    yield store
    store.close()


@pytest.fixture
def folder(tmp_path: Path) -> FolderKeys:
    store = FolderKeys(tmp_path / "keys")
    store.set_up()
    store.set_up()  # at every start
    return store


@pytest.fixture(params=["folder", "vault"])
def shredding(request: pytest.FixtureRequest) -> ShreddingKeys:
    store: ShreddingKeys = request.getfixturevalue(request.param)
    return store


def test_what_a_key_wraps_is_lost_when_it_is_destroyed_and_nothing_else(shredding: ShreddingKeys) -> None:
    name, other = shredding.create(), shredding.create()
    wrapped, of_other = shredding.wrap(name, b"a wrapped key"), shredding.wrap(other, b"of another")
    assert b"a wrapped key" not in wrapped
    assert shredding.unwrap(name, wrapped) == b"a wrapped key"
    for strange in (wrapped[:-2] + b"AA", of_other, b"\xff"):
        with pytest.raises(IntegrityFailure):
            shredding.unwrap(name, strange)
    shredding.destroy(name)
    shredding.destroy(name)  # after a crash it is asked for again
    with pytest.raises(NeedsResubmission, match="was destroyed"):
        shredding.unwrap(name, wrapped)
    assert shredding.unwrap(other, of_other) == b"of another"


def test_shreddable_object_needs_both_keys(shredding: ShreddingKeys) -> None:
    ring = KeyRing(KEK, shredding=shredding)
    sealed = ring.seal(b"Mara Lindqvist", "payloads/t/1", shreddable=True)
    assert ring.open(sealed.blob, sealed.wrapped_key, "payloads/t/1") == b"Mara Lindqvist"
    assert ring.wrapping_key_name(sealed.wrapped_key) == ring.current_wrapping_key()
    with pytest.raises(KeysUnavailable, match="LACUNA_SHREDDING_KEYS"):
        KeyRing(KEK).open(sealed.blob, sealed.wrapped_key, "payloads/t/1")
    with pytest.raises(IntegrityFailure):
        KeyRing(bytes(32), shredding=shredding).open(sealed.blob, sealed.wrapped_key, "payloads/t/1")
    key = parse(sealed.wrapped_key)
    assert key is not None
    ring.shred(key.name)
    with pytest.raises(NeedsResubmission):
        ring.open(sealed.blob, sealed.wrapped_key, "payloads/t/1")


def test_rotation_of_the_kek_keeps_the_shredding_key(shredding: ShreddingKeys) -> None:
    old = KeyRing(KEK, shredding=shredding)
    new = KeyRing(bytes(32), old=[KEK], index=KEK, shredding=shredding)
    sealed = old.seal(b"Mara", "a", shreddable=True)
    rewrapped = new.rewrap(sealed.wrapped_key)
    before, after = parse(sealed.wrapped_key), parse(rewrapped)
    assert before is not None
    assert after is not None
    assert (after.name, after.wrapped != before.wrapped) == (before.name, True)
    assert KeyRing(bytes(32), shredding=shredding).open(sealed.blob, rewrapped, "a") == b"Mara"


def test_earlier_objects_get_a_shredding_key_and_stay_readable(shredding: ShreddingKeys) -> None:
    sealed = KeyRing(KEK).seal(b"Mara", "a")
    ring = KeyRing(KEK, shredding=shredding)
    assert ring.open(sealed.blob, sealed.wrapped_key, "a") == b"Mara"
    shreddable = ring.make_shreddable(sealed.wrapped_key)
    assert ring.open(sealed.blob, shreddable, "a") == b"Mara"
    assert ring.make_shreddable(shreddable) == shreddable
    assert KeyRing(KEK).make_shreddable(sealed.wrapped_key) == sealed.wrapped_key


def test_key_of_a_folder_is_overwritten_and_removed(folder: FolderKeys, tmp_path: Path) -> None:
    name = folder.create()
    path = tmp_path / "keys" / name
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    key = path.read_bytes()
    os.link(path, tmp_path / "same-blocks")  # another name for what is on the disk
    folder.destroy(name)
    assert not path.exists()
    assert key not in (tmp_path / "same-blocks").read_bytes()
    assert sorted(file.name for file in (tmp_path / "keys").iterdir()) == [IDENTITY]


def test_crash_between_overwriting_and_removing_leaves_a_destroyed_key(folder: FolderKeys, tmp_path: Path) -> None:
    name = folder.create()
    wrapped = folder.wrap(name, b"a wrapped key")
    (tmp_path / "keys" / name).write_bytes(bytes(32))
    with pytest.raises(NeedsResubmission):
        folder.unwrap(name, wrapped)
    folder.destroy(name)
    assert not (tmp_path / "keys" / name).exists()


def test_another_folder_is_not_taken_for_one_whose_keys_were_destroyed(folder: FolderKeys, tmp_path: Path) -> None:
    """Mounted by mistake: what waits for its keys must wait, and nothing counts as shredded."""
    name = folder.create()
    wrapped = folder.wrap(name, b"a wrapped key")
    other = FolderKeys(tmp_path / "other")
    with pytest.raises(KeysUnavailable, match="was not set up"):
        other.create()
    for empty in (True, False):
        if not empty:
            other.set_up()
        with pytest.raises(KeysUnavailable):
            other.unwrap(name, wrapped)
        with pytest.raises(KeysUnavailable):
            other.destroy(name)
    (tmp_path / "keys").chmod(0)
    if os.geteuid() != 0:
        with pytest.raises(KeysUnavailable, match="Permission denied"):
            folder.create()
    (tmp_path / "keys").chmod(0o700)
    (tmp_path / "file").write_text("")
    with pytest.raises(KeysUnavailable, match="cannot be written"):
        FolderKeys(tmp_path / "file" / "keys").set_up()


def test_vault_that_is_sealed_or_refuses_the_token_is_unavailable(
    vault: VaultShreddingKeys, transit: Transit, listening: Callable[[Any], str]
) -> None:
    name = vault.create()
    wrapped = vault.wrap(name, b"a wrapped key")
    assert list(transit.keys) == [f"lacuna-shred-{name}"]
    assert not transit.deletable
    transit.sealed = True
    stranger = VaultShreddingKeys("http://127.0.0.1:9", TOKEN)
    for store in (vault, stranger):
        with pytest.raises(KeysUnavailable):
            store.create()
        with pytest.raises(KeysUnavailable):
            store.unwrap(name, wrapped)
        with pytest.raises(KeysUnavailable):
            store.destroy(name)
    transit.sealed, transit.token = False, "another"
    with pytest.raises(KeysUnavailable, match="refuses the token"):
        vault.destroy(name)
    transit.token = TOKEN
    assert vault.unwrap(name, wrapped) == b"a wrapped key"
    stranger.close()


def test_settings_choose_the_store(tmp_path: Path) -> None:
    kek = base64.b64encode(KEK).decode()
    for settings, folder in (
        (Settings(kek=kek, data=tmp_path), tmp_path / "shredding-keys"),
        (Settings(kek=kek, shredding_keys=str(tmp_path / "elsewhere")), tmp_path / "elsewhere"),
    ):
        store = folder_of(settings)
        assert store is not None
        store.set_up()
        KeyRing.from_settings(settings).seal(b"Mara", "a", shreddable=True)
        assert len(list(folder.iterdir())) == 2
    with pytest.raises(BadInput, match="LACUNA_VAULT_ADDRESS is not set"):
        KeyRing.from_settings(Settings(kek=kek, shredding_keys="vault"))
    plain = Settings(vault=VaultSettings(address="http://vault.example", token=TOKEN))
    with pytest.raises(BadInput, match="https"):
        shredding_keys_of(plain)


@pytest.mark.parametrize("wrapped", [b"shred:", b"shred:abc:x", b"shred:" + b"g" * 32 + b":x", b"shred:" + b"a" * 32])
def test_altered_wrapped_key_is_refused(wrapped: bytes) -> None:
    with pytest.raises(IntegrityFailure):
        parse(wrapped)


def test_threads_share_a_flush_of_the_folder_that_began_after_their_keys_were_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = FolderKeys(tmp_path / "keys")
    folder.set_up()
    flush, flushed = os.fsync, list[set[str]]()

    def fsync(number: int) -> None:
        if stat.S_ISDIR(os.fstat(number).st_mode):
            there = {file.name for file in (tmp_path / "keys").iterdir()}
            time.sleep(0.02)  # as a disk does: others write meanwhile
            flush(number)
            flushed.append(there)
        else:
            flush(number)

    monkeypatch.setattr(os, "fsync", fsync)

    def create(_: int) -> bool:
        name = folder.create()
        return any(name in there for there in list(flushed))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(create, range(40)))
    assert len(flushed) < 40
