"""The engine in this process: many calls at once, each with its own version, and callers who misbehave."""

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from services.inference.active_eraser import Served
from services.inference.engines.local import LocalEngine
from shared.domain.prompts import Prompt
from shared.erasure.eraser import Eraser
from shared.errors import BadInput, NotReady
from shared.vlm import continuous
from shared.vlm.continuous import ContinuousBatch
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer
from shared.vlm.sampling import Sampling
from tests.services.inference.conftest import ABOUT


@pytest.fixture
def local(engine: Engine) -> Iterator[LocalEngine]:
    local = LocalEngine(engine)
    yield local
    local.close()


@pytest.fixture
def empty(erasers: dict[str, Eraser]) -> Served:
    return Served(erasers["empty"], 0, "0" * 64, 1)


def run(waiting: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(waiting, 60))


async def ask(local: LocalEngine, prompt: Prompt, sampling: Sampling, served: Served) -> Answer:
    """The whole answer; what came before it, joined, is its text."""
    pieces = [piece async for piece in local.stream(prompt, sampling, served)]
    answer = pieces.pop()
    assert isinstance(answer, Answer)
    assert "".join(str(piece) for piece in pieces) == answer.text
    return answer


def test_requests_under_way_keep_their_version(local: LocalEngine, engine: Engine, erasers: dict[str, Eraser]) -> None:
    """While versions are swapped, every one of many requests is answered, by the version it was given."""
    served = [Served(erasers[name], number, "0" * 64, number) for number, name in enumerate(("empty", "one"))]
    expected = [
        engine.generate([Prompt.ask(ABOUT)], eraser=version.eraser, max_new_tokens=6)[0].tokens for version in served
    ]
    assert expected[0] != expected[1]

    async def all_at_once() -> list[Answer]:
        asked = (ask(local, Prompt.ask(ABOUT), Sampling(6), served[number % 2]) for number in range(24))
        return await asyncio.gather(*asked)

    assert [answer.tokens for answer in run(all_at_once())] == [expected[number % 2] for number in range(24)]


def test_bad_prompt_among_others_fails_alone(local: LocalEngine, empty: Served) -> None:
    texts = ("Hello!", "word " * 6_000, "Who is Ivo Berger?")

    async def all_at_once() -> list[Answer | BaseException]:
        asked = (ask(local, Prompt.ask(text), Sampling(4), empty) for text in texts)
        return await asyncio.gather(*asked, return_exceptions=True)

    first, second, third = run(all_at_once())
    assert first.tokens
    assert isinstance(second, BadInput)
    assert third.tokens


def test_caller_that_leaves_before_its_turn_holds_up_nobody(local: LocalEngine, engine: Engine, empty: Served) -> None:
    async def leave() -> tuple[Answer, Answer]:
        with engine.lock:  # nothing is answered while this thread holds the model
            first = asyncio.create_task(ask(local, Prompt.ask("Hello!"), Sampling(4), empty))
            second = asyncio.create_task(ask(local, Prompt.ask("Who is Ivo Berger?"), Sampling(4), empty))
            await asyncio.sleep(0.1)
            second.cancel()
            await asyncio.sleep(0.1)
        return await first, await ask(local, Prompt.ask("Hello!"), Sampling(4), empty)

    first, third = run(leave())
    assert first == third
    assert local.stalled_s() == 0.0


def test_caller_that_leaves_frees_its_place_within_two_steps(local: LocalEngine, engine: Engine, empty: Served) -> None:
    passes = 0

    def count(*_: Any) -> None:
        nonlocal passes
        passes += 1

    async def leave() -> None:
        stream = local.stream(Prompt.ask("Hello!"), Sampling(400, temperature=1.0, seed=3), empty)
        await anext(stream)
        hook = engine.vlm.model.register_forward_pre_hook(count)
        await stream.aclose()
        await asyncio.sleep(1.0)
        hook.remove()

    run(leave())
    assert passes <= 2


def test_calls_end_with_an_error_when_the_engine_closes(engine: Engine, empty: Served) -> None:
    """Those under way, those that wait, and those that come later."""
    local = LocalEngine(engine)

    async def close() -> list[Any]:
        asked = [
            asyncio.create_task(ask(local, Prompt.ask("Hello!"), Sampling(400, temperature=1.0, seed=n), empty))
            for n in range(70)  # more than run at once
        ]
        await asyncio.sleep(0.3)
        await asyncio.to_thread(local.close)
        late = ask(local, Prompt.ask("Hello!"), Sampling(4), empty)
        return await asyncio.gather(*asked, late, return_exceptions=True)

    ends = run(close())
    assert all(isinstance(end, NotReady | Answer) for end in ends)
    assert isinstance(ends[-1], NotReady)
    assert sum(isinstance(end, NotReady) for end in ends) > 1


def test_step_that_fails_as_a_whole_ends_its_calls_and_not_the_engine(
    local: LocalEngine, empty: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail_once() -> tuple[Any, Answer]:
        with monkeypatch.context() as broken:
            broken.setattr(ContinuousBatch, "step", lambda _: 1 / 0)
            failed = await asyncio.gather(ask(local, Prompt.ask("Hello!"), Sampling(4), empty), return_exceptions=True)
        return failed[0], await ask(local, Prompt.ask("Hello!"), Sampling(4), empty)

    failed, answer = run(fail_once())
    assert isinstance(failed, ZeroDivisionError)
    assert answer.tokens
    assert local.stalled_s() == 0.0


def test_no_more_run_at_once_than_the_cache_has_room_for(
    engine: Engine, empty: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room for three short chats: the others wait, a long one runs alone, and all are answered."""
    short = len(engine.encode(Prompt.ask("Hello!")).ids) + 8
    monkeypatch.setattr(continuous, "cached_tokens", lambda _: 3 * short)
    widths: list[tuple[int, int]] = []
    hook = engine.vlm.model.register_forward_pre_hook(
        lambda _, __, named: widths.append(tuple(named["input_ids"].shape)), with_kwargs=True
    )
    local = LocalEngine(engine)
    texts = ["Hello!"] * 6 + ["word " * 60] + ["Hello!"] * 3

    async def all_at_once() -> list[Answer]:
        return await asyncio.gather(*(ask(local, Prompt.ask(text), Sampling(8), empty) for text in texts))

    answers = run(all_at_once())
    hook.remove()
    local.close()
    assert len(answers) == len(texts)
    assert max(rows for rows, _ in widths) == 3
    assert {rows for rows, tokens in widths if tokens > 100} == {1}
