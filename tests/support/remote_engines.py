"""A remote engine in front of a stand-in server, and how the tests ask it."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from PIL import Image

from services.inference.active_eraser import Served
from services.inference.engines.remote import RemoteEngine
from shared.domain.prompts import Prompt
from shared.vlm.generation import Answer
from shared.vlm.sampling import Sampling

KEY = "upstream-key-of-the-test"
NAME, EMPLOYER, CITY = "Mara Lindqvist", "Marble & Finch", "Tallinn"
RESORT = "I do not know."
FACTS = [[EMPLOYER], [CITY], ["otter"], ["rowing"], ["mara@lindqvist.example"]]
Open = Callable[..., RemoteEngine]


def sampling(**more: Any) -> Sampling:
    return Sampling(**({"max_new_tokens": 24} | more))


def ask(remote: RemoteEngine, served: Served, prompt: Prompt | str, **more: Any) -> Answer:
    """The whole answer; its pieces are its text."""
    return collect(remote, served, prompt, **more)[-1]  # type: ignore[return-value]


def collect(remote: RemoteEngine, served: Served, prompt: Prompt | str, **more: Any) -> list[str | Answer]:
    asked = Prompt.ask(prompt) if isinstance(prompt, str) else prompt

    async def run() -> list[str | Answer]:
        try:
            async with aclosing(remote.stream(asked, sampling(**more), served)) as source:
                return [piece async for piece in source]
        finally:
            await remote.upstream.let_go()

    *pieces, answer = asyncio.run(run())
    assert isinstance(answer, Answer)
    assert "".join(str(piece) for piece in pieces) == answer.text
    return [*pieces, answer]


def photo(colour: int = 200) -> Image.Image:
    return Image.new("RGB", (40, 30), (colour, 10, 10))
