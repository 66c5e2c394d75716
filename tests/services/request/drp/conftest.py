"""Agents of a registry, and the service to which they send."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi.testclient import TestClient

from services.request.app import build
from shared.core.clock import utc_now
from shared.core.config import DrpSettings
from tests.support.api import People

BUSINESS: Final = "LACUNA_TEST"
REQUESTS: Final = "/drp/v1/data-rights-request"


def signed(key: Ed25519PrivateKey, members: Any) -> bytes:
    """A message in libsodium's combined mode, in base64."""
    text = members if isinstance(members, bytes) else json.dumps(members).encode()
    return base64.b64encode(key.sign(text) + text)


@dataclass
class TestAgent:
    """An agent with its key, and the client with which it sends."""

    __test__ = False
    id: str
    key: Ed25519PrivateKey
    client: TestClient
    token: str = ""

    def claims(self, **more: Any) -> dict[str, Any]:
        """The claims that every message has; None leaves one out."""
        now = utc_now()
        members = {
            "agent-id": self.id,
            "business-id": BUSINESS,
            "issued-at": now.isoformat(),
            "expires-at": (now + timedelta(minutes=10)).isoformat(),
            "drp.version": "1.0",
        } | more
        return {name: value for name, value in members.items() if value is not None}

    def set_up(self, key: Ed25519PrivateKey | None = None, path: str = "", /, **more: Any) -> Any:
        """Ask for a token."""
        body = signed(key or self.key, self.claims(**more))
        return self.client.post(
            f"/drp/v1/agent/{path or self.id}", content=body, headers={"Content-Type": "text/plain"}
        )

    def ready(self) -> "TestAgent":
        """The agent with a token."""
        answer = self.set_up()
        assert answer.status_code == 200, answer.text
        return replace(self, token=answer.json()["token"])

    def request(self, **more: Any) -> dict[str, Any]:
        """What a message asks that a person be forgotten."""
        asked = {"exercise": "deletion", "regime": "ccpa", "name": "Mara Lindqvist", "email": "mara@example.com"}
        return self.claims(**(asked | {"email_verified": True} | more))

    def send(self, **more: Any) -> Any:
        """Send a request."""
        return self.send_raw(signed(self.key, self.request(**more)))

    def send_raw(self, body: bytes, path: str = REQUESTS) -> Any:
        """Send a message as it is."""
        return self.client.post(path, content=body, headers=self.head | {"Content-Type": "text/plain"})

    def show(self, number: str) -> Any:
        """Ask how far a request is."""
        return self.client.get(f"{REQUESTS}/{number}", headers=self.head)

    def revoke(self, number: str, members: Any = None) -> Any:
        """Take a request back."""
        body = signed(self.key, {"reason": "I changed my mind."} if members is None else members)
        return self.client.request("DELETE", f"{REQUESTS}/{number}", content=body, headers=self.head)

    @property
    def head(self) -> dict[str, str]:
        """The header with the token."""
        return {"Authorization": f"Bearer {self.token}"}


@pytest.fixture
def agents(people: People, tmp_path: Path) -> tuple[TestAgent, TestAgent]:
    """Two agents of the registry; the app is that of `people`, with the protocol."""
    keys = {"AGENT_A": Ed25519PrivateKey.generate(), "AGENT_B": Ed25519PrivateKey.generate()}
    registry = tmp_path / "agents.json"
    entries = [
        {"id": name, "name": name.title(), "verify_key": key.public_key().public_bytes_raw().hex(), "web_url": "https://x"}
        for name, key in keys.items()
    ]  # fmt: skip
    registry.write_text(json.dumps(entries))
    client = TestClient(build(people.context, drp=DrpSettings(agents=registry, business=BUSINESS)))
    one, two = (TestAgent(name, key, client) for name, key in keys.items())
    return one, two


@pytest.fixture
def agent(agents: tuple[TestAgent, TestAgent]) -> TestAgent:
    """An agent with a token."""
    return agents[0].ready()


Decide = Callable[[str, str, dict[str, Any]], None]


@pytest.fixture
def decide(people: People) -> Decide:
    """Adam does something with the newest ticket."""

    def act(ticket: str, verb: str, body: dict[str, Any]) -> None:
        answer = people["adam"].post(f"/v1/tickets/{ticket}/{verb}", body)
        assert answer.status_code == 200, answer.text

    return act
