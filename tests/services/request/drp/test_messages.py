"""Signed messages are those of libsodium's combined mode, and hold for one agent, one business and a short time."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.request.drp.messages import Agent, Message, check_claims, open_message, read_registry
from shared.errors import BadInput, Forbidden
from tests.services.request.drp.conftest import BUSINESS, signed

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
AGENT = Agent("AGENT_A", "Agent A", KEY.public_key())


def test_message_of_rfc_8032_is_opened() -> None:
    """Test 3 of section 7.1 signs two bytes; the signature stands before them, as crypto_sign writes it."""
    public = bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
    signature = bytes.fromhex(
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
    )
    agent = Agent("X", "X", Ed25519PublicKey.from_public_bytes(public))
    with pytest.raises(BadInput, match="not JSON"):  # the signature holds; what is signed is af82
        open_message(base64.b64encode(signature + bytes.fromhex("af82")), agent)
    with pytest.raises(Forbidden):
        open_message(base64.b64encode(signature + bytes.fromhex("af83")), agent)


def test_message_is_the_one_that_libsodium_writes() -> None:
    """By PyNaCl 1.6.2, `SigningKey(bytes(range(32))).sign(b'{"a": "b"}')` in base64."""
    by_libsodium = (
        b"TUivMNZyMytf/AMXVHbRvMFiAXa9kXuuaxzYXD5JVNO9gMU4AJcQsgXwmzshnNRzErnQyaC2aqa6gyzAzeumC3siYSI6ICJiIn0="
    )
    assert signed(KEY, {"a": "b"}) == by_libsodium
    assert open_message(by_libsodium, AGENT).members == {"a": "b"}


def test_message_is_read_with_line_breaks_in_its_base64() -> None:
    raw = signed(KEY, {"a": "b"})
    assert open_message(raw[:40] + b"\r\n" + raw[40:], AGENT).members == {"a": "b"}


@pytest.mark.parametrize(
    "raw", [b"", b"not base64!", base64.b64encode(bytes(64)), signed(KEY, b"[1]"), signed(KEY, b"{")]
)
def test_what_is_no_message_is_refused(raw: bytes) -> None:
    with pytest.raises(BadInput):
        open_message(raw, AGENT)


def claims(**more: object) -> Message:
    members = {
        "agent-id": "AGENT_A",
        "business-id": BUSINESS,
        "issued-at": NOW.isoformat(),
        "expires-at": (NOW + timedelta(minutes=10)).isoformat(),
    } | more
    return Message({name: value for name, value in members.items() if value is not None}, "")


def test_claims_hold_for_a_short_time() -> None:
    assert check_claims(claims(), AGENT, BUSINESS, NOW) == NOW + timedelta(minutes=10)
    assert check_claims(claims(**{"drp.version": "0.9.4", "issued-at": "2026-11-29T11:59:00"}), AGENT, BUSINESS, NOW)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"agent-id": "AGENT_B"}, Forbidden),
        ({"agent-id": None}, Forbidden),
        ({"business-id": "OTHER"}, Forbidden),
        ({"issued-at": "2026-11-29T12:02:00Z"}, Forbidden),
        ({"expires-at": "2026-11-29T12:00:00Z"}, Forbidden),
        ({"expires-at": "2026-12-29T12:00:00Z"}, Forbidden),
        ({"issued-at": "yesterday"}, BadInput),
        ({"expires-at": None}, BadInput),
        ({"issued-at": 7}, BadInput),
        ({"drp.version": "2.0"}, BadInput),
    ],
)
def test_claims_that_do_not_hold_are_refused(changed: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        check_claims(claims(**changed), AGENT, BUSINESS, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "{", "{}", '[{"id": "A"}]', '[{"id": "A", "verify_key": "00"}]', '[{"id": "A b", "verify_key": "%s"}]',
        '[{"id": 7, "verify_key": "%s"}]', '[{"id": "A", "verify_key": "%s"}, {"id": "A", "verify_key": "%s"}]', "[7]",
    ],
)  # fmt: skip
def test_registry_that_cannot_be_used_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "agents.json"
    file.write_text(text.replace("%s", KEY.public_key().public_bytes_raw().hex()))
    with pytest.raises(BadInput):
        read_registry(file)
    with pytest.raises(BadInput):
        read_registry(tmp_path / "nothing.json")


def test_registry_is_that_of_the_service_directory(tmp_path: Path) -> None:
    file = tmp_path / "agents.json"
    key = KEY.public_key().public_bytes_raw().hex()
    entry = {"id": "AGENT_A", "name": "Agent A", "verify_key": key.upper(), "technical_contact": "a@example.com"}
    file.write_text(json.dumps([entry]))
    assert list(read_registry(file)) == ["AGENT_A"]
