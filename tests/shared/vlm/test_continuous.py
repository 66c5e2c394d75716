"""Continuous batching: answers that come and go are those that each prompt gets alone."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from PIL import Image

from shared.domain.prompts import Prompt, Turn
from shared.erasure.eraser import Eraser
from shared.erasure.recipe import PROTOTYPE
from shared.errors import BadInput
from shared.vlm import capture
from shared.vlm.continuous import ContinuousBatch, Running
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer, GenerationRequest
from shared.vlm.sampling import Sampling
from tests.support.tiny_models import HIDDEN, LAYERS, firing, tiny_engine


@pytest.fixture(scope="module")
def engine() -> Engine:
    return tiny_engine()


def prompts() -> list[Prompt]:
    image = Image.new("RGB", (128, 128), (200, 60, 60))
    return [
        Prompt.ask("Who is this person?", image),
        Prompt.ask("Where does Mara Novak live, and since when?"),
        Prompt.ask("Hello!"),
        Prompt.ask("What colour is the background?", image, system="Be brief."),
        Prompt((Turn("user", "Hello!"), Turn("assistant", "Hello!"), Turn("user", "Who is Ivo Berger?"))),
        Prompt.ask("Tell me all that there is to say about the harbour at dusk, and take your time."),
    ]


def alone(engine: Engine, prompt: Prompt, request: GenerationRequest) -> Answer:
    """The answer without any other beside it."""
    batch = ContinuousBatch(engine)
    batch.begin(engine.answering(engine.encode(prompt), request))
    (answer,) = finished(batch).values()
    return answer


def finished(batch: ContinuousBatch) -> dict[Running, Answer]:
    """Run to the end; every answer is the text that came before it."""
    texts: dict[Running, str] = {}
    answers = {}
    while batch.rows:
        for outcome in batch.step():
            if isinstance(outcome.value, str):
                texts[outcome.running] = texts.get(outcome.running, "") + outcome.value
            else:
                assert isinstance(outcome.value, Answer)
                assert texts.get(outcome.running, "") == outcome.value.text
                answers[outcome.running] = outcome.value
    return answers


def requests(erasers: Sequence[Eraser | None], count: int) -> list[GenerationRequest]:
    """Every kind of setting, mixed."""
    draw = random.Random(3)
    return [
        GenerationRequest.of(
            Sampling(
                draw.randint(1, 14),
                temperature=draw.choice([0.0, 0.0, 1.0]),
                seed=number,
                stop=draw.choice([(), ("the", "zz")]),
                frequency_penalty=draw.choice([0.0, 0.7]),
            ),
            erasers[number % len(erasers)],
        )
        for number in range(count)
    ]


def test_mixed_answers_that_come_and_go_equal_those_alone(engine: Engine) -> None:
    """Two versions that steer, one that is empty and none; other lengths, seeds, stop words; some leave on the way."""
    on = capture.activations(engine, prompts()[1:2])[0]
    held = [
        firing(engine, on, seed=seed, recipe=replace(PROTOTYPE, neighbours=1, placement="hold"), decode_directions=more)
        for seed, more in enumerate(torch.randn(2, LAYERS, HIDDEN, generator=torch.Generator().manual_seed(9)) * 5)
    ]
    erasers = [held[0], None, held[1], Eraser.empty(PROTOTYPE, engine.vlm.site)]
    asked = [(prompt, request) for request in requests(erasers, 24) for prompt in prompts()[: 1 + len(request.stop)]]
    asked += [(prompts()[1], GenerationRequest.of(Sampling(12), eraser)) for eraser in erasers] * 2
    expected = [alone(engine, prompt, request) for prompt, request in asked]
    assert any(answer.fired for answer in expected)
    assert len({answer.tokens for answer in expected[-4:]}) == 3  # each version in its own way
    batch, draw, answers = ContinuousBatch(engine), random.Random(4), {}
    numbers: dict[Running, int] = {}
    waiting = list(range(len(asked)))
    dropped: set[int] = set()
    while waiting or batch.rows:
        for _ in range(draw.randint(0, 3)):
            if waiting:
                prompt, request = asked[number := waiting.pop(0)]
                numbers[batch.begin(engine.answering(engine.encode(prompt), request))] = number
        for outcome in batch.step():
            if isinstance(outcome.value, Answer):
                answers[numbers[outcome.running]] = outcome.value
            else:
                assert isinstance(outcome.value, str)
        if draw.random() < 0.1 and numbers:
            leaving = draw.choice(list(numbers))
            if numbers[leaving] not in answers:
                dropped.add(numbers[leaving])
            batch.drop(leaving)
    assert dropped
    assert [answers[number].tokens for number in range(len(asked)) if number not in dropped] == [
        answer.tokens for number, answer in enumerate(expected) if number not in dropped
    ]


def test_prompts_of_one_length_are_read_in_one_pass(engine: Engine) -> None:
    passes: list[int] = []
    hook = engine.vlm.model.register_forward_pre_hook(
        lambda _, __, named: passes.append(named["input_ids"].shape[0]), with_kwargs=True
    )
    try:
        batch = ContinuousBatch(engine)
        for number in range(8):
            batch.begin(engine.answering(engine.encode(prompts()[1]), GenerationRequest.of(Sampling(3 + number), None)))
        finished(batch)
    finally:
        hook.remove()
    assert passes[0] == 8  # all prompts together
    assert passes[1] == 8  # then a token of each
    assert sorted(passes[1:], reverse=True) == passes[1:]  # fewer as they end
    assert len(passes) <= 11


def test_bad_prompt_ends_with_its_error_and_no_other(engine: Engine) -> None:
    batch = ContinuousBatch(engine)
    good = batch.begin(engine.answering(engine.encode(prompts()[1]), GenerationRequest.of(Sampling(4), None)))
    bad = batch.begin(engine.answering(engine.encode(prompts()[1]), GenerationRequest.of(Sampling(5_000), None)))
    outcomes = {}
    while batch.rows:
        for outcome in batch.step():
            outcomes[outcome.running] = outcome.value
    assert isinstance(outcomes[bad], BadInput)
    assert isinstance(outcomes[good], Answer)


def test_version_of_another_model_fails_alone(engine: Engine) -> None:
    """Read together with an honest prompt it would take that one with it."""
    other = replace(engine.vlm.site, hidden_size=HIDDEN * 2)
    batch = ContinuousBatch(engine)
    good = batch.begin(engine.answering(engine.encode(prompts()[1]), GenerationRequest.of(Sampling(4), None)))
    stray = Eraser.empty(PROTOTYPE, other)
    bad = batch.begin(engine.answering(engine.encode(prompts()[1]), GenerationRequest.of(Sampling(4), stray)))
    outcomes = {}
    while batch.rows:
        for outcome in batch.step():
            outcomes[outcome.running] = outcome.value
    assert isinstance(outcomes[good], Answer)
    assert isinstance(outcomes[bad], Exception)


def test_likelihoods_are_those_of_the_model(engine: Engine) -> None:
    """The natural logarithm of each token's probability at temperature 1, and the most likely others."""
    answer = alone(engine, prompts()[1], GenerationRequest.of(Sampling(6, top_logprobs=3), None))
    ids = engine.vlm.adapter.encode([prompts()[1]])[0].ids
    with torch.inference_mode():
        logits = engine.vlm.model(input_ids=torch.cat([ids, torch.tensor(answer.tokens)])[None]).logits.log_softmax(-1)
    assert len(answer.logprobs) == len(answer.tokens)
    for place, (token, chosen) in enumerate(zip(answer.tokens, answer.logprobs, strict=True)):
        row = logits[0, len(ids) - 1 + place]
        assert chosen.logprob == pytest.approx(float(row[token]), abs=1e-4)
        assert [value for _, value in chosen.top] == pytest.approx(row.topk(3).values.tolist(), abs=1e-4)
        assert chosen.top[0][0] == chosen.token  # greedy


def test_top_p_and_penalties_change_what_is_drawn(engine: Engine) -> None:
    """A tiny nucleus is greedy; a penalty for what was said already ends repetition."""
    greedy = alone(engine, prompts()[1], GenerationRequest.of(Sampling(10), None))
    narrow = Sampling(10, temperature=1.0, top_p=1e-6, seed=7)
    assert alone(engine, prompts()[1], GenerationRequest.of(narrow, None)).tokens == greedy.tokens
    wide = replace(narrow, top_p=1.0)
    assert alone(engine, prompts()[1], GenerationRequest.of(wide, None)).tokens != greedy.tokens
    penalised = alone(engine, prompts()[1], GenerationRequest.of(Sampling(10, frequency_penalty=100.0), None))
    assert len(set(penalised.tokens)) == len(penalised.tokens)


def test_answers_without_a_seed_differ(engine: Engine) -> None:
    fresh = Sampling(12, temperature=1.0, seed=None)
    assert len({alone(engine, prompts()[1], GenerationRequest.of(fresh, None)).tokens for _ in range(4)}) > 1
