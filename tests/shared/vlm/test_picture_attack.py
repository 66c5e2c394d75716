"""White-box noise on a tiny random LLaVA: it stays within its bound, silences the gate, and makes an answer likely."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from shared.domain.prompts import Prompt, Turn
from shared.erasure.eraser import Eraser
from shared.erasure.gates.prototype import TicketGate
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.recipe import PAPER, PROTOTYPE
from shared.vlm import capture
from shared.vlm.engine import Engine
from shared.vlm.likelihood import option_likelihood
from shared.vlm.loading import wrap
from shared.vlm.picture_attack import Strength, adaptive_picture, attacked_picture, universal_noise, with_noise
from training.optimization import new_model
from training.tokenizer import build_processor

LAYERS, HIDDEN, SIZE = 2, 64, 64
STRENGTH = Strength(16 / 255, steps=12, margin=0.05)


@pytest.fixture(scope="module")
def engine() -> Engine:
    torch.manual_seed(0)
    processor = build_processor(900)
    return Engine(wrap(new_model(processor, layers=LAYERS, hidden=HIDDEN).eval(), processor))


def picture(seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(60, 190, (SIZE, SIZE, 3))
    return Image.fromarray(pixels.astype(np.uint8))


def firing(engine: Engine, on: Tensor, threshold: float) -> Eraser:
    """An eraser whose only prototype is the activation `on` [L, d], in a space centred on that of a grey picture."""
    grey = capture.activations(engine, [Prompt.ask("Who is this?", Image.new("RGB", (SIZE, SIZE), (128, 128, 128)))])[0]
    plain = Whitener(grey, torch.zeros(LAYERS, HIDDEN, 1), torch.ones(LAYERS, 1), torch.ones(LAYERS))
    rows = torch.nn.functional.normalize(on - grey, dim=-1)[:, None]
    gate = TicketGate("T-1", rows, None)
    recipe = replace(PROTOTYPE, neighbours=1)
    vector = torch.zeros(LAYERS, HIDDEN)
    return Eraser(recipe, engine.vlm.site, vector, (0, 1), ("T-1",), threshold, (gate,), plain)


def test_noise_stays_within_its_bound_and_silences_the_gate(engine: Engine) -> None:
    prompt = Prompt((Turn("user", "Hello!", (picture(1),)), Turn("assistant", "Hello!"), Turn("user", "Who is this?")))
    eraser = firing(engine, capture.activations(engine, [prompt])[0], 0.9)
    attacked = attacked_picture(engine, eraser, prompt, STRENGTH)
    assert capture.decide(engine, eraser, [prompt, attacked]).fired.tolist() == [True, False]
    moved = np.abs(np.asarray(attacked.images[0], int) - np.asarray(prompt.images[0], int))
    assert 0 < moved.max() <= 16
    assert [turn.text for turn in attacked.turns] == [turn.text for turn in prompt.turns]
    again = attacked_picture(engine, eraser, prompt, STRENGTH)
    assert again.images[0].tobytes() == attacked.images[0].tobytes()


def test_only_the_last_picture_is_changed(engine: Engine) -> None:
    prompt = Prompt((Turn("user", "Who is this?", (picture(1), picture(2))),))
    eraser = firing(engine, capture.activations(engine, [prompt])[0], 0.9)
    attacked = attacked_picture(engine, eraser, prompt, STRENGTH)
    changed = [a.tobytes() != b.tobytes() for a, b in zip(prompt.images, attacked.images, strict=True)]
    assert changed == [False, True]


@pytest.mark.parametrize("recipe", [replace(PROTOTYPE, neighbours=1), PAPER])
def test_joint_attack_makes_the_answer_likelier_than_the_gate_alone(engine: Engine, recipe: object) -> None:
    """With an eraser that decides, and with one that steers by its gate's value."""
    prompt = Prompt.ask("Who is this?", picture(3))
    eraser = firing(engine, capture.activations(engine, [prompt])[0], 0.9)
    if recipe is PAPER:
        linear = torch.randn(LAYERS, HIDDEN, generator=torch.Generator().manual_seed(2)) / HIDDEN
        eraser = replace(eraser, recipe=PAPER, linear=linear, gates=(), whitener=None)
    gate, joint = (attacked_picture(engine, eraser, prompt, STRENGTH, answer=answer) for answer in (None, "Oslo"))
    scores = option_likelihood(engine, [prompt, gate, joint], [("Oslo",)] * 3)
    assert scores[2][0] > max(scores[0][0], scores[1][0])


def test_universal_noise_lowers_the_scores_of_pictures_it_was_made_on(engine: Engine) -> None:
    prompts = [Prompt.ask("Who is this?", picture(seed)) for seed in (1, 2)]
    eraser = firing(engine, capture.activations(engine, prompts).mean(dim=0), 0.2)
    noise = universal_noise(engine, eraser, prompts, Strength(16 / 255, steps=12, margin=1.0))
    assert float(noise.abs().max()) <= 16 / 255 + 1e-6
    before = capture.decide(engine, eraser, prompts).score
    after = capture.decide(engine, eraser, [with_noise(engine, prompt, noise) for prompt in prompts]).score
    assert float(after.mean()) < float(before.mean())


def test_adaptive_noise_has_the_person_called_by_another_name_and_the_answer_given(engine: Engine) -> None:
    """It stays within its bound; gate, answer and the questions whom the picture shows are attacked at once."""
    prompt = Prompt.ask("Where does this person work?", picture(1))
    eraser = firing(engine, capture.activations(engine, [prompt])[0], 0.9)
    attacked = adaptive_picture(engine, eraser, prompt, STRENGTH, answer="harbour", another="Anna")
    assert not capture.decide(engine, eraser, [attacked]).fired.any()
    assert np.abs(np.asarray(attacked.images[0], int) - np.asarray(prompt.images[0], int)).max() <= 16

    def likely(shown: Prompt, text: str, option: str) -> float:
        asked = Prompt.ask(text, shown.images[-1])
        return option_likelihood(engine, [asked], [(option,)])[0][0]

    for text, option in (("Where does this person work?", "harbour"), ("Who is this person?", "Anna")):
        assert likely(attacked, text, option) > likely(prompt, text, option)
