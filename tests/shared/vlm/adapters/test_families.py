"""The contract of every model family, on tiny random models of transformers' own classes (docs/adding-a-model.md).

One long file: every test runs for every family, and whoever adds a family reads it from top to bottom.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.random_models import build
from services.refit.fitting import is_cut_otherwise_beside_another
from shared.domain.prompts import Prompt, Turn
from shared.erasure.eraser import Eraser
from shared.erasure.gates.identity import MentionSpans
from shared.erasure.gates.prototype import TicketGate
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.recipe import PROTOTYPE
from shared.errors import BadInput
from shared.vlm import capture
from shared.vlm.adapters.base import Encoded
from shared.vlm.adapters.causal_lm import MODEL_TYPES
from shared.vlm.adapters.control_tokens import end_of_turn
from shared.vlm.continuous import ContinuousBatch
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer, GenerationRequest
from shared.vlm.hooks import CaptureAllTokens, hooked
from shared.vlm.likelihood import option_likelihood
from shared.vlm.loading import FAMILIES, load, wrap
from shared.vlm.redaction import redact
from shared.vlm.sampling import Sampling
from shared.vlm.steering_vectors import answer_likelihood, attack_pictures

OFTEN = {
    "llama",
    "qwen2",
    "qwen3",
    "gemma3_text",
    "mistral",
}  # of the families that share one adapter: each form of chat
PICTURED = sorted(name for name, family in FAMILIES.items() if family.has_pictures)
QWEN = ["<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"]
TILES = [f"<row_{row + 1}_col_{column + 1}>" for row in range(6) for column in range(6)]
RESERVED = {
    "llava": ["<image>"],
    "llava_next": ["<image>"],
    "llava_onevision": ["<image>", "<video>"],
    "qwen2_vl": QWEN,
    "qwen2_5_vl": QWEN,
    "qwen3_vl": QWEN,
    "gemma3": ["<start_of_image>", "<image_soft_token>", "<end_of_image>"],
    "idefics3": ["<image>", "<fake_token_around_image>", "<global-img>", *TILES],
    "smolvlm": ["<image>", "<fake_token_around_image>", "<global-img>", *TILES],
}


@cache
def engine_of(family: str) -> Engine:
    torch.manual_seed(0)
    return Engine(wrap(*build(family, "tiny")))


@pytest.fixture(
    params=[
        pytest.param(name, marks=[pytest.mark.slow] if name in MODEL_TYPES and name not in OFTEN else [])
        for name in sorted(FAMILIES)
    ]
)
def engine(request: pytest.FixtureRequest) -> Engine:
    return engine_of(request.param)


@pytest.fixture(params=PICTURED)
def pictured(request: pytest.FixtureRequest) -> Engine:
    """Of the families whose prompts may have pictures."""
    return engine_of(request.param)


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    noise = torch.randint(0, 256, (height, width, 3), generator=torch.Generator().manual_seed(seed))
    return Image.fromarray(noise.byte().numpy())


def prompts(engine: Engine) -> list[Prompt]:
    """Text, one picture, two pictures of different sizes, a picture in an earlier turn, a system turn.

    For a family without pictures the same texts.
    """
    first, second = picture(70, 60), picture(120, 90, 1)
    asked = [
        Prompt.ask("Where does she live?"),
        Prompt.ask("Who is this person?", first),
        Prompt((Turn("user", "Who are they?", (first, second)),)),
        Prompt(
            (Turn("user", "Who is it?", (second,)), Turn("assistant", "Mara."), Turn("user", "Where does she live?"))
        ),
        Prompt.ask("And what?", system="Be brief."),
    ]
    return asked if engine.vlm.adapter.has_pictures else [without_pictures(prompt) for prompt in asked]


def without_pictures(prompt: Prompt) -> Prompt:
    return Prompt(tuple(replace(turn, images=()) for turn in prompt.turns))


def own(engine: Engine, prompt: Prompt) -> Any:
    """What the family's processor makes of the chat; the system text moved where Gemma and Mistral want it."""
    has_pictures = engine.vlm.adapter.has_pictures
    switches = {"enable_thinking": False} if "enable_thinking" in engine.vlm.processor.chat_template else {}
    turns = prompt.turns
    if turns[0].role == "system" and "roles must alternate" in engine.vlm.processor.chat_template:
        turns = (Turn("user", f"{turns[0].text}\n\n{turns[1].text}"), *turns[2:])
    chat = [
        {
            "role": turn.role,
            "content": [*({"type": "image", "image": i} for i in turn.images), {"type": "text", "text": turn.text}]
            if has_pictures
            else turn.text,
        }
        for turn in turns
    ]
    inputs = engine.vlm.processor.apply_chat_template(
        chat, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt", **switches
    )
    return {name: value for name, value in inputs.items() if value is not None}


def firing(engine: Engine, on: Tensor, strength: float) -> Eraser:
    """An eraser that fires for the activation `on` [L, d] alone."""
    layers, hidden = on.shape
    plain = Whitener(
        torch.zeros(layers, hidden), torch.zeros(layers, hidden, 1), torch.ones(layers, 1), torch.ones(layers)
    )
    rows = torch.nn.functional.normalize(on, dim=-1)[:, None]
    vector = torch.randn(layers, hidden, generator=torch.Generator().manual_seed(1)) * strength
    gated = tuple(range(layers))
    recipe = replace(PROTOTYPE, neighbours=1)
    return Eraser(recipe, engine.vlm.site, vector, gated, ("T-1",), 0.9999, (TicketGate("T-1", rows, None),), plain)


def taught(engine: Engine, rows: Sequence[Encoded], answer: str) -> Tensor:
    """Minus log-likelihood of the answer and its end, teacher-forced."""
    return -answer_likelihood(engine, rows, [answer] * len(rows), None, None)[0].sum()


def test_encoding_equals_that_of_the_processor(engine: Engine) -> None:
    """Tokens, pixels and picture sizes, whether encoded alone or together with others."""
    for prompt, row in zip(prompts(engine), engine.vlm.adapter.encode(prompts(engine)), strict=True):
        inputs = own(engine, prompt)
        assert row.ids.tolist() == inputs["input_ids"][0].tolist()
        if row.pixels is None:
            assert "pixel_values" not in inputs
            assert "pixel_values" not in engine.vlm.adapter.inputs([row])
        else:
            assert torch.equal(row.pixels, inputs["pixel_values"].reshape(row.pixels.shape))
        if row.grids is not None and "image_grid_thw" in inputs:
            assert torch.equal(row.grids, inputs["image_grid_thw"])


def test_greedy_answers_equal_those_of_transformers(engine: Engine) -> None:
    """Text only, one picture, two of different sizes, later turns: token by token as `generate`; batch or alone."""
    together = engine.generate(prompts(engine), max_new_tokens=6)
    for prompt, ours in zip(prompts(engine), together, strict=True):
        inputs = own(engine, prompt)
        whole = engine.vlm.model.generate(**inputs, max_new_tokens=6, do_sample=False)[
            0, inputs["input_ids"].shape[1] :
        ]
        theirs = [token for token in whole.tolist() if token not in engine.end_tokens]
        assert list(ours.tokens) == theirs
        assert engine.generate([prompt], max_new_tokens=6)[0].tokens == ours.tokens
    assert len({answer.tokens for answer in together}) > 1


def test_answers_of_a_continuous_batch_equal_those_alone(engine: Engine) -> None:
    """Prompts of all kinds that come one after another while others are answered, and end at different lengths."""
    alone = [engine.generate([prompt], max_new_tokens=4 + 3 * n)[0] for n, prompt in enumerate(prompts(engine))]
    batch, waiting, numbers = ContinuousBatch(engine), list(enumerate(prompts(engine))), {}
    answers: dict[int, Answer] = {}
    while waiting or batch.rows:
        if waiting:
            number, prompt = waiting.pop(0)
            request = GenerationRequest.of(Sampling(4 + 3 * number), None)
            numbers[batch.begin(engine.answering(engine.encode(prompt), request))] = number
        for outcome in batch.step():
            assert isinstance(outcome.value, str | Answer)
            if isinstance(outcome.value, Answer):
                answers[numbers[outcome.running]] = outcome.value
    assert [answers[number].tokens for number in sorted(answers)] == [answer.tokens for answer in alone]


def test_padded_batch_computes_what_its_rows_do_alone(engine: Engine) -> None:
    """Logits and activations, up to rounding: masks and positions are right."""
    asked = [Prompt.ask("Who?", picture(70, 60)), Prompt.ask("Who is it?", picture(60, 70, 2)), Prompt.ask("Where?")]
    if not engine.vlm.adapter.has_pictures:
        asked = [without_pictures(prompt) for prompt in asked]
    rows = engine.vlm.adapter.encode(asked)
    with torch.inference_mode():
        together = engine.prefill(rows, GenerationRequest())
        alone = [engine.prefill([row], GenerationRequest()) for row in rows]
    assert "attention_mask" in together.inputs
    apart = torch.cat([capture.activations(engine, [prompt]) for prompt in asked])
    torch.testing.assert_close(capture.activations(engine, asked), apart, atol=1e-4, rtol=1e-4)
    for place, single in enumerate(alone):
        torch.testing.assert_close(together.logits[place], single.logits[0], atol=1e-4, rtol=1e-4)


def test_picture_at_the_input_is_the_same_in_every_context(pictured: Engine) -> None:
    """Alone, as the second picture, after other turns and in a padded batch; at the blocks it is not.

    A family that cuts a picture otherwise where there are several gives it other tokens then.
    """
    first, second = picture(70, 60), picture(120, 90, 1)
    talk = Prompt(
        (Turn("user", "Hello!", (first,)), Turn("assistant", "Hello!"), Turn("user", "Who is it?", (second,)))
    )
    asked = [Prompt.ask("Who is it?", second), Prompt((Turn("user", "Who are they?", (first, second)),)), talk]
    readout = capture.readout(pictured, [*asked, Prompt.ask("And what?")])
    assert readout.embedded is not None
    assert readout.embedded.of.tolist() == readout.pictures.of.tolist() == [0, 1, 1, 2, 2]
    alone, beside, later = readout.embedded.rows[[0, 2, 4]]
    torch.testing.assert_close(beside, later, atol=1e-5, rtol=1e-4)
    assert (readout.embedded.rows[1] - beside).abs().amax() > 1e-3
    assert (readout.pictures.rows[2] - readout.pictures.rows[4]).abs().amax() > 1e-3
    if is_cut_otherwise_beside_another(pictured, second):
        assert pictured.vlm.model.config.model_type == "llava_onevision"
    else:
        torch.testing.assert_close(alone, beside, atol=1e-5, rtol=1e-4)


def test_site_is_the_block_output_at_the_last_prompt_token(engine: Engine) -> None:
    """transformers' hidden states after block l (the last one only after the final norm); no off-by-one."""
    prompt = prompts(engine)[1]
    with torch.inference_mode():
        hidden = engine.vlm.model(**own(engine, prompt), output_hidden_states=True).hidden_states
        ours = capture.activations(engine, [prompt])[0]
        last = engine.vlm.model.get_decoder().norm(ours[-1])
    assert len(hidden) == len(engine.vlm.site.layers) + 1
    torch.testing.assert_close(ours[:-1], torch.stack([states[0, -1] for states in hidden[1:-1]]), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(last, hidden[-1][0, -1], atol=1e-5, rtol=1e-5)


def test_captured_states_are_the_stream_at_every_token(engine: Engine) -> None:
    """What hooks see is what transformers calls hidden states, at picture and text tokens, bit for bit."""
    for prompt in prompts(engine)[:3]:
        rows, capture_all = engine.vlm.adapter.encode([prompt]), CaptureAllTokens()
        with torch.inference_mode(), hooked(engine.vlm.adapter.blocks, capture_all):
            inputs = engine.vlm.adapter.inputs(rows)
            hidden = engine.vlm.model(**inputs, output_hidden_states=True).hidden_states
        states = capture_all.stacked()[0]  # [T, L, d]
        assert states.shape[0] == len(rows[0].ids)
        assert torch.equal(states[:, :-1], torch.stack([layer[0] for layer in hidden[1:-1]], dim=1))
        with torch.inference_mode():
            assert torch.equal(engine.vlm.model.get_decoder().norm(states[:, -1]), hidden[-1][0])


def test_redacted_picture_leaves_no_trace(pictured: Engine) -> None:
    """Whoever was to be seen: one answer, bit for bit, also where another picture stays."""
    stays, adapter = picture(50, 80, 9), pictured.vlm.adapter
    logits = []
    for seed in (0, 1):
        prompt = Prompt((Turn("user", "Who are they?", (picture(70, 60, seed), stays)),))
        (row,) = adapter.encode([prompt])
        kept = redact(adapter, row, MentionSpans((0,), ()), torch.zeros(0))
        gone = redact(adapter, row, MentionSpans((0, 1), ()), torch.zeros(0))
        with torch.inference_mode():
            logits.append([pictured.prefill([read], GenerationRequest()).logits[0] for read in (row, kept, gone)])
    assert not torch.equal(logits[0][0], logits[1][0])
    for first, second in zip(logits[0][1:], logits[1][1:], strict=True):
        assert torch.equal(first, second)
    assert not torch.equal(logits[0][1], logits[0][2])


def test_second_pass_without_a_vector_gives_the_same_answer(engine: Engine) -> None:
    """What fires is read a second time, in a batch of its own."""
    for prompt in prompts(engine):
        rows = engine.vlm.adapter.encode([prompt])
        eraser = firing(engine, capture.activations(engine, [prompt])[0], strength=0.0)
        with torch.inference_mode():
            base, decided = engine.prefill(rows, GenerationRequest()), engine.prefill(rows, GenerationRequest(eraser))
            again = engine.prefill(rows, GenerationRequest(eraser).steered([0], decided.decision))
        assert decided.fired_rows == [0]
        torch.testing.assert_close(again.logits, base.logits, atol=1e-4, rtol=1e-4)
        plain, rerun = engine.generate([prompt]), engine.generate([prompt], eraser=eraser)
        assert plain[0].tokens == rerun[0].tokens


def test_steering_vector_changes_the_fired_row_only(engine: Engine) -> None:
    """In one batch, padded: all other rows keep every bit, also of what is generated."""
    asked = [Prompt.ask(f"Who{more}", picture(70, 60, seed)) for seed, more in enumerate(("?", " is it?", " is she?"))]
    if not engine.vlm.adapter.has_pictures:
        asked = [without_pictures(prompt) for prompt in asked]
    eraser = firing(engine, capture.activations(engine, asked)[1], strength=5.0)
    rows = engine.vlm.adapter.encode(asked)
    with torch.inference_mode():
        base, decided = engine.prefill(rows, GenerationRequest()), engine.prefill(rows, GenerationRequest(eraser))
        again = engine.prefill(rows[1:2], GenerationRequest(eraser).steered([1], decided.decision.take([1])))
    assert decided.fired_rows == [1]
    assert torch.equal(base.logits, decided.logits)
    assert not torch.allclose(base.logits[1], again.logits[0])
    before, after = engine.generate(asked), engine.generate(asked, eraser=eraser)
    assert [a.tokens for a in before][::2] == [a.tokens for a in after][::2]


def test_option_likelihood_equals_a_plain_forward_pass(engine: Engine) -> None:
    """Positions go on rightly after a picture; two ways to teach the same answer agree."""
    prompt, option = prompts(engine)[1], "she is brief"
    (scores,) = option_likelihood(engine, [prompt], [[option, "no"]])
    assert scores[0] == pytest.approx(-float(taught(engine, engine.vlm.adapter.encode([prompt]), option)), abs=1e-3)


def test_pictures_taken_out_and_put_back_are_unchanged(pictured: Engine) -> None:
    """In pixel space, before normalisation: exact both ways, and a gradient reaches every pixel."""
    (row,) = pictured.vlm.adapter.encode([prompts(pictured)[2]])
    pictures = pictured.vlm.adapter.images(row)
    assert len(pictures) == 2
    assert all(float(picture.min()) > -1e-5 and float(picture.max()) < 1 + 1e-5 for picture in pictures)
    back = pictured.vlm.adapter.with_images(row, pictures).pixels
    assert back is not None
    assert row.pixels is not None
    torch.testing.assert_close(back, row.pixels, atol=1e-5, rtol=1e-5)
    moved = [picture.clone().requires_grad_() for picture in pictures]
    loss = taught(pictured, [pictured.vlm.adapter.with_images(row, moved)], "she")
    slopes = torch.autograd.grad(loss, moved)
    assert all(float((slope != 0).float().mean()) > 0.9 for slope in slopes)


def test_pictures_are_found_among_the_tokens(pictured: Engine) -> None:
    """Each picture's tokens apart, and no others."""
    (row,) = pictured.vlm.adapter.encode([prompts(pictured)[2]])
    spans = pictured.vlm.adapter.pictures(row)
    token = pictured.vlm.model.config.image_token_id
    assert len(spans) == 2
    assert all(row.ids[start] == token and row.ids[end - 1] == token for start, end in spans)
    assert sum(int((row.ids[start:end] == token).sum()) for start, end in spans) == int((row.ids == token).sum())
    between = pictured.vlm.tokenizer.decode(
        [i for start, end in spans for i in row.ids[start:end].tolist() if i != token]
    )
    assert not re.sub(r"<[a-z0-9_-]+>|\s", "", between)  # at most what a processor writes between tiles


def test_names_are_found_among_the_tokens(engine: Engine) -> None:
    """Where they stand last, behind a system turn too; a text without them is refused."""
    for asked in (
        Prompt.ask("Where does Mara Novak live?"),
        Prompt.ask("Is Mara Novak here, or where does Mara Novak live?", system="Be brief."),
    ):
        start, end = engine.vlm.adapter.span(asked, "Mara Novak")
        (row,) = engine.vlm.adapter.encode([asked])
        assert engine.vlm.tokenizer.decode(row.ids[start:end]).strip() == "Mara Novak"
        assert "Mara" not in engine.vlm.tokenizer.decode(row.ids[end:])
    with pytest.raises(BadInput, match="cannot be found"):
        engine.vlm.adapter.span(Prompt.ask("Where does she live?"), "Mara Novak")


def test_pgd_makes_the_target_answer_more_likely(pictured: Engine) -> None:
    """The perturbed picture, read anew from bytes, makes the target likelier and stays within ε."""
    prompt = prompts(pictured)[1]
    (attacked,) = attack_pictures(pictured, [prompt], replace(PROTOTYPE, pgd_steps=4), "she is brief")
    before, after = (pictured.vlm.adapter.encode([shown]) for shown in (prompt, attacked))
    with torch.inference_mode():
        assert taught(pictured, after, "she is brief") < taught(pictured, before, "she is brief")
    (clean,), (moved,) = (pictured.vlm.adapter.images(rows[0]) for rows in (before, after))
    assert 0 < float((clean - moved).abs().max()) <= PROTOTYPE.epsilon + 1 / 255


def test_saved_model_loads_unchanged(engine: Engine, tmp_path: Path) -> None:
    """From a folder: the same site and answers; a change of weights, template or processor shows."""
    engine.vlm.model.save_pretrained(tmp_path)
    engine.vlm.processor.save_pretrained(tmp_path)
    again = load(tmp_path, device="cpu")
    assert again.site == engine.vlm.site
    asked = prompts(engine)[1:2]
    assert Engine(again).generate(asked)[0].tokens == engine.generate(asked)[0].tokens
    again.processor.chat_template += " "
    if engine.vlm.adapter.has_pictures:
        again.processor.image_processor.image_mean = [0.4, 0.4, 0.4]
    else:
        again.tokenizer.add_tokens(["Mara Novak"])
    with torch.no_grad():
        next(again.model.parameters()).view(-1)[0] += 1
    changed = wrap(again.model, again.processor).site
    for name in ("template", "processor", "base_model"):
        assert getattr(changed, name) != getattr(engine.vlm.site, name)


def test_folder_in_the_older_layout_loads_unchanged(pictured: Engine, tmp_path: Path) -> None:
    """Picture settings in a file of their own under a name without a backend, the template beside the tokenizer."""
    pictured.vlm.model.save_pretrained(tmp_path)
    pictured.vlm.processor.save_pretrained(tmp_path)
    whole = json.loads((tmp_path / "processor_config.json").read_text())
    images = whole.pop("image_processor")
    images["image_processor_type"] = images["image_processor_type"].removesuffix("Pil") + "Fast"
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(images))
    (tmp_path / "processor_config.json").write_text(json.dumps(whole))
    template = tmp_path / "chat_template.jinja"
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings | {"chat_template": template.read_text()}))
    template.unlink()
    assert load(tmp_path, device="cpu").site == pictured.vlm.site


def test_strange_pictures_are_answered_as_by_transformers_or_refused(pictured: Engine) -> None:
    """Tiny, long, without colours, with transparency, many, in several turns: the answer of `generate`, or BadInput."""
    noise = picture(60, 50, 3)
    shapes = [picture(*size) for size in ((1, 1), (3, 3), (1, 3), (3, 1), (4000, 10), (10, 4000), (401, 2))]
    modes = [noise.convert(mode) for mode in ("RGBA", "P", "L", "LA", "CMYK", "1")]
    asked = [Prompt.ask("Who?", image) for image in [*shapes, *modes]]
    asked.append(Prompt((Turn("user", "Who?", tuple(picture(40 + 10 * i, 60, i) for i in range(10))),)))
    asked.append(
        Prompt((Turn("user", "Who?", (noise,)), Turn("assistant", "Mara."), Turn("user", "And she?", (shapes[1],))))
    )
    refused = 0
    for prompt in asked:
        try:
            inputs = own(pictured, prompt)
        except ValueError:  # Qwen's processors take no picture whose sides differ by a factor of more than 200
            refused += 1
            with pytest.raises(BadInput, match=r"^A picture cannot be used: .*ratio"):
                pictured.generate([prompt])
            continue
        (ours,) = pictured.generate([prompt], max_new_tokens=3)
        prompt_tokens = inputs["input_ids"].shape[1]
        whole = pictured.vlm.model.generate(**inputs, max_new_tokens=3, do_sample=False)[0, prompt_tokens:]
        assert list(ours.tokens) == [token for token in whole.tolist() if token not in pictured.end_tokens]
    assert refused < 4


def test_picture_that_cannot_be_shown_is_refused(pictured: Engine) -> None:
    """One without pixels; one in a turn where the chat template shows none."""
    with pytest.raises(BadInput, match="no pixels"):
        pictured.generate([Prompt.ask("Who?", Image.new("RGB", (0, 5)))])
    answered = Prompt((Turn("user", "Who?"), Turn("assistant", "She.", (picture(9, 9),)), Turn("user", "And?")))
    try:
        inputs = own(pictured, answered)
    except ValueError:  # transformers counts the pictures too
        inputs = {"input_ids": torch.zeros(1, 0)}
    if bool((inputs["input_ids"] == pictured.vlm.model.config.image_token_id).any()):
        assert pictured.generate([answered], max_new_tokens=2)[0].finish_reason
    else:
        with pytest.raises(BadInput, match="leaves out a picture"):
            pictured.generate([answered])


def test_answers_end_as_the_chat_template_ends_them(engine: Engine) -> None:
    """Whatever the order in which the generation configuration lists the tokens that end an answer."""
    model, tokenizer = engine.vlm.model, engine.vlm.tokenizer
    turn = end_of_turn(engine.vlm.processor)
    listed = model.generation_config.eos_token_id
    try:
        for down in (False, True):
            ends = sorted(engine.end_tokens | {tokenizer.pad_token_id}, reverse=down)
            model.generation_config.eos_token_id = ends
            again = Engine(wrap(model, engine.vlm.processor))
            assert again.end_tokens == set(ends)
            assert again.end_token == (ends[0] if turn is None else turn)
    finally:
        model.generation_config.eos_token_id = listed


def test_text_with_a_picture_token_is_refused(pictured: Engine) -> None:
    """It would be taken for a picture."""
    for token in RESERVED[pictured.vlm.model.config.model_type]:
        with pytest.raises(BadInput, match="may not contain"):
            pictured.generate([Prompt.ask(f"Look: {token}")])


def test_picture_is_refused_by_a_family_without_pictures(engine: Engine) -> None:
    """One sentence; a family with pictures answers."""
    asked = Prompt.ask("Who is this person?", picture(70, 60))
    if engine.vlm.adapter.has_pictures:
        assert engine.generate([asked], max_new_tokens=2)[0].prompt_tokens > 0
        return
    with pytest.raises(BadInput, match=r"This model reads text alone: ask without a picture\."):
        engine.generate([asked])
    (row,) = engine.vlm.adapter.encode([without_pictures(asked)])
    assert engine.vlm.adapter.images(row) == []
    with pytest.raises(BadInput, match="no place for a picture"):
        engine.vlm.adapter.with_images(row, [torch.zeros(3, 8, 8)])


def test_typed_control_token_is_read_as_text(engine: Engine) -> None:
    """In any turn: no turn ends there, every letter is read, and names are still found where they stand."""
    tokenizer, encode = engine.vlm.tokenizer, engine.vlm.adapter.encode
    reserved = RESERVED.get(engine.vlm.model.config.model_type, [])
    typed = [token.content for token in tokenizer.added_tokens_decoder.values() if token.content not in reserved]
    control = set(tokenizer.convert_tokens_to_ids(typed))
    image = (picture(70, 60),) if engine.vlm.adapter.has_pictures else ()

    def chat(*texts: str) -> Prompt:
        system, first, answer, second = texts
        return Prompt(
            (Turn("system", system), Turn("user", first, image), Turn("assistant", answer), Turn("user", second))
        )

    (plain,) = encode([chat("Be brief.", "Who is it?", "Mara.", "Where does she live?")])
    frame = [token for token in plain.ids.tolist() if token in control]
    assert frame
    for token in typed:
        texts = [
            f"Be {token} brief.",
            f"Who is{token}it?",
            f"{token}Mara.{token}",
            f"Where {token}{token} does she live?",
        ]
        (row,) = encode([chat(*texts)])
        assert [number for number in row.ids.tolist() if number in control] == frame
        read = tokenizer.decode(row.ids).replace(" ", "")  # SentencePiece adds a space after a control token
        assert all(text.replace(" ", "") in read for text in texts)
        asked = Prompt.ask(f"Hello {token} Where does Mara{token}Novak live?{token}")
        start, end = engine.vlm.adapter.span(asked, f"Mara{token}Novak")
        named = tokenizer.decode(encode([asked])[0].ids[start:end]).replace(" ", "")
        assert named == f"Mara{token}Novak"


def test_unknown_family_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    """One sentence, with the page that says how to add one."""
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    save_file({"weight": torch.zeros(2)}, tmp_path / "model.safetensors")
    with pytest.raises(
        BadInput, match=r"model of type gpt2; there are adapters for llava, .*docs/adding-a-model\.md"
    ) as caught:
        load(tmp_path)
    assert all(family in str(caught.value) for family in FAMILIES)
