"""Both object stores, a local folder and S3 on SeaweedFS, keep the same contract."""

import secrets
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from shared.core.config import S3Settings, Settings
from shared.devstack.backends import Backends
from shared.errors import BadInput, NotFound, StoreUnavailable
from shared.storage.base import ObjectStore
from shared.storage.factory import open_store
from shared.storage.local import LocalStore
from shared.storage.s3 import S3Store


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    if request.param == "folder":
        yield LocalStore(tmp_path)
        return
    backends = request.getfixturevalue("backends")
    opened = S3Store(
        backends.s3_endpoint, backends.s3_access_key, backends.s3_secret_key, f"test-{secrets.token_hex(4)}"
    )
    yield opened
    opened.close()


def test_objects_are_written_read_replaced_and_removed(store: ObjectStore) -> None:
    assert not store.exists("a/b")
    store.put("a/b", b"one")
    store.put("a/b", b"two")
    assert store.get("a/b") == b"two"
    assert store.exists("a/b")
    store.delete("a/b")
    store.delete("a/b")
    with pytest.raises(NotFound, match="a/b"):
        store.get("a/b")


def test_keys_are_listed_in_order_below_a_prefix(store: ObjectStore) -> None:
    for key in ("rows/b", "rows/a/1", "payloads/x", "rows/a/2"):
        store.put(key, b"")
    assert list(store.list("rows/")) == ["rows/a/1", "rows/a/2", "rows/b"]
    assert list(store.list("none/")) == []


def test_large_and_empty_objects_come_back_as_they_were(store: ObjectStore) -> None:
    large = secrets.token_bytes(8 * 1024 * 1024)
    store.put("large", large)
    store.put("empty", b"")
    assert store.get("large") == large
    assert store.get("empty") == b""


def test_unreachable_store_is_reported_as_unavailable(tmp_path: Path) -> None:
    away = S3Store("http://127.0.0.1:1", "key", "secret", "bucket")
    for ask in (
        lambda: away.put("a", b""),
        lambda: away.get("a"),
        lambda: away.exists("a"),
        lambda: list(away.list("")),
    ):
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            ask()
    away.close()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreUnavailable):
        LocalStore(tmp_path / "file").put("a/b", b"")


def test_wrong_secret_is_refused(backends: Backends) -> None:
    wrong = S3Store(backends.s3_endpoint, backends.s3_access_key, "wrong", "lacuna")
    with pytest.raises(StoreUnavailable, match="refuses"):
        wrong.get("a")
    wrong.close()


def test_requests_are_signed_for_the_region_with_the_session_token() -> None:
    seen: list[tuple[str, str]] = []

    class Bucket(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.headers["Authorization"], self.headers["X-Amz-Security-Token"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=server.handle_request, daemon=True).start()
    s3 = S3Settings(
        endpoint=f"http://127.0.0.1:{server.server_port}",
        access_key="key",
        secret_key="secret",
        session_token="for an hour",
        region="eu-central-1",
    )
    store = open_store(Settings(s3=s3))
    assert isinstance(store, S3Store)
    assert store.get("a") == b""
    store.close()
    server.server_close()
    signed, token = seen[0]
    assert "/eu-central-1/s3/aws4_request" in signed
    assert "x-amz-security-token" in signed
    assert token == "for an hour"


@pytest.mark.parametrize("key", ["../a", "a/../../b", "/etc/passwd"])
def test_no_key_leaves_the_folder(tmp_path: Path, key: str) -> None:
    with pytest.raises(BadInput):
        LocalStore(tmp_path / "inner").put(key, b"")


def test_settings_choose_the_store(tmp_path: Path) -> None:
    assert isinstance(open_store(Settings(data=tmp_path)), LocalStore)
    with pytest.raises(BadInput, match="LACUNA_S3_ACCESS_KEY, LACUNA_S3_SECRET_KEY"):
        open_store(Settings(s3=S3Settings(endpoint="http://127.0.0.1:1")))
