"""The service over an engine that answers as a test says, on a loopback port, as it is started in production."""

import asyncio
import re
import socket
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import openai
import pytest
from sqlalchemy import Engine as Database

from services.inference.active_eraser import ActiveEraser, Served
from services.inference.app import InferenceContext, build
from services.inference.authentication import ClientKeys, Rights
from shared.domain.prompts import Prompt
from shared.erasure.eraser import Eraser
from shared.errors import Unauthorized
from shared.vlm.generation import Answer
from shared.vlm.sampling import Sampling, TokenLogprob
from tests.support.serving import LoopbackServer

MODEL, KEY = "demo-vlm", "lk_protocol"
PATIENCE_S = 60.0
TEXT = 'A harbour at dusk: "Grüße", 山田 🎈\n'


class KnownKeys(ClientKeys):
    """KEY is valid; the database is never asked."""

    def _look_up(self, key: str) -> Rights:
        if key != KEY:
            raise Unauthorized("This key is not known, or was revoked.")
        return Rights(("client",), ())


@dataclass
class ScriptedEngine:
    """Answers TEXT, or what `answering` gives; keeps what it was asked."""

    passes: frozenset[str] = frozenset()
    context: int = 512
    reads_pictures: bool = True
    asked: list[tuple[Prompt, Sampling]] = field(default_factory=list)
    answering: Callable[[Prompt, Sampling], list[Any]] | None = None
    closed_early: int = 0

    async def stream(self, prompt: Prompt, sampling: Sampling, _: Served) -> AsyncGenerator[str | Answer, None]:
        """The items of `answering`; an error is raised, a number is waited for (in seconds)."""
        self.asked.append((prompt, sampling))
        finished = False
        try:
            for item in self._items(prompt, sampling):
                if isinstance(item, Exception):
                    raise item
                if isinstance(item, float):
                    await asyncio.sleep(item)
                    continue
                await asyncio.sleep(0)  # as a model takes its time
                finished = isinstance(item, Answer)
                yield item
        finally:
            self.closed_early += not finished

    def _items(self, prompt: Prompt, sampling: Sampling) -> list[Any]:
        if self.answering is not None:
            return self.answering(prompt, sampling)
        logprobs: tuple[TokenLogprob, ...] = ()
        if sampling.top_logprobs is not None:
            logprobs = tuple(
                TokenLogprob(word, -0.5, tuple((f"{word}{rank}", -1.0 - rank) for rank in range(sampling.top_logprobs)))
                for word in TEXT.split()
            )
        words = re.findall(r"\S+\s*", TEXT)
        return [*words, Answer(TEXT, tuple(range(len(words))), 7, "stop", logprobs=logprobs)]

    def stalled_s(self) -> float:
        """It never stalls."""
        return 0.0

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Service:
    """The service at `url`, and its parts."""

    url: str
    context: InferenceContext
    engine: ScriptedEngine
    server: LoopbackServer

    @property
    def client(self) -> openai.OpenAI:
        """The official client."""
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=KEY, max_retries=0, timeout=PATIENCE_S)

    def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """POST with KEY."""
        headers = {"Authorization": f"Bearer {KEY}"} | options.pop("headers", {})
        return httpx.post(f"{self.url}{path}", json=body, headers=headers, timeout=PATIENCE_S, **options)

    def connect(self, sent: bytes = b"") -> socket.socket:
        """A connection on which `sent` was sent."""
        where = urlsplit(self.url)
        connection = socket.create_connection((where.hostname or "", where.port or 0), timeout=PATIENCE_S)
        connection.sendall(sent)
        return connection

    @property
    def at_rest(self) -> bool:
        """Nobody is connected, and nothing is under way."""
        return not self.server.server_state.connections and not self.server.server_state.tasks

    def chat(self, text: str = "Hello!", **members: Any) -> httpx.Response:
        """POST a chat of one message."""
        body = {"model": MODEL, "messages": [{"role": "user", "content": text}]} | members
        return self.post("/v1/chat/completions", body)


def wait_for(condition: Callable[[], bool]) -> bool:
    """Whether `condition` becomes true in PATIENCE_S."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def service() -> Iterator[Service]:
    """The service, which serves version 1."""
    active_eraser, engine = ActiveEraser(grace_s=3600), ScriptedEngine()
    active_eraser.serve(Served(cast(Eraser, None), 1, "9f86d081" * 8, 1))
    active_eraser.confirm()
    context = InferenceContext(active_eraser, KnownKeys(cast(Database, None), MODEL), MODEL, engine=engine)
    server = LoopbackServer(build(context), backlog=1024)
    yield Service(server.url, context, engine, server)
    server.end()
    context.close()
