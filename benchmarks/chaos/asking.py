"""Clients that ask the replicas in turns without a pause, and note what each answers. Threads; knows no versions."""

import random
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

import httpx

CLIENTS: Final = 4
PATIENCE_S: Final = 30.0
PAUSE_S: Final = 0.1  # after a refusal


@dataclass(frozen=True)
class Asked:
    """What is asked."""

    questions: Sequence[str]
    model_id: str
    tokens: int
    key: str


@dataclass(frozen=True)
class Exchange:
    """A question and what came of it. `began` is by `time.monotonic`; `status` 0 where nobody answered."""

    began: float
    replica: str
    question: int
    status: int
    version: int
    text: str

    @property
    def answered(self) -> bool:
        """Whether the model answered."""
        return self.status == httpx.codes.OK


@dataclass
class Askers:
    """CLIENTS clients, while the block lasts. `seen` is what came of their questions."""

    asked: Asked
    addresses: Mapping[str, str]
    rng: random.Random
    seen: list[Exchange] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._threads = [
            threading.Thread(target=self._ask, args=(self.rng.random(),), daemon=True) for _ in range(CLIENTS)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def _ask(self, seed: float) -> None:
        rng = random.Random(seed)
        names = list(self.addresses)
        with httpx.Client(timeout=PATIENCE_S, trust_env=False) as client:
            while not self._ended.is_set():
                exchange = self._exchange(client, rng.choice(names), rng.randrange(len(self.asked.questions)))
                self.seen.append(exchange)
                if not exchange.answered:
                    time.sleep(PAUSE_S)

    def _exchange(self, client: httpx.Client, replica: str, question: int) -> Exchange:
        began = time.monotonic()
        try:
            response = client.post(
                f"{self.addresses[replica]}/v1/chat/completions",
                headers={"Authorization": f"Bearer {self.asked.key}"},
                json={
                    "model": self.asked.model_id,
                    "messages": [{"role": "user", "content": self.asked.questions[question]}],
                    "max_tokens": self.asked.tokens,
                },
            )
        except httpx.HTTPError as exc:
            return Exchange(began, replica, question, 0, -1, type(exc).__name__)
        if response.status_code != httpx.codes.OK:
            return Exchange(began, replica, question, response.status_code, -1, response.text)
        text = response.json()["choices"][0]["message"]["content"]
        return Exchange(began, replica, question, response.status_code, int(response.headers["Lacuna-Eraser"]), text)
