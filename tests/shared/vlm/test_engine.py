"""The engine on a tiny random LLaVA: declared site, bit-identity of what does not fire, exact steering, batches."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from shared.domain.prompts import Prompt, Turn
from shared.erasure.eraser import Eraser
from shared.erasure.gates.prototype import TicketGate
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.recipe import PAPER, PROTOTYPE
from shared.errors import BadInput, SiteMismatch
from shared.vlm import capture
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer, GenerationRequest
from shared.vlm.likelihood import option_likelihood
from shared.vlm.loading import load, wrap
from training.optimization import new_model
from training.tokenizer import build_processor

LAYERS, HIDDEN = 2, 64


@pytest.fixture(scope="module")
def engine() -> Engine:
    torch.manual_seed(0)
    processor = build_processor(900)
    return Engine(wrap(new_model(processor, layers=LAYERS, hidden=HIDDEN).eval(), processor))


def prompts() -> list[Prompt]:
    image = Image.new("RGB", (128, 128), (200, 60, 60))
    return [
        Prompt.ask("Who is this person?", image),
        Prompt.ask("Where does Mara Novak live, and since when?"),
        Prompt.ask("Hello!"),
        Prompt.ask("What colour is the background?", image, system="Be brief."),
        Prompt((Turn("user", "Hello!"), Turn("assistant", "Hello!"), Turn("user", "Who is Ivo Berger?"))),
    ]


def firing(engine: Engine, on: Tensor, threshold: float = 0.99) -> Eraser:
    """An eraser whose only prototype is the activation `on` [L, d]; it fires for that prompt alone."""
    plain = Whitener(
        torch.zeros(LAYERS, HIDDEN), torch.zeros(LAYERS, HIDDEN, 1), torch.ones(LAYERS, 1), torch.ones(LAYERS)
    )
    rows = torch.nn.functional.normalize(on, dim=-1)[:, None]
    pull = torch.randn(LAYERS, HIDDEN, generator=torch.Generator().manual_seed(1)) * 5
    recipe = replace(PROTOTYPE, neighbours=1)
    gate = TicketGate("T-1", rows, None)
    return Eraser(recipe, engine.vlm.site, pull, (0, 1), ("T-1",), threshold, (gate,), plain)


def test_activations_are_the_blocks_outputs_at_the_last_token(engine: Engine) -> None:
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


def test_a_batch_answers_as_its_rows_do_alone(engine: Engine) -> None:
    """Neither padding nor neighbours change a token, and activations only by rounding."""
    together = engine.generate(prompts(), max_new_tokens=6)
    alone = [engine.generate([prompt], max_new_tokens=6)[0] for prompt in prompts()]
    assert [a.tokens for a in together] == [a.tokens for a in alone]
    assert [a.prompt_tokens for a in together] == [a.prompt_tokens for a in alone]
    apart = torch.cat([capture.activations(engine, [prompt]) for prompt in prompts()])
    assert (capture.activations(engine, prompts()) - apart).abs().max() < 1e-4


def test_what_does_not_fire_keeps_every_bit(engine: Engine) -> None:
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
    for one, other in zip(base.cache.layers, decided.cache.layers, strict=True):
        assert torch.equal(one.keys, other.keys)
        assert torch.equal(one.values, other.values)
    assert not torch.allclose(base.logits[2], again.logits[0])
    answers = engine.generate(asked, max_new_tokens=4)
    after = engine.generate(asked, eraser=eraser, max_new_tokens=4)
    assert [a.fired for a in after] == [False, False, True, False]
    assert [a.tokens for a in after if not a.fired] == [b.tokens for b in (answers[0], answers[1], answers[3])]


def test_steering_adds_the_pull_at_the_last_token_only(engine: Engine) -> None:
    """The fired logits equal those of a plain forward with `pull` added to each block's output at the last position."""
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


def test_broadcast_is_equation_13(engine: Engine) -> None:
    """Recipe `paper`: at every position h + λ (r·h_last) u, layer after layer on the steered stream."""
    prompt = prompts()[1]
    rng = torch.Generator().manual_seed(2)
    linear, pull = torch.randn(LAYERS, HIDDEN, generator=rng), torch.randn(LAYERS, HIDDEN, generator=rng)
    eraser = Eraser(PAPER, engine.vlm.site, pull, (0, 1), ("T-1",), 0.5, linear=linear)
    rows = engine.vlm.adapter.encode([prompt])

    def adding(layer: int):  # type: ignore[no-untyped-def]
        def hook(_: object, __: object, out: Tensor) -> Tensor:
            return out + PAPER.strength * (out[:, -1] @ linear[layer])[:, None, None] * pull[layer]

        return hook

    hooks = [b.register_forward_hook(adding(i)) for i, b in enumerate(engine.vlm.adapter.blocks)]
    with torch.inference_mode():
        expected = engine.vlm.model(**engine.vlm.adapter.inputs(rows)).logits[:, -1]
    for hook in hooks:
        hook.remove()
    with torch.inference_mode():
        assert torch.allclose(engine.prefill(rows, GenerationRequest(eraser)).logits, expected, atol=1e-3)


def test_hooks_are_gone_afterwards(engine: Engine) -> None:
    """After steering, and after an error in the middle of it, the model is the base model again."""
    before = engine.generate(prompts(), max_new_tokens=4)
    eraser = firing(engine, capture.activations(engine, prompts())[0], threshold=-2.0)
    engine.generate(prompts(), eraser=eraser, max_new_tokens=4)
    with pytest.raises(RuntimeError):
        engine.generate(prompts(), eraser=replace(eraser, directions=torch.zeros(LAYERS, HIDDEN + 1)))
    assert [a.tokens for a in engine.generate(prompts(), max_new_tokens=4)] == [a.tokens for a in before]


def test_option_likelihood_is_the_plain_one(engine: Engine) -> None:
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


def test_a_stream_is_the_answer_in_pieces(engine: Engine) -> None:
    """Its pieces add up to the whole answer, which comes last."""
    whole = engine.generate([prompts()[0]], max_new_tokens=8)[0]
    *pieces, last = engine.stream(prompts()[0], max_new_tokens=8)
    assert isinstance(last, Answer)
    assert last == whole
    assert "".join(str(piece) for piece in pieces).strip() == whole.text


def test_sampling_repeats_with_its_seed(engine: Engine) -> None:
    """The same seed gives the same answer, another one (nearly always) another."""
    once, again, other = (
        engine.generate([prompts()[0]], max_new_tokens=12, temperature=1.0, seed=seed)[0] for seed in (5, 5, 6)
    )
    assert once == again
    assert once.tokens != other.tokens


def test_bad_prompts_are_refused_in_a_sentence(engine: Engine) -> None:
    """Too long, or with the picture's own token in the text."""
    with pytest.raises(BadInput, match="tokens"):
        engine.generate([Prompt.ask("word " * 600)])
    with pytest.raises(BadInput, match="<image>"):
        engine.generate([Prompt.ask("Look: <image>")])


def test_another_models_eraser_is_refused(engine: Engine) -> None:
    """An eraser acts only at the site that it was made for."""
    eraser = replace(firing(engine, torch.randn(LAYERS, HIDDEN)), site=replace(engine.vlm.site, base_model="0" * 64))
    with pytest.raises(SiteMismatch):
        engine.generate(prompts(), eraser=eraser)


def test_threads_do_not_disturb_one_another(engine: Engine) -> None:
    """Four threads, with and without an eraser, get what they would get alone."""
    eraser = firing(engine, capture.activations(engine, prompts())[0], threshold=-2.0)
    expected = [[a.tokens for a in engine.generate(prompts(), eraser=e, max_new_tokens=4)] for e in (None, eraser)]
    with ThreadPoolExecutor(4) as pool:
        futures = [
            pool.submit(engine.generate, prompts(), eraser=(None, eraser)[i % 2], max_new_tokens=4) for i in range(8)
        ]
        got = [[a.tokens for a in future.result()] for future in futures]
    assert got == [expected[i % 2] for i in range(8)]


def test_a_folder_without_a_model_is_said_so(tmp_path: Path) -> None:
    """A sentence, not a stack trace."""
    with pytest.raises(BadInput, match="No model could be loaded"):
        load(tmp_path)
