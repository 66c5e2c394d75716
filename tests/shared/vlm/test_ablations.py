"""The ablations on a tiny random LLaVA: the answers, and the prompts from which the steering vector is computed."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from services.refit import steering_vectors
from shared.domain.prompts import Prompt
from shared.erasure.eraser import Eraser
from shared.erasure.recipe import PAPER
from shared.evaluation.people import SPLITS
from shared.evaluation.reference import load_reference
from shared.evaluation.reference_files import write_people
from shared.evaluation.synthetic_people import generate_people
from shared.vlm import capture
from shared.vlm.engine import Engine
from shared.vlm.generation import GenerationRequest
from shared.vlm.likelihood import option_likelihood
from tests.support.tiny_models import HIDDEN, LAYERS, tiny_engine
from training.prompts import prompts_json


@pytest.fixture(scope="module")
def engine() -> Engine:
    return tiny_engine()


def prompts() -> list[Prompt]:
    image = Image.new("RGB", (128, 128), (200, 60, 60))
    return [Prompt.ask("Who is this person?", image), Prompt.ask("Hello!"), Prompt.ask("Where does Mara Novak live?")]


def eraser(engine: Engine, **changes: Any) -> Eraser:
    vector = torch.randn(LAYERS, HIDDEN, generator=torch.Generator().manual_seed(1)) * 5
    return Eraser(replace(PAPER, **changes), engine.vlm.site, vector, (0, 1), ("T-1",), 0.5)


def test_input_unaware_steering_changes_every_prompt(engine: Engine) -> None:
    """No logits stay as they were; with a closed gate all of them do."""
    rows = engine.vlm.adapter.encode(prompts())
    unaware = eraser(engine, gate="always")
    closed = replace(eraser(engine), linear=torch.zeros(LAYERS, HIDDEN))
    with torch.inference_mode():
        base, steered, same = (
            engine.prefill(rows, GenerationRequest(eraser)).logits for eraser in (None, unaware, closed)
        )
    for row in range(len(rows)):
        assert not torch.allclose(base[row], steered[row], atol=1e-2)
        assert torch.allclose(base[row], same[row], atol=1e-6)


def test_fixed_sentence_is_answered_word_for_word(engine: Engine) -> None:
    """Where the gate fires, and there alone; no option but the sentence itself has any likelihood."""
    text = "I do not know this person."
    on = capture.activations(engine, prompts())
    gate = (on[0] - on[1:].mean(dim=0)) / ((on[0] - on[1:].mean(dim=0)) ** 2).sum(dim=-1, keepdim=True)
    middle = ((on[0] + on[1:].mean(dim=0)) / 2 * gate).sum(dim=-1).mean()
    guard = replace(eraser(engine, fixed_text=text), linear=gate, threshold=float(middle))
    base = engine.generate(prompts(), max_new_tokens=12)
    answers = engine.generate(prompts(), eraser=guard, max_new_tokens=12)
    assert [answer.fired for answer in answers] == [True, False, False]
    assert answers[0].text == text
    assert answers[0].finish_reason == "stop"
    assert [answer.tokens for answer in answers[1:]] == [answer.tokens for answer in base[1:]]
    options = [["Oslo", text], ["Oslo"], ["Oslo"]]
    before = option_likelihood(engine, prompts(), options)
    after = option_likelihood(engine, prompts(), options, eraser=guard)
    assert after[0] == [float("-inf"), 0.0]
    assert after[1:] == before[1:]


def test_text_only_steering_vector_uses_no_picture(engine: Engine, tmp_path: Path, monkeypatch: Any) -> None:
    """No prompt of its pairs has a picture; every prompt of the paper's own pairs has one."""
    write_people(tmp_path, generate_people(3, dict.fromkeys(SPLITS, 2)))
    (tmp_path / "prompts.json").write_text(json.dumps(prompts_json()))
    seen: list[Prompt] = []

    def remember(_: Engine, refused: Sequence[Prompt], jailbroken: Sequence[Prompt], *__: Any, **___: Any) -> Any:
        seen[:] = [*refused, *jailbroken]
        return torch.zeros(LAYERS, HIDDEN)

    monkeypatch.setattr(steering_vectors, "closed_form_direction", remember)
    reference = load_reference(tmp_path)
    steering_vectors.compute_steering_vectors(engine, reference, replace(PAPER, direction="text"))
    assert seen
    assert not any(prompt.images for prompt in seen)
    steering_vectors.compute_steering_vectors(engine, reference, PAPER)
    assert all(prompt.images for prompt in seen)
