"""Signed messages of agents, and the registry of the agents that may send them (Data Rights Protocol 1.0).

A message is base64 of an Ed25519 signature of 64 bytes, followed by what it signs: the combined mode of libsodium's
`crypto_sign`. It is looked at in the order of section 3.07: encoding, signature, agent, business, times. Source:
Consumer Reports, Data Rights Protocol, sections 2.01 to 2.06, 3.04, 3.05.1 and 3.07.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.errors import BadInput, Forbidden

SIGNATURE_BYTES: Final = 64
AGENT_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}", re.ASCII)
LEEWAY: Final = timedelta(seconds=60)  # of the agent's clock
LONGEST: Final = timedelta(hours=1)  # from issued-at to expires-at; the protocol recommends ten minutes
VERSIONS: Final = ("0.9", "1.0")  # with what follows a further dot


@dataclass(frozen=True)
class Agent:
    """An agent of the registry."""

    id: str
    name: str
    verify_key: Ed25519PublicKey


@dataclass(frozen=True)
class Message:
    """A message whose signature holds. `digest` (hex) is that of what was signed."""

    members: Mapping[str, Any]
    digest: str

    def text(self, name: str, longest: int = 200) -> str | None:
        """A member that is a text in one line; None where it is missing. Raises BadInput for anything else."""
        value = self.members.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or not 0 < len(value) <= longest or any(ord(c) < 32 for c in value):
            raise BadInput(f"{name}: has to be a text of up to {longest} characters.")
        return value

    def moment(self, name: str) -> datetime:
        """A member that is a time of ISO 8601; without a zone it is one in UTC. Raises BadInput."""
        try:
            moment = datetime.fromisoformat(self.text(name) or "")
        except ValueError as exc:
            raise BadInput(f"{name}: has to be a time such as 2026-11-29T12:00:00Z.") from exc
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def read_registry(file: Path) -> dict[str, Agent]:
    """The agents in a file of the Service Directory: a list of objects with `id`, `name` and `verify_key` (hex).

    Raises BadInput, which names the entry.
    """
    try:
        entries = json.loads(file.read_bytes())
    except OSError as exc:
        raise BadInput(f"LACUNA_DRP_AGENTS, {file}, cannot be read: {exc.strerror}.") from exc
    except ValueError as exc:
        raise BadInput(f"LACUNA_DRP_AGENTS, {file}, is not JSON.") from exc
    if not isinstance(entries, list):
        raise BadInput(f"LACUNA_DRP_AGENTS, {file}, has to be a list of agents.")
    agents: dict[str, Agent] = {}
    for number, entry in enumerate(entries, 1):
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(entry["verify_key"]))
            agent = Agent(entry["id"], str(entry.get("name", entry["id"])), key)
        except (KeyError, TypeError, ValueError) as exc:
            raise BadInput(f"{file}, entry {number}: it needs id, and verify_key as 64 hexadecimal digits.") from exc
        if not isinstance(agent.id, str) or not AGENT_ID.fullmatch(agent.id) or agent.id in agents:
            raise BadInput(f"{file}, entry {number}: its id cannot be used, or is there twice.")
        agents[agent.id] = agent
    return agents


def open_message(raw: bytes, agent: Agent) -> Message:
    """The message that `agent` signed.

    Raises BadInput where it is not base64 or holds no JSON object, Forbidden where the signature does not hold.
    """
    try:
        decoded = base64.b64decode(b"".join(raw.split()), validate=True)
    except ValueError as exc:
        raise BadInput("The message is not base64.") from exc
    if len(decoded) <= SIGNATURE_BYTES:
        raise BadInput("The message is shorter than a signature.")
    signature, signed = decoded[:SIGNATURE_BYTES], decoded[SIGNATURE_BYTES:]
    try:
        agent.verify_key.verify(signature, signed)
    except InvalidSignature as exc:
        raise Forbidden("The signature is not that of the agent.") from exc
    try:
        members = json.loads(signed)
    except (ValueError, RecursionError) as exc:
        raise BadInput("What is signed is not JSON.") from exc
    if not isinstance(members, dict):
        raise BadInput("What is signed is not an object.")
    return Message(members, hashlib.sha256(signed).hexdigest())


def check_claims(message: Message, agent: Agent, business: str, now: datetime) -> datetime:
    """When the message expires, which is from `agent` to `business` and holds now.

    Raises Forbidden for a message of another agent or to another business, and for one that is too old, too new or
    too long-lived; BadInput where a claim is missing.
    """
    if message.text("agent-id") != agent.id:
        raise Forbidden("agent-id: is not that of the token and of the signature.")
    if message.text("business-id") != business:
        raise Forbidden("business-id: is another business.")
    issued, expires = message.moment("issued-at"), message.moment("expires-at")
    if issued > now + LEEWAY:
        raise Forbidden("issued-at: is in the future.")
    if expires <= now:
        raise Forbidden("expires-at: is over.")
    if expires - issued > LONGEST:
        raise Forbidden("expires-at: is more than an hour after issued-at.")
    version = message.text("drp.version")
    if version is not None and not any(version == each or version.startswith(f"{each}.") for each in VERSIONS):
        raise BadInput(f"drp.version: has to be one of {', '.join(VERSIONS)}.")
    return expires
