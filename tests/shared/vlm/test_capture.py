"""Readouts for the gate, and answers that are checked for names, on a tiny random LLaVA."""

from dataclasses import replace

import pytest
import torch
from PIL import Image
from torch import Tensor

from shared.domain.prompts import Prompt, Turn
from shared.erasure.eraser import Eraser
from shared.erasure.gates.identity import IdentityGate
from shared.erasure.gates.identity_fit import IdentityFit, IdentitySpaces
from shared.erasure.gates.name_windows import WINDOW
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.readout import RaggedRows
from shared.erasure.recipe import LACUNA
from shared.errors import BadInput
from shared.vlm import capture
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer
from shared.vlm.hooks import CaptureAllTokens, hooked
from shared.vlm.likelihood import option_likelihood
from shared.vlm.redaction import placeholder_tokens, redact
from shared.vlm.steering_vectors import answer_likelihood
from tests.support.tiny_models import HIDDEN, LAYERS, tiny_engine

RED, BLUE = Image.new("RGB", (128, 128), (200, 60, 60)), Image.new("RGB", (64, 64), (60, 60, 200))


@pytest.fixture(scope="module")
def engine() -> Engine:
    return tiny_engine()


def prompts() -> list[Prompt]:
    return [
        Prompt.ask("Who is this person?", RED),
        Prompt.ask("Where does Mara Novak live, and since when?"),
        Prompt((Turn("user", "Who is this?", (RED,)), Turn("assistant", "Hello!"), Turn("user", "And this?", (BLUE,)))),
        Prompt.ask("Hello!"),
    ]


def plain() -> Whitener:
    return Whitener(
        torch.zeros(LAYERS, HIDDEN), torch.zeros(LAYERS, HIDDEN, 1), torch.ones(LAYERS, 1), torch.ones(LAYERS)
    )


def checking(engine: Engine, name: Tensor, *, check: bool = True) -> Eraser:
    """An eraser whose only ticket is called what the tokens `name` [n, L, d] read as."""
    window = torch.zeros(1, WINDOW, LAYERS, HIDDEN)
    window[0, WINDOW - len(name) :] = plain()(name)
    length = torch.tensor([len(name)])
    rows = IdentityFit(torch.zeros(0, LAYERS, HIDDEN), window, length, length, torch.ones(2))
    gate = IdentityGate(
        ("T-1",), (rows,), torch.full((1, 2), 0.999), torch.full((1, 2), 0.999), IdentitySpaces(plain(), plain(), None)
    )
    vector = torch.randn(LAYERS, HIDDEN, generator=torch.Generator().manual_seed(1)) * 5
    recipe = replace(LACUNA, check_answers=check)
    return Eraser(recipe, engine.vlm.site, vector, (0, 1), ("T-1",), 0.0, decode_directions=vector / 5, identity=gate)


def states(engine: Engine, prompt: Prompt) -> tuple[Tensor, Tensor]:
    """Token ids, and every token's state by hand, [T, L, d]."""
    (row,) = engine.vlm.adapter.encode([prompt])
    gathering = CaptureAllTokens()
    with torch.inference_mode(), hooked(engine.vlm.adapter.blocks, gathering):
        engine.vlm.model(**engine.vlm.adapter.inputs([row]), use_cache=False)
    return row.ids, gathering.stacked()[0]


def test_readout_holds_pictures_words_and_last_tokens(engine: Engine) -> None:
    """Each picture's mean over its own tokens; every other token in order; the same in a padded batch as alone."""
    asked = prompts()
    readout = capture.readout(engine, asked)
    assert readout.pictures.of.tolist() == [0, 2, 2]
    for place, prompt in enumerate(asked):
        ids, own = states(engine, prompt)
        image = ids == engine.vlm.processor.tokenizer.convert_tokens_to_ids(engine.vlm.processor.image_token)
        torch.testing.assert_close(readout.last[place], own[-1], atol=1e-4, rtol=0)
        torch.testing.assert_close(readout.words.rows[readout.words.of == place], own[~image], atol=1e-4, rtol=0)
        seen = own[image].chunk(len(prompt.images)) if prompt.images else ()
        for mean, tokens in zip(readout.pictures.rows[readout.pictures.of == place], seen, strict=True):
            torch.testing.assert_close(mean, tokens.mean(dim=0), atol=1e-4, rtol=0)


def test_readout_of_some_prompts_keeps_their_rows(engine: Engine) -> None:
    readout = capture.readout(engine, prompts())
    two = readout.take([2, 0])
    assert two.pictures.of.tolist() == [0, 0, 1]
    assert torch.equal(two.last[1], readout.last[0])
    assert torch.equal(two.words.rows[two.words.of == 1], readout.words.rows[readout.words.of == 0])


def test_readout_at_some_layers_is_that_part_of_the_whole(engine: Engine) -> None:
    """In any order; at layers that it holds it may be read again, at others it refuses."""
    whole = capture.readout(engine, prompts())
    for layers in ((1,), (1, 0)):
        some = capture.readout(engine, prompts(), layers=layers)
        part = whole.at(layers)
        assert some.layers == part.layers == layers
        for name in ("pictures", "words"):
            assert torch.equal(getattr(some, name).rows, getattr(part, name).rows)
        assert torch.equal(some.last, part.last)
        assert torch.equal(some.last, capture.activations(engine, prompts(), layers=layers))
        assert torch.equal(some.at((1,)).last, whole.last[:, [1]])
        mentions = [
            capture.mention_states(engine, prompts()[1:2], ["Mara Novak"], layers=at)[0] for at in (None, layers)
        ]
        assert torch.equal(mentions[0][:, list(layers)], mentions[1])
        with pytest.raises(BadInput, match="and not"):
            capture.readout(engine, prompts(), layers=(1,)).at((0, 1))


def test_model_is_run_no_further_than_the_blocks_that_are_read(engine: Engine) -> None:
    """Behind them nothing is computed, and what is read is that of a whole pass; the next pass is whole again."""
    blocks, ran = engine.vlm.adapter.blocks, list[int]()
    handles = [block.register_forward_pre_hook(lambda *_, at=at: ran.append(at)) for at, block in enumerate(blocks)]
    try:
        first = capture.readout(engine, prompts()[1:2], layers=(0,))
        mention = capture.mention_states(engine, prompts()[1:2], ["Mara Novak"], layers=(0,))[0]
        last = capture.activations(engine, prompts()[1:2], layers=(0,))
        assert ran == [0, 0, 0]
        whole = capture.readout(engine, prompts()[1:2])
        assert ran == [0, 0, 0, 0, 1]
    finally:
        for handle in handles:
            handle.remove()
    _, by_hand = states(engine, prompts()[1])
    assert torch.equal(first.words.rows, whole.words.rows[:, :1])
    assert torch.equal(last, whole.last[:, :1])
    assert torch.equal(whole.last[0], by_hand[-1])
    start, end = engine.vlm.adapter.span(prompts()[1], "Mara Novak")
    assert torch.equal(mention, by_hand[start:end, :1])


def test_failure_inside_the_model_is_not_taken_for_the_end(engine: Engine) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    handle = engine.vlm.adapter.blocks[0].register_forward_pre_hook(fail)
    try:
        with pytest.raises(RuntimeError, match="broken"):
            capture.activations(engine, prompts()[:1], layers=(0,))
    finally:
        handle.remove()


def test_serving_reads_the_gated_layers_alone(engine: Engine, name: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """An eraser that looks at block 1 decides as on all blocks, and nothing is hooked to block 0, answers included."""
    eraser = checking(engine, name)
    assert eraser.identity is not None
    (fit,) = eraser.identity.fits
    upper = replace(
        fit, portraits=fit.portraits[:, 1:], names=torch.nn.functional.normalize(fit.names[:, :, 1:], dim=-1)
    )
    space = replace(plain(), mean=torch.zeros(1, HIDDEN), basis=torch.zeros(1, HIDDEN, 1), scales=torch.ones(1, 1))
    spaces = IdentitySpaces(replace(space, rest=torch.ones(1)), replace(space, rest=torch.ones(1)), None)
    eraser = replace(eraser, gated=(1,), identity=replace(eraser.identity, fits=(upper,), spaces=spaces))
    on_all = eraser.decide(capture.readout(engine, prompts()))
    assert torch.equal(capture.decide(engine, eraser, prompts()).score, on_all.score)
    assert engine.generate(prompts()[1:2], eraser=eraser, max_new_tokens=8)[0].ticket == "T-1"

    def refuse(*_: object) -> None:
        raise AssertionError("block 0 is hooked")

    monkeypatch.setattr(engine.vlm.adapter.blocks[0], "register_forward_hook", refuse)
    unconcerned = [prompts()[0], prompts()[3]]
    assert not any(answer.fired for answer in engine.generate(unconcerned, eraser=eraser, max_new_tokens=4))
    with pytest.raises(AssertionError, match="block 0 is hooked"):
        engine.examine(unconcerned)


def test_mention_is_found_among_the_tokens(engine: Engine) -> None:
    prompt = prompts()[1]
    ids, own = states(engine, prompt)
    start, end = engine.vlm.adapter.span(prompt, "Mara Novak")
    assert engine.vlm.tokenizer.decode(ids[start:end]).strip() == "Mara Novak"
    torch.testing.assert_close(
        capture.mention_states(engine, [prompt], ["Mara Novak"])[0], own[start:end], atol=1e-4, rtol=0
    )
    with pytest.raises(BadInput, match="cannot be found"):
        engine.vlm.adapter.span(prompt, "Ivo Berger")


@pytest.fixture(scope="module")
def name(engine: Engine) -> Tensor:
    """How the second and third token of the base model's answer to the second prompt read."""
    _, readout = engine.examine([prompts()[1]], max_new_tokens=8)
    return readout.answer_tokens.rows[1:3].clone()


def test_answer_that_names_a_forgotten_person_is_redone(engine: Engine, name: Tensor) -> None:
    """It is redone, steered, and its ticket is named; unchecked it would be sent; other answers keep every token."""
    base = engine.generate(prompts(), max_new_tokens=8)
    after = engine.generate(prompts(), eraser=checking(engine, name), max_new_tokens=8)
    assert (after[1].fired, after[1].ticket) == (True, "T-1")
    assert after[1].tokens[:3] != base[1].tokens[:3]
    assert [a.tokens for a in after if not a.fired] == [
        b.tokens for a, b in zip(after, base, strict=True) if not a.fired
    ]
    unchecked = engine.generate(prompts(), eraser=checking(engine, name, check=False), max_new_tokens=8)
    assert [a.tokens for a in unchecked] == [a.tokens for a in base]


def test_stream_sends_no_name_before_it_is_checked(engine: Engine, name: Tensor) -> None:
    """In pieces, the checked answer is the one that comes whole."""
    prompt = prompts()[1]
    eraser = checking(engine, name)
    (whole,) = engine.generate([prompt], eraser=eraser, max_new_tokens=8)
    *pieces, end = engine.stream(prompt, eraser=eraser, max_new_tokens=8)
    assert isinstance(end, Answer)
    assert end.fired
    assert "".join(str(piece) for piece in pieces).strip() == end.text == whole.text


def test_stream_without_a_name_is_that_of_the_base_model(engine: Engine, name: Tensor) -> None:
    prompt = prompts()[3]
    (base,) = engine.generate([prompt], max_new_tokens=8)
    *pieces, end = engine.stream(prompt, eraser=checking(engine, name), max_new_tokens=8)
    assert isinstance(end, Answer)
    assert "".join(str(piece) for piece in pieces).strip() == end.text == base.text


def test_generated_tokens_of_a_fired_request_are_steered(engine: Engine, name: Tensor) -> None:
    """The likelihood of an option after a fired prompt is that of a forward pass with both vectors added by hand."""
    prompt, options = prompts()[1], ("Mara lives here.", "Hello!")
    on = capture.mention_states(engine, [prompt], ["Mara Novak"])[0][-WINDOW:]
    eraser = checking(engine, on)
    (scores,) = option_likelihood(engine, [prompt], [options], eraser=eraser)
    rows = engine.vlm.adapter.encode([prompt, prompt])
    with torch.inference_mode():
        where = eraser.mention_spans(capture.readout(engine, [prompt]), ["T-1"])[0]
        rows = [redact(engine.vlm.adapter, row, where, placeholder_tokens(engine.vlm.tokenizer)) for row in rows]
        by_hand, _ = answer_likelihood(engine, rows, options, eraser.steering_vector(), eraser.decode_steering_vector())
        without, _ = answer_likelihood(engine, rows, options, eraser.steering_vector(), None)
    torch.testing.assert_close(torch.tensor(scores), by_hand, atol=1e-3, rtol=0)
    assert not torch.allclose(by_hand, without, atol=1e-3)


def test_best_score_of_a_prompt_without_rows_is_minus_one() -> None:
    ragged = RaggedRows(torch.zeros(3, 1, 1), torch.tensor([0, 0, 2]))
    assert ragged.best(torch.tensor([[0.1], [0.4], [0.3]]), 3).flatten().tolist() == pytest.approx([0.4, -1.0, 0.3])
