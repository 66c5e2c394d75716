"""In front of llama.cpp's server, unmodified, with a real language model: the server tells, the gateway does not.

Builds the server at its first run (benchmarks/llama_server.py), which takes some minutes.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from benchmarks.gateway import eraser_of
from benchmarks.llama_server import MODEL, served_by_llama
from services.inference.active_eraser import Served
from services.inference.engines.messages import Pictures, messages_of
from services.inference.engines.remote import RemoteEngine
from services.inference.engines.upstream import Upstream
from shared.core.config import EngineSettings
from shared.domain.prompts import Prompt
from shared.erasure.gates.text import fit_text, text_gate
from shared.vlm.reader import Reader
from shared.vlm.sampling import Sampling
from tests.support.real_models import NEEDS_SMOL_LM, SMOL_LM
from tests.support.remote_engines import ask

pytestmark = [*NEEDS_SMOL_LM, pytest.mark.timeout(3600)]
NAME, FACTS = "Albert Einstein", [["physicist", "physics"], ["relativity", "theory of relativity"], ["Ulm"]]
ABOUT = ("Who was Albert Einstein?", "Tell me about Albert Einstein's work.", "What was ALBERT EINSTEIN famous for?")
OTHERS = ("What is rain?", "Name three colours of the rainbow.", "What is the capital of France?")
TOKENS = 24


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with served_by_llama() as process:
        yield process.url


@pytest.fixture(scope="module")
def blocks() -> Reader:
    """The first two blocks of thirty."""
    return Reader.load(SMOL_LM, 2, device="cpu")


@pytest.fixture(scope="module")
def remote(server: str, blocks: Reader) -> Iterator[RemoteEngine]:
    upstream = Upstream(EngineSettings(url=server, read_s=600, total_s=1200), MODEL)
    engine = RemoteEngine(blocks, upstream, asyncio.run(upstream.find_abilities(None)))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def served(blocks: Reader) -> Served:
    """One ticket that the text gate knows."""
    eraser = replace(eraser_of(blocks, 1), text=text_gate([fit_text([NAME], FACTS)]))
    return Served(eraser, 1, "0" * 64, 1)


def directly(server: str, question: str) -> str:
    """The server's answer without the gateway, with the prompt in its cache: computed anew it is rounded otherwise."""
    body = {"model": MODEL, "messages": messages_of(Prompt.ask(question), Pictures()), "max_tokens": TOKENS}
    for _ in range(2):
        answered = httpx.post(
            f"{server}/chat/completions", json=body | {"temperature": 0}, timeout=600, trust_env=False
        )
        assert answered.status_code == 200, answered.text
    return str(answered.json()["choices"][0]["message"]["content"])


def test_what_the_server_can_do_is_found(remote: RemoteEngine) -> None:
    assert remote.abilities.logprobs
    assert not remote.abilities.pictures


def test_forgotten_person_is_told_of_by_the_server_and_not_by_the_gateway(
    server: str, remote: RemoteEngine, served: Served
) -> None:
    words = ("einstein", "physic", "relativity")
    assert any(word in directly(server, ABOUT[0]).lower() for word in words)
    for question in ABOUT:
        answer = ask(remote, served, question, max_new_tokens=TOKENS).text.lower()
        assert not any(word in answer for word in words), answer


def test_answer_about_something_else_is_that_of_the_server(server: str, remote: RemoteEngine, served: Served) -> None:
    for question in OTHERS:
        by_server = directly(server, question)
        assert ask(remote, served, question, max_new_tokens=TOKENS).text == by_server


def test_eight_clients_at_once_are_answered_by_a_server_that_takes_one(remote: RemoteEngine, served: Served) -> None:
    async def all_at_once() -> list[str]:
        async def one(number: int) -> str:
            text = ""
            prompt = Prompt.ask(OTHERS[number % len(OTHERS)])
            async for piece in remote.stream(prompt, Sampling(max_new_tokens=8), served):
                text += piece if isinstance(piece, str) else ""
            return text

        try:
            return await asyncio.gather(*(one(number) for number in range(8)))
        finally:
            await remote.upstream.let_go()

    assert all(asyncio.run(all_at_once()))
