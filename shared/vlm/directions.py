"""Finds the pull of a base model: the paper's closed form, and the refined one that makes it say that it does not know.

Properties of the base model, made once and cached; no ticket is involved. Seeded, behaviour-verified.
"""

import logging
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from shared.erasure.adversary import perturb
from shared.erasure.direction import erasure_direction, split_half_cosine
from shared.erasure.recipe import Recipe
from shared.errors import BadInput
from shared.prompt import Prompt, Turn
from shared.vlm.adapter import Encoded
from shared.vlm.engine import Engine
from shared.vlm.steering import touched

logger = logging.getLogger(__name__)
LEARNING_RATE = 0.05  # of the mean activation norm of a layer
NORM_PENALTY = 1e-3
BATCH = 32


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
    if not pairs:
        raise BadInput("No pair behaves as it should: the model refuses nothing, or no jailbreak works on it.")
    declined = engine.activations([refused[i] for i in pairs])
    told = engine.activations([attacked[i] for i in pairs])
    cosines = split_half_cosine(declined, told) if len(pairs) > 1 else torch.ones(1)
    logger.info("split-half cosine by layer: %s", " ".join(f"{c:.2f}" for c in cosines.tolist()))
    return erasure_direction(declined, told).float()


def _attacked(engine: Engine, prompts: Sequence[Prompt], recipe: Recipe, compliance: str) -> list[Prompt]:
    """The same prompts with PGD-perturbed pictures."""
    adapter = engine.vlm.adapter
    moved: list[Prompt] = []
    for prompt in prompts:
        (row,) = adapter.encode([prompt])
        if row.pixels is None:
            moved.append(prompt)
            continue
        clean = adapter.denormalise(row.pixels.to(engine.vlm.device).float())

        def loss(pixels: Tensor, row: Encoded = row) -> Tensor:
            return _answer_loss(engine, [Encoded(row.ids, adapter.normalise(pixels))], compliance, None)

        pixels = perturb(clean, loss, epsilon=recipe.epsilon, steps=recipe.pgd_steps)
        image = Image.fromarray((pixels[0].permute(1, 2, 0) * 255).round().byte().cpu().numpy())
        last = prompt.turns[-1]
        moved.append(Prompt((*prompt.turns[:-1], Turn(last.role, last.text, (image,)))))
    return moved


def refined_direction(
    engine: Engine, known: Sequence[Prompt], unknown: Sequence[Prompt], wanted: str, recipe: Recipe
) -> Tensor:
    """Vectors [L, d] that, added at the last prompt token, make the model say `wanted` of people it knows.

    Starts from the not-knowing direction, mean(unknown) - mean(known), and takes `recipe.refine_steps` Adam steps on
    the vectors alone with a small norm penalty (method.md, section 5).
    """
    layers = len(engine.vlm.site.layers)
    steered = range(layers) if recipe.layers is None else [engine.vlm.site.layers.index(i) for i in recipe.layers]
    told = engine.activations(known)
    start = erasure_direction(engine.activations(unknown), told).float()
    size = told.norm(dim=-1).mean(dim=0)  # [L]
    pull = start.to(engine.vlm.device).clone().requires_grad_()
    scale = size.to(engine.vlm.device)[:, None]
    chosen = torch.zeros(layers, 1, device=engine.vlm.device)
    chosen[list(steered)] = 1
    optimizer = torch.optim.Adam([pull], lr=float(LEARNING_RATE * size.mean() / engine.vlm.site.hidden_size**0.5))
    batches = [rows for _, rows in engine.batches(known)]
    batches = [rows[at : at + BATCH] for rows in batches for at in range(0, len(rows), BATCH)]
    for step in range(recipe.refine_steps):
        rows = batches[step % len(batches)]
        loss = _answer_loss(engine, rows, wanted, pull * chosen)
        penalty = NORM_PENALTY * ((pull * chosen / scale) ** 2).sum()
        optimizer.zero_grad()
        (loss + penalty).backward()
        optimizer.step()
        if step % 10 == 0:
            logger.info("refined direction: step %d, loss %.3f", step, loss.item())
    return (pull * chosen).detach().cpu()


def _answer_loss(engine: Engine, rows: Sequence[Encoded], answer: str, pull: Tensor | None) -> Tensor:
    """Cross-entropy of `answer` and its end after `rows`, with `pull` at the last prompt token. Differentiable."""
    vlm: Any = engine.vlm
    ends = vlm.model.generation_config.eos_token_id
    end = ends[0] if isinstance(ends, list) else ends
    words = torch.tensor([*vlm.tokenizer.encode(answer, add_special_tokens=False), end], device=vlm.device)
    inputs = engine.inputs(rows)
    length = inputs["input_ids"].shape[1]
    wanted = words.expand(len(rows), -1)
    inputs["input_ids"] = torch.cat([inputs["input_ids"], wanted[:, :-1]], dim=1)
    if "attention_mask" in inputs:
        mask = torch.cat([inputs["attention_mask"], torch.ones_like(wanted[:, :-1])], dim=1)
        inputs |= {"attention_mask": mask, "position_ids": (mask.cumsum(dim=1) - 1).clamp(min=0)}

    def touch(layer: int, states: Tensor) -> Tensor | None:
        if pull is None:
            return None
        added = torch.zeros_like(states)
        added[:, length - 1] = pull[layer].to(states.dtype)
        return states + added

    with engine.lock, touched(vlm.adapter.blocks, touch):
        logits = vlm.model(**inputs, use_cache=False).logits[:, length - 1 :]
    return F.cross_entropy(logits.flatten(0, 1).float(), wanted.flatten())
