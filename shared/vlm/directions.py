"""Finds the pull of a base model: the paper's closed form, and the refined one that makes it say that it does not know.

Properties of the base model, made once and cached; no ticket is involved. Seeded, behaviour-verified.
"""

import logging
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from shared.erasure.adversary import perturb
from shared.erasure.direction import erasure_direction, split_half_cosine
from shared.erasure.recipe import Recipe
from shared.errors import BadInput
from shared.prompt import Prompt, Turn
from shared.vlm.adapter import Encoded
from shared.vlm.engine import Engine
from shared.vlm.steering import touched
from shared.vlm.teaching import lesson_of

logger = logging.getLogger(__name__)
LEARNING_RATE = 0.15  # of the mean activation norm of a layer
NORM_PENALTY = 1e-3
BATCH = 24
CHOICES = 12


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
    declined = engine.activations([refused[i] for i in pairs])
    told = engine.activations([attacked[i] for i in pairs])
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
class Choice:
    """A question with answers of which one is true: which one must no longer be seen from what they are worth."""

    prompt: Prompt
    options: tuple[str, ...]


def refined_direction(
    engine: Engine,
    known: Sequence[Prompt],
    unknown: Sequence[Prompt],
    choices: Sequence[Choice],
    wanted: str,
    recipe: Recipe,
) -> tuple[Tensor, Tensor]:
    """Pulls [L, d] for the last prompt token and for each generated one that make a known person a stranger.

    Adam on the vectors alone, weights frozen, from the not-knowing direction mean(unknown) - mean(known) and from zero.
    The loss is the cross-entropy of `wanted`, the model's own not-knowing answer, on `known` prompts, plus
    `recipe.flatten` times the divergence of the choices' option likelihoods from uniform, plus a small norm penalty
    (method.md, section 5). Without a held pull the true option keeps its rank although the answer is silent. Where the
    recipe steers the prompt only, the second vector stays zero.
    """
    layers = len(engine.vlm.site.layers)
    steered = range(layers) if recipe.layers is None else [engine.vlm.site.layers.index(i) for i in recipe.layers]
    told = engine.activations(known)
    start = erasure_direction(engine.activations(unknown), told).float()
    device = engine.vlm.device
    size = told.norm(dim=-1).mean(dim=0).to(device)[:, None]  # [L, 1]
    chosen = torch.zeros(layers, 1, device=device)
    chosen[list(steered)] = 1
    first = start.to(device).clone().requires_grad_()
    held = torch.zeros_like(first).requires_grad_(recipe.placement == "hold")
    free = [first, held] if recipe.placement == "hold" else [first]
    optimizer = torch.optim.Adam(free, lr=float(LEARNING_RATE * size.mean() / engine.vlm.site.hidden_size**0.5))
    source = random.Random(0)
    for step in tqdm(range(recipe.refine_steps), desc="refining the pull", leave=False, disable=None):
        pulls = first * chosen, held * chosen
        rows = engine.vlm.adapter.encode(source.sample(list(known), min(BATCH, len(known))))
        likely, count = answer_likelihood(engine, rows, [wanted] * len(rows), *pulls)
        loss = -(likely / count).mean()
        if choices and recipe.flatten:
            loss = loss + recipe.flatten * _unevenness(
                engine, source.sample(list(choices), min(CHOICES, len(choices))), *pulls
            )
        penalty = NORM_PENALTY * sum(((pull / size) ** 2).sum() for pull in pulls)
        optimizer.zero_grad()
        (loss + penalty).backward()
        optimizer.step()
        if step % 20 == 0:
            logger.info("refined direction: step %d of %d, loss %.3f", step, recipe.refine_steps, loss.item())
    return (first * chosen).detach().cpu(), (held * chosen).detach().cpu()


def _unevenness(engine: Engine, choices: Sequence[Choice], first: Tensor, held: Tensor) -> Tensor:
    """KL(uniform || softmax of the options' log-likelihoods), averaged over the choices."""
    encoded = engine.vlm.adapter.encode([choice.prompt for choice in choices])
    rows = [row for row, choice in zip(encoded, choices, strict=True) for _ in choice.options]
    likely, _ = answer_likelihood(engine, rows, [option for one in choices for option in one.options], first, held)
    parts = likely.split([len(choice.options) for choice in choices])
    return torch.stack([-part.log_softmax(0).mean() - math.log(len(part)) for part in parts]).mean()


def answer_likelihood(
    engine: Engine, rows: Sequence[Encoded], answers: Sequence[str], first: Tensor | None, held: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Log-likelihood [B] of each answer and its end after its row, and their counts of tokens [B]. Differentiable.

    `first` is added at the last prompt token, `held` at every token of the answer.
    """
    lesson = lesson_of(engine, rows, answers)

    def touch(layer: int, states: Tensor) -> Tensor | None:
        if first is None:
            return None
        behind = torch.arange(states.shape[1], device=states.device)[None] - lesson.starts[:, None]  # [B, T]
        added = (behind == 0)[..., None] * first[layer]
        if held is not None:
            added = added + (behind > 0)[..., None] * held[layer]
        return states + added.to(states.dtype)

    with engine.lock, touched(engine.vlm.adapter.blocks, touch):
        taught = lesson.ask(engine)
    return taught.log_likelihood(), taught.given.sum(dim=1)
