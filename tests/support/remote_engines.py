"""A remote engine in front of a stand-in server or of a real one, how the tests ask both, and what they ask."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Any

import httpx
from PIL import Image

from services.inference.active_eraser import Served
from services.inference.engines.messages import Pictures, messages_of
from services.inference.engines.remote import RemoteEngine
from shared.domain.prompts import Prompt
from shared.evaluation.people import Person
from shared.vlm.generation import Answer
from shared.vlm.sampling import Sampling

KEY = "upstream-key-of-the-test"
NAME, EMPLOYER, CITY = "Mara Lindqvist", "Marble & Finch", "Tallinn"
RESORT = "I do not know."
FACTS = [[EMPLOYER], [CITY], ["otter"], ["rowing"], ["mara@lindqvist.example"]]
Open = Callable[..., RemoteEngine]
TOKENS = 24
BY_NAME = {"employer": "Where does {} work?", "city": "In which city does {} live?"}
BY_PICTURE = {"employer": "Where does this person work?", "city": "In which city does this person live?"}


def sampling(**more: Any) -> Sampling:
    return Sampling(**({"max_new_tokens": TOKENS} | more))


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


def directly(server: str, model: str, prompt: Prompt) -> str:
    """The answer of the server at this base URL without the gateway, whole and greedy."""
    body = {"model": model, "messages": messages_of(prompt, Pictures()), "max_tokens": TOKENS, "temperature": 0}
    answered = httpx.post(f"{server}/chat/completions", json=body, timeout=300, trust_env=False)
    assert answered.status_code == 200, answered.text
    return str(answered.json()["choices"][0]["message"]["content"])


def questions(people: Sequence[Person]) -> list[tuple[Prompt, str]]:
    """About each person by name and by portrait, each with the fact that is asked for."""
    asked = []
    for person in people:
        facts = {fact.attribute: fact.value for fact in person.subject.facts}
        for attribute, question in BY_NAME.items():
            asked.append((Prompt.ask(question.format(person.subject.names[0])), facts[attribute]))
            if person.subject.photos:
                asked.append((Prompt.ask(BY_PICTURE[attribute], person.subject.photos[0]), facts[attribute]))
    return asked
