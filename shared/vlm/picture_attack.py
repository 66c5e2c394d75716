"""White-box attacks: noise on a picture against the gate, and against gate and answer together, by PGD.

The attacker knows weights and eraser. Against the gate alone nothing of the person has to be known: the score is
pressed down, and the model then answers by itself. With `answer` the noise also makes that answer likely, which proves
something only beside controls, whose pictures are made to say the same. With an eraser that steers while it reads, the
steered model is attacked as it is.

The adaptive attack knows the whole decision: both readers of pictures, the joint evidence of a near picture and an
answer that tells, and the questions whom a picture shows, which it has answered with another name. Its noise has to
hold for another crop in each step (expectation over transformations, Athalye et al. 2018).
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from PIL import Image
from torch import Tensor

from shared.domain.prompts import Prompt, Turn
from shared.erasure.eraser import Eraser
from shared.erasure.gates.identity import EMBEDDED, PICTURE, embedded_portraits, portrait_cosines
from shared.erasure.pgd import Loss, perturb
from shared.vlm.adapters.base import Encoded
from shared.vlm.engine import Engine
from shared.vlm.hooks import GatedSteering, hooked, leave_unchanged
from shared.vlm.readouts import CaptureReadout
from shared.vlm.second_pass import WHO
from shared.vlm.teacher_forcing import batch_of_encoded

GREY: Final = 0.5
CROP: Final = 0.04  # of a side, at most, that a random crop takes away at each edge
REACH: Final = 2.5  # how often the radius of the ball is walked through (Madry et al. 2018)


@dataclass(frozen=True)
class Strength:
    """`epsilon` (l_inf, of pixels 0..1) in `steps`. `margin`: how far below its threshold a score is pressed.

    Scores are cosines less thresholds, so a margin of 0.5 also leaves lower thresholds behind.
    """

    epsilon: float
    steps: int = 40
    margin: float = 0.5
    gate_weight: float = 10.0  # against nats of an answer: the gate comes first


def attacked_picture(
    engine: Engine, eraser: Eraser, prompt: Prompt, strength: Strength, *, answer: str | None = None
) -> Prompt:
    """The prompt with its last picture perturbed so that `eraser` does not fire, and `answer`, if given, is likely.

    The picture comes back with whole pixel values, at the size that the model sees. Deterministic.
    """
    noisy = _perturbed(engine, eraser, [prompt], strength, answer=answer)
    return _with_picture(prompt, noisy[0])


def adaptive_picture(
    engine: Engine, eraser: Eraser, prompt: Prompt, strength: Strength, *, answer: str, another: str, seed: int = 0
) -> Prompt:
    """The prompt with its last picture perturbed so that neither reader fires, `answer` is likely, and the questions
    whom the picture shows are answered with the name `another`. Deterministic."""
    (row,) = engine.vlm.adapter.encode([prompt])
    rng = random.Random(seed)
    photo = prompt.images[-1]
    who = engine.vlm.adapter.encode([Prompt.ask(question, photo) for question in WHO])

    def loss(pixels: Tensor) -> Tensor:
        picture = _cropped(pixels[0], rng)
        shown = _shown(engine, row, picture)
        asked = [_shown(engine, each, picture) for each in who]
        named = torch.stack([_answer_loss(engine, eraser, each, another) for each in asked]).mean()
        return _gate_loss(engine, eraser, shown, strength) + _answer_loss(engine, eraser, shown, answer) + named

    clean = engine.vlm.adapter.images(row)[-1].to(engine.vlm.device)[None]
    return _with_picture(prompt, _descend(engine, clean, loss, strength)[0])


def _cropped(picture: Tensor, rng: random.Random) -> Tensor:
    """A random crop [3, H, W] of the picture, at its size again."""
    height, width = picture.shape[1:]
    top, bottom, left, right = (rng.randint(0, max(1, round(CROP * side))) for side in (height, height, width, width))
    inner = picture[:, top : height - bottom, left : width - right]
    resized = torch.nn.functional.interpolate(inner[None], (height, width), mode="bilinear", align_corners=False)
    return resized[0].clamp(0, 1)


def universal_noise(engine: Engine, eraser: Eraser, prompts: Sequence[Prompt], strength: Strength) -> Tensor:
    """One noise [3, H, W] within `epsilon` that presses down the scores of all `prompts`, whose pictures have one size.

    For pictures that were not among them: `with_noise`.
    """
    rows = engine.vlm.adapter.encode(prompts)
    pictures = [engine.vlm.adapter.images(row)[-1].to(engine.vlm.device) for row in rows]

    def loss(canvas: Tensor) -> Tensor:
        noise = canvas[0] - GREY
        losses = [
            _gate_loss(engine, eraser, _shown(engine, row, (picture + noise).clamp(0, 1)), strength)
            for row, picture in zip(rows, pictures, strict=True)
        ]
        return torch.stack(losses).mean()

    canvas = torch.full_like(pictures[0], GREY)[None]
    return _descend(engine, canvas, loss, strength)[0] - GREY


def with_noise(engine: Engine, prompt: Prompt, noise: Tensor) -> Prompt:
    """The prompt with `noise` [3, H, W] added to its last picture."""
    (row,) = engine.vlm.adapter.encode([prompt])
    picture = engine.vlm.adapter.images(row)[-1]
    return _with_picture(prompt, (picture + noise.to(picture)).clamp(0, 1))


def _perturbed(
    engine: Engine, eraser: Eraser, prompts: Sequence[Prompt], strength: Strength, *, answer: str | None
) -> list[Tensor]:
    noisy = []
    for row in engine.vlm.adapter.encode(prompts):

        def loss(pixels: Tensor, row: Encoded = row) -> Tensor:
            shown = _shown(engine, row, pixels[0])
            value = _gate_loss(engine, eraser, shown, strength)
            if answer is not None:
                value = value + _answer_loss(engine, eraser, shown, answer)
            return value

        clean = engine.vlm.adapter.images(row)[-1].to(engine.vlm.device)[None]
        noisy.append(_descend(engine, clean, loss, strength)[0])
    return noisy


def _descend(engine: Engine, clean: Tensor, loss: Loss, strength: Strength) -> Tensor:
    size = REACH * strength.epsilon / max(strength.steps, 1)
    with engine.lock:
        return perturb(clean, loss, epsilon=strength.epsilon, steps=strength.steps, step_size=size)


def _gate_loss(engine: Engine, eraser: Eraser, shown: Encoded, strength: Strength) -> Tensor:
    """How far the highest score stands above the margin below its threshold, weighted.

    Where the eraser steers by its gate's value instead of deciding, that value is brought to 0.
    """
    layers = eraser.gated or None
    blocks = engine.blocks_at(layers)
    capture = CaptureReadout(engine.vlm.adapter, [shown], len(blocks))
    with hooked(blocks, capture):
        engine.vlm.model(**engine.vlm.adapter.inputs([shown]), use_cache=False, logits_to_keep=1)
    readout = capture.readout(layers)
    if eraser.identity is not None:
        gate = eraser.identity
        scores = gate.portrait_scores(readout.at(eraser.gated).pictures.rows) - gate.thresholds[:, PICTURE]
        above = (scores + strength.margin).relu().amax()
        if readout.embedded is not None and gate.spaces.embedded is not None:
            own = portrait_cosines(embedded_portraits(gate.fits), gate.spaces.embedded(readout.embedded.rows))
            above = above + (own - gate.thresholds[:, EMBEDDED] + strength.margin).relu().amax()
    elif eraser.recipe.decides:
        above = (eraser.decide(readout).score - eraser.threshold + strength.margin).relu().sum()
    else:
        above = eraser.decide(readout).score.abs().sum()
    return strength.gate_weight * above


def _answer_loss(engine: Engine, eraser: Eraser, shown: Encoded, answer: str) -> Tensor:
    """The mean negative log-likelihood of the answer's tokens, steered where the eraser steers while it reads."""
    batch = batch_of_encoded(engine, [shown], [answer])
    if eraser.recipe.decides or eraser.is_empty:
        with hooked([], leave_unchanged):
            return batch.forward(engine).nll()
    steering = GatedSteering(eraser.steering_vector().to(engine.vlm.device), eraser.gate_at)
    with hooked(engine.vlm.adapter.blocks, steering):
        return batch.forward(engine).nll()


def _shown(engine: Engine, row: Encoded, picture: Tensor) -> Encoded:
    before = [each.to(engine.vlm.device) for each in engine.vlm.adapter.images(row)[:-1]]
    return engine.vlm.adapter.with_images(row, [*before, picture])


def _with_picture(prompt: Prompt, pixels: Tensor) -> Prompt:
    """The prompt with other pixels [3, H, W] in its last picture."""
    image = Image.fromarray((pixels.detach().permute(1, 2, 0) * 255).round().byte().cpu().numpy())
    place = max(place for place, turn in enumerate(prompt.turns) if turn.images)
    turn = prompt.turns[place]
    changed = Turn(turn.role, turn.text, (*turn.images[:-1], image))
    return Prompt((*prompt.turns[:place], changed, *prompt.turns[place + 1 :]))
