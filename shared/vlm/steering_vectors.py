"""Finds the pull of a base model: the paper's closed form, and the refined one that makes it say that it does not know.

Properties of the base model, made once and cached; no ticket is involved. Seeded, behaviour-verified.
"""

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from shared.domain.prompts import Prompt, Turn
from shared.erasure.directions import erasure_direction, split_half_cosine
from shared.erasure.pgd import perturb
from shared.erasure.recipe import Recipe
from shared.errors import BadInput
from shared.vlm import capture
from shared.vlm.adapters.base import Encoded
from shared.vlm.engine import Engine
from shared.vlm.hooks import hooked
from shared.vlm.teacher_forcing import TeacherForcedOutput, batch_of_encoded

logger = logging.getLogger(__name__)
LEARNING_RATE: Final = 0.06  # of the mean activation norm of a layer
LAST_RATE: Final = 0.1  # of the first one
NORM_PENALTY: Final = 1e-4
BATCH: Final = 32
WANTED_SHARE: Final = 0.4  # of the answers that are taught are the not-knowing one
ODDS: Final = 3.0  # its log odds count so much more than a nat
CERTAIN: Final = 1e-6


def closed_form_direction(
    engine: Engine,
    refused: Sequence[Prompt],
    jailbroken: Sequence[Prompt],
    recipe: Recipe,
    *,
    refusal: str,
    compliance: str,
) -> Tensor:
    """Equation 7 on verified pairs, [L, d]: mean(refused) - mean(answered under jailbreak and PGD picture).

    `refusal` is how a refusal reads and `compliance` the corpus that PGD aims at (equation 6). Pairs that do not behave
    are dropped and counted; raises BadInput where none is left.
    """
    attacked = _attacked(engine, jailbroken, recipe, compliance)
    positive = [a.text == refusal for a in engine.generate(refused)]
    negative = [a.text != refusal for a in engine.generate(attacked)]
    pairs = [i for i, both in enumerate(zip(positive, negative, strict=True)) if all(both)]
    logger.info("erasure direction: %d of %d pairs behave as they should", len(pairs), len(positive))
    if not any(positive):
        raise BadInput("No direction can be made: the model refuses nothing, so there is no refusal to pull towards.")
    if not any(negative):
        raise BadInput("No direction can be made: the model refuses everything, under every jailbreak too.")
    if not pairs:
        raise BadInput("No direction can be made: no pair is refused when asked and answered under its jailbreak.")
    declined = capture.activations(engine, [refused[i] for i in pairs])
    told = capture.activations(engine, [attacked[i] for i in pairs])
    cosines = split_half_cosine(declined, told) if len(pairs) > 1 else torch.ones(1)
    logger.info("split-half cosine by layer: %s", " ".join(f"{c:.2f}" for c in cosines.tolist()))
    return erasure_direction(declined, told).float()


def _attacked(engine: Engine, prompts: Sequence[Prompt], recipe: Recipe, compliance: str) -> list[Prompt]:
    """The same prompts with the last picture of the last turn perturbed by PGD."""
    adapter = engine.vlm.adapter
    moved: list[Prompt] = []
    for prompt in prompts:
        (row,) = adapter.encode([prompt])
        if not prompt.turns[-1].images:
            moved.append(prompt)
            continue
        *before, clean = [picture.to(engine.vlm.device)[None] for picture in adapter.images(row)]

        def loss(pixels: Tensor, row: Encoded = row, before: Sequence[Tensor] = before) -> Tensor:
            shown = adapter.with_images(row, [*(one[0] for one in before), pixels[0]])
            likely, count = answer_likelihood(engine, [shown], [compliance], None, None)
            return -(likely / count).mean()

        size = 2.5 * recipe.epsilon / max(recipe.pgd_steps, 1)  # Madry et al.; 2/255 for the paper's ε in 20 steps
        pixels = perturb(clean, loss, epsilon=recipe.epsilon, steps=recipe.pgd_steps, step_size=size)
        image = Image.fromarray((pixels[0].permute(1, 2, 0) * 255).round().byte().cpu().numpy())
        last = prompt.turns[-1]
        moved.append(Prompt((*prompt.turns[:-1], Turn(last.role, last.text, (*last.images[:-1], image)))))
    return moved


@dataclass(frozen=True)
class ContrastPair:
    """One question about somebody known, and the same about a stranger; `answers` are worth comparing.

    `known` is encoded as it is asked once it has fired: with nobody in the person's place where the recipe is blind.
    """

    known: Encoded
    unknown: Encoded
    answers: tuple[str, ...]


def train_steering_vectors(
    engine: Engine,
    start: Tensor,
    size: Tensor,
    swaps: Sequence[ContrastPair],
    wanted: str,
    recipe: Recipe,
    count: Callable[[int, int], None] | None = None,
) -> tuple[Tensor, Tensor]:
    """Pulls [L, d] for the last prompt token and for each generated one that make a known person a stranger.

    Distillation (Hinton et al. 2015) of the model's own answer to a stranger into two vectors: Adam on them alone,
    weights frozen, from `start` (not-knowing, mean(unknown) - mean(known)) and from zero; `size` [L] is the length of
    an activation. For an answer a (the not-knowing one, `wanted`, or one of the swap's), p of a stranger and q steered,
    the loss is KL(p, q) of the next tokens along a, plus `recipe.match` times the square of log p(a) - log q(a) (of the
    log odds for `wanted`), plus a small norm penalty (method.md). Where the recipe steers the prompt only, the second
    vector stays zero. `count` is called with (steps done, steps).
    """
    layers = len(engine.vlm.site.layers)
    steered = range(layers) if recipe.layers is None else [engine.vlm.site.layers.index(i) for i in recipe.layers]
    device = engine.vlm.device
    length = size.to(device)[:, None]
    chosen = torch.zeros(layers, 1, device=device)
    chosen[list(steered)] = 1
    first = start.to(device).clone().requires_grad_()
    held = torch.zeros_like(first).requires_grad_(recipe.placement == "hold")
    free = [first, held] if recipe.placement == "hold" else [first]
    optimizer = torch.optim.Adam(free, lr=float(LEARNING_RATE * size.mean() / engine.vlm.site.hidden_size**0.5))
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimizer, max(1, recipe.refine_steps), eta_min=optimizer.param_groups[0]["lr"] * LAST_RATE
    )
    source = random.Random(0)
    for step in tqdm(range(recipe.refine_steps), desc="refining the pull", leave=False, disable=None):
        pulls = first * chosen, held * chosen
        loss = _difference(engine, source.sample(list(swaps), min(BATCH, len(swaps))), wanted, recipe, source, pulls)
        penalty = NORM_PENALTY * sum(((pull / length) ** 2).sum() for pull in pulls)
        optimizer.zero_grad()
        (loss + penalty).backward()
        optimizer.step()
        slower.step()
        if count is not None:
            count(step + 1, recipe.refine_steps)
        if step % 20 == 0:
            logger.info("refined direction: step %d of %d, loss %.3f", step, recipe.refine_steps, loss.item())
    return (first * chosen).detach().cpu(), (held * chosen).detach().cpu()


def _difference(
    engine: Engine,
    swaps: Sequence[ContrastPair],
    wanted: str,
    recipe: Recipe,
    source: random.Random,
    pulls: tuple[Tensor, Tensor],
) -> Tensor:
    """The loss of `refined_direction` on one batch, each swap with one answer drawn."""
    wants = [not swap.answers or source.random() < WANTED_SHARE for swap in swaps]
    answers = [wanted if want else source.choice(swap.answers) for swap, want in zip(swaps, wants, strict=True)]
    with torch.no_grad():
        stranger = batch_of_encoded(engine, [swap.unknown for swap in swaps], answers).forward(engine)
    steered = _taught(engine, [swap.known for swap in swaps], answers, *pulls)
    p, q = (one.logits.log_softmax(-1)[steered.answer_mask] for one in (stranger, steered))
    likely = [one.log_likelihood() for one in (stranger, steered)]
    told = torch.tensor(wants, device=likely[0].device)
    values = [torch.where(told, ODDS * _log_odds(one), one) for one in likely]
    divergence = (p.exp() * (p - q)).sum(dim=-1).mean()
    return divergence + recipe.match * (values[0] - values[1]).square().mean()


def _log_odds(likely: Tensor) -> Tensor:
    """log(P / (1 - P)) of log P, bounded so that near certainty has a slope: float64 inside."""
    return likely.double().exp().clamp(CERTAIN, 1 - CERTAIN).logit().to(likely.dtype)


def answer_likelihood(
    engine: Engine, rows: Sequence[Encoded], answers: Sequence[str], first: Tensor | None, held: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Log-likelihood [B] of each answer and its end after its row, and their counts of tokens [B]. Differentiable.

    `first` is added at the last prompt token, `held` at every token of the answer.
    """
    taught = _taught(engine, rows, answers, first, held)
    return taught.log_likelihood(), taught.answer_mask.sum(dim=1)


def _taught(
    engine: Engine, rows: Sequence[Encoded], answers: Sequence[str], first: Tensor | None, held: Tensor | None
) -> TeacherForcedOutput:
    batch = batch_of_encoded(engine, rows, answers)

    def touch(layer: int, states: Tensor) -> Tensor | None:
        if first is None:
            return None
        columns = torch.arange(states.shape[1], device=states.device)[None]
        behind = columns - batch.last_prompt_token[:, None]  # [B, T]
        added = (behind == 0)[..., None] * first[layer]
        if held is not None:
            added = added + (behind > 0)[..., None] * held[layer]
        return states + added.to(states.dtype)

    with engine.lock, hooked(engine.vlm.adapter.blocks, touch):
        return batch.forward(engine)
