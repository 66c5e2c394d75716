"""The engine on a tiny random LLaVA: the site, bit-identity of what does not fire, exact steering, batches, streams."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from shared.domain.prompts import Prompt, Turn
from shared.erasure.eraser import Eraser
from shared.erasure.recipe import PAPER
from shared.errors import BadInput, SiteMismatch
from shared.vlm import capture
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer, GenerationRequest
from shared.vlm.likelihood import option_likelihood
from shared.vlm.loading import load
from tests.support.tiny_models import HIDDEN, LAYERS, firing, tiny_engine

SAMPLED: dict[str, Any] = {"temperature": 1.0, "seed": 5}  # greedy answers of a random model may hold no text


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
    ]


def test_activations_are_block_outputs_at_the_last_token(engine: Engine) -> None:
    """The declared site: output of block l (not its input), last prompt token, no off-by-one."""
    prompt = prompts()[1]
    ids = engine.vlm.adapter.encode([prompt])[0].ids[None]
    seen: list[Tensor] = []
    hooks = [b.register_forward_hook(lambda _, __, out: seen.append(out[0, -1])) for b in engine.vlm.adapter.blocks]
    with torch.inference_mode():
        engine.vlm.model(input_ids=ids)
    for hook in hooks:
        hook.remove()
    assert torch.equal(capture.activations(engine, [prompt])[0], torch.stack(seen))


def test_batched_prompts_are_answered_as_alone(engine: Engine) -> None:
    """Neither padding nor neighbours change a token, and activations only by rounding."""
    together = engine.generate(prompts(), max_new_tokens=6)
    alone = [engine.generate([prompt], max_new_tokens=6)[0] for prompt in prompts()]
    assert [a.tokens for a in together] == [a.tokens for a in alone]
    assert [a.prompt_tokens for a in together] == [a.prompt_tokens for a in alone]
    apart = torch.cat([capture.activations(engine, [prompt]) for prompt in prompts()])
    assert (capture.activations(engine, prompts()) - apart).abs().max() < 1e-4


def test_requests_that_do_not_fire_keep_every_bit(engine: Engine) -> None:
    """In one batch: the fired row changes, logits and tokens of all others are the base model's, bit for bit."""
    asked = [Prompt.ask(f"Where does {name} live?") for name in ("Mara Novak", "Ivo Berger", "Vera Costa", "Olga Lang")]
    eraser = firing(engine, capture.activations(engine, asked)[2])
    rows = engine.vlm.adapter.encode(asked)
    with torch.inference_mode():
        base, decided = engine.prefill(rows, GenerationRequest()), engine.prefill(rows, GenerationRequest(eraser))
        again = engine.prefill(rows[2:3], GenerationRequest(eraser).steered([2], decided.decision.take([2])))
    assert decided.decision.fired.tolist() == [False, False, True, False]
    assert decided.fired_rows == [2]
    assert decided.decision.ticket == [None, None, "T-1", None]
    assert torch.equal(base.logits, decided.logits)
    for layer, other in zip(base.cache.layers, decided.cache.layers, strict=True):
        assert torch.equal(layer.keys, other.keys)
        assert torch.equal(layer.values, other.values)
    assert not torch.allclose(base.logits[2], again.logits[0])
    answers = engine.generate(asked, max_new_tokens=4)
    after = engine.generate(asked, eraser=eraser, max_new_tokens=4)
    assert [a.fired for a in after] == [False, False, True, False]
    assert [a.tokens for a in after if not a.fired] == [b.tokens for b in (answers[0], answers[1], answers[3])]


def test_steering_vector_is_added_at_the_last_token_only(engine: Engine) -> None:
    """The fired logits equal those of a plain forward pass with the vector added at each block's last position."""
    prompt = prompts()[0]
    eraser = firing(engine, capture.activations(engine, [prompt])[0])
    rows = engine.vlm.adapter.encode([prompt])

    def adding(layer: int):  # type: ignore[no-untyped-def]
        def hook(_: object, __: object, out: Tensor) -> Tensor:
            moved = out.clone()
            moved[:, -1] += eraser.steering_vector()[layer]
            return moved

        return hook

    hooks = [b.register_forward_hook(adding(i)) for i, b in enumerate(engine.vlm.adapter.blocks)]
    with torch.inference_mode():
        expected = engine.vlm.model(**engine.vlm.adapter.inputs(rows)).logits[:, -1]
    for hook in hooks:
        hook.remove()
    with torch.inference_mode():
        decision = engine.prefill(rows, GenerationRequest(eraser)).decision
        got = engine.prefill(rows, GenerationRequest(eraser).steered([0], decision)).logits
    assert torch.allclose(got, expected, atol=1e-4)


def test_broadcast_steering_is_equation_13(engine: Engine) -> None:
    """Recipe `paper`: at every position h + λ (r·h_last) u, layer after layer on the steered stream."""
    prompt = prompts()[1]
    rng = torch.Generator().manual_seed(2)
    linear, vector = torch.randn(LAYERS, HIDDEN, generator=rng), torch.randn(LAYERS, HIDDEN, generator=rng)
    eraser = Eraser(PAPER, engine.vlm.site, vector, (0, 1), ("T-1",), 0.5, linear=linear)
    rows = engine.vlm.adapter.encode([prompt])

    def adding(layer: int):  # type: ignore[no-untyped-def]
        def hook(_: object, __: object, out: Tensor) -> Tensor:
            return out + PAPER.strength * (out[:, -1] @ linear[layer])[:, None, None] * vector[layer]

        return hook

    hooks = [b.register_forward_hook(adding(i)) for i, b in enumerate(engine.vlm.adapter.blocks)]
    with torch.inference_mode():
        expected = engine.vlm.model(**engine.vlm.adapter.inputs(rows)).logits[:, -1]
    for hook in hooks:
        hook.remove()
    with torch.inference_mode():
        assert torch.allclose(engine.prefill(rows, GenerationRequest(eraser)).logits, expected, atol=1e-3)


def test_hooks_are_removed_after_success_and_failure(engine: Engine) -> None:
    """After steering, and after an error in the middle of it, the model is the base model again."""
    before = engine.generate(prompts(), max_new_tokens=4)
    eraser = firing(engine, capture.activations(engine, prompts())[0], threshold=-2.0)
    engine.generate(prompts(), eraser=eraser, max_new_tokens=4)
    with pytest.raises(RuntimeError):
        engine.generate(prompts(), eraser=replace(eraser, directions=torch.zeros(LAYERS, HIDDEN + 1)))
    assert [a.tokens for a in engine.generate(prompts(), max_new_tokens=4)] == [a.tokens for a in before]


def test_option_likelihood_equals_a_plain_forward_pass(engine: Engine) -> None:
    """Without an eraser, the sum of token log-likelihoods of a single plain forward."""
    prompt, option = prompts()[1], "marine biologist"
    ids = engine.vlm.adapter.encode([prompt])[0].ids
    words = [*engine.vlm.tokenizer.encode(option, add_special_tokens=False), engine.vlm.tokenizer.eos_token_id]
    with torch.inference_mode():
        logits = engine.vlm.model(input_ids=torch.cat([ids, torch.tensor(words)])[None]).logits.log_softmax(-1)
    expected = sum(float(logits[0, len(ids) - 1 + i, word]) for i, word in enumerate(words))
    both = option_likelihood(engine, prompts()[1:3], [[option, "baker"], ["Oslo"]])
    assert both[0][0] == pytest.approx(expected, abs=1e-3)
    assert [len(scores) for scores in both] == [2, 1]


def test_stream_pieces_add_up_to_the_answer(engine: Engine) -> None:
    """The whole answer comes last."""
    whole = engine.generate([prompts()[0]], max_new_tokens=8, **SAMPLED)[0]
    *pieces, last = engine.stream(prompts()[0], max_new_tokens=8, **SAMPLED)
    assert last == whole
    assert len(pieces) > 1
    assert "".join(str(piece) for piece in pieces).strip() == whole.text


def test_stream_closed_by_another_thread_leaves_the_engine_free(engine: Engine) -> None:
    """Closed, or dropped and collected, in a thread that did not read from it: others are answered as before."""
    expected = engine.generate([prompts()[2]], max_new_tokens=4)
    with ThreadPoolExecutor(1) as pool:
        for _ in range(3):
            stream = engine.stream(prompts()[0], max_new_tokens=16, **SAMPLED)
            assert isinstance(next(stream), str)
            pool.submit(stream.close).result(timeout=60)
            dropped = [engine.stream(prompts()[0], max_new_tokens=16, **SAMPLED)]
            assert isinstance(next(dropped[0]), str)
            pool.submit(dropped.clear).result(timeout=60)
        assert pool.submit(engine.generate, [prompts()[2]], max_new_tokens=4).result(timeout=60) == expected
    assert engine.progress.stalled_s() == 0.0


def test_streams_read_in_turns_are_the_whole_answers(engine: Engine) -> None:
    """Two streams advanced piece by piece in turns, while a third is never read."""
    asked = [prompts()[0], prompts()[1]]
    expected = [engine.generate([prompt], max_new_tokens=8, **SAMPLED)[0] for prompt in asked]
    engine.stream(prompts()[2], max_new_tokens=8)
    streams = [engine.stream(prompt, max_new_tokens=8, **SAMPLED) for prompt in asked]
    last: list[str | Answer | None] = [None, None]
    running = [0, 1]
    while running:
        for number in list(running):
            piece = next(streams[number], None)
            if piece is None:
                running.remove(number)
            else:
                last[number] = piece
    assert last == expected


def test_sampling_with_the_same_seed_is_repeatable(engine: Engine) -> None:
    """The same seed gives the same answer, another one (nearly always) another."""
    once, again, other = (
        engine.generate([prompts()[0]], max_new_tokens=12, temperature=1.0, seed=seed)[0] for seed in (5, 5, 6)
    )
    assert once == again
    assert once.tokens != other.tokens


def test_prompts_that_do_not_fit_are_refused(engine: Engine) -> None:
    """Too long, or with the picture's own token in the text."""
    with pytest.raises(BadInput, match="tokens"):
        engine.generate([Prompt.ask("word " * 600)])
    with pytest.raises(BadInput, match="<image>"):
        engine.generate([Prompt.ask("Look: <image>")])


def test_eraser_of_another_model_is_refused(engine: Engine) -> None:
    """An eraser acts only at the site that it was made for."""
    eraser = replace(firing(engine, torch.randn(LAYERS, HIDDEN)), site=replace(engine.vlm.site, base_model="0" * 64))
    with pytest.raises(SiteMismatch):
        engine.generate(prompts(), eraser=eraser)


def test_concurrent_calls_get_the_answers_they_get_alone(engine: Engine) -> None:
    """Four threads, with and without an eraser, get what they would get alone."""
    eraser = firing(engine, capture.activations(engine, prompts())[0], threshold=-2.0)
    expected = [[a.tokens for a in engine.generate(prompts(), eraser=e, max_new_tokens=4)] for e in (None, eraser)]
    with ThreadPoolExecutor(4) as pool:
        futures = [
            pool.submit(engine.generate, prompts(), eraser=(None, eraser)[i % 2], max_new_tokens=4) for i in range(8)
        ]
        got = [[a.tokens for a in future.result()] for future in futures]
    assert got == [expected[i % 2] for i in range(8)]


def test_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    """A sentence, not a stack trace."""
    with pytest.raises(BadInput, match=r"it has no config\.json"):
        load(tmp_path)
