"""Computes a base model's steering vectors: the paper's closed form, or trained ones that make it not know a person.

They are properties of the base model, computed once and cached; no ticket is involved. Seeded, verified by behaviour.
"""

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

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
LAST_RATE: Final = 0.1  # of the first learning rate
NORM_PENALTY: Final = 1e-4
BATCH: Final = 32
SENTENCE_BATCH: Final = 8  # one sentence is learnt from few prompts a step
SENTENCE_STEPS: Final = 40  # and in few steps: 30 to 50 taught it to a language model of 135 M (method.md, section 5)
TARGET_SHARE: Final = 0.4  # of the answers in training are the not-knowing one
ODDS_WEIGHT: Final = 3.0  # a nat of its log odds counts as much as so many nats of another answer
MIN_PROBABILITY: Final = 1e-6  # log odds are bounded there, so that near certainty has a gradient


def closed_form_direction(
    engine: Engine,
    refused: Sequence[Prompt],
    jailbroken: Sequence[Prompt],
    recipe: Recipe,
    *,
    declines: Callable[[str], bool],
    compliance: str,
) -> Tensor:
    """The paper's equation 7 on verified pairs, [L, d]: mean(refused) - mean(answered under jailbreak and PGD picture).

    `declines` says whether an answer refuses, and `compliance` is the text that PGD makes likely (equation 6). A pair
    counts where the request is refused plainly and answered under the jailbreak; raises BadInput where no pair does.
    """
    attacked = attack_pictures(engine, jailbroken, recipe, compliance)
    refuses = [declines(answer.text) for answer in engine.generate(refused)]
    answers = [not declines(answer.text) for answer in engine.generate(attacked)]
    pairs = [i for i, both in enumerate(zip(refuses, answers, strict=True)) if all(both)]
    logger.info("erasure direction: %d of %d pairs behave as they should", len(pairs), len(refuses))
    if not any(refuses):
        raise BadInput(
            "No direction can be computed: the model refuses nothing, so there is no refusal to steer towards."
        )
    if not any(answers):
        raise BadInput("No direction can be computed: the model refuses everything, under every jailbreak too.")
    if not pairs:
        raise BadInput(
            "No direction can be computed: no request is both refused plainly and answered under its jailbreak."
        )
    declined = capture.activations(engine, [refused[i] for i in pairs])
    answered = capture.activations(engine, [attacked[i] for i in pairs])
    cosines = split_half_cosine(declined, answered) if len(pairs) > 1 else torch.ones(1)
    logger.info("split-half cosine by layer: %s", " ".join(f"{c:.2f}" for c in cosines.tolist()))
    return erasure_direction(declined, answered).float()


def attack_pictures(engine: Engine, prompts: Sequence[Prompt], recipe: Recipe, compliance: str) -> list[Prompt]:
    """The same prompts with the last picture of the last turn perturbed by PGD, so that `compliance` becomes likely."""
    adapter = engine.vlm.adapter
    attacked: list[Prompt] = []
    for prompt in prompts:
        (row,) = adapter.encode([prompt])
        if not prompt.turns[-1].images:
            attacked.append(prompt)
            continue
        *before, clean = [picture.to(engine.vlm.device)[None] for picture in adapter.images(row)]

        def loss(pixels: Tensor, row: Encoded = row, before: Sequence[Tensor] = before) -> Tensor:
            shown = adapter.with_images(row, [*(picture[0] for picture in before), pixels[0]])
            likely, count = answer_likelihood(engine, [shown], [compliance], None, None)
            return -(likely / count).mean()

        size = 2.5 * recipe.epsilon / max(recipe.pgd_steps, 1)  # Madry et al. 2018; 2/255 for the paper's ε in 20 steps
        pixels = perturb(clean, loss, epsilon=recipe.epsilon, steps=recipe.pgd_steps, step_size=size)
        image = Image.fromarray((pixels[0].permute(1, 2, 0) * 255).round().byte().cpu().numpy())
        last = prompt.turns[-1]
        attacked.append(Prompt((*prompt.turns[:-1], Turn(last.role, last.text, (*last.images[:-1], image)))))
    return attacked


class TrainedVectors(NamedTuple):
    """What to add at the last prompt token and at each generated token, [L, d]; the second is zero unless trained."""

    last_token: Tensor
    decode_time: Tensor


@dataclass(frozen=True)
class ContrastPair:
    """One question about a known person and the same about a stranger, and the `answers` to compare them on.

    `known` is encoded as the second pass reads it: with a placeholder in the person's place where the recipe redacts.
    """

    known: Encoded
    unknown: Encoded
    answers: tuple[str, ...]


def train_steering_vectors(
    engine: Engine,
    start: Tensor,
    size: Tensor,
    pairs: Sequence[ContrastPair],
    target: str,
    recipe: Recipe,
    count: Callable[[int, int], None] | None = None,
) -> TrainedVectors:
    """Steering vectors that make the model answer about a known person as it answers about a stranger.

    Distillation (Hinton et al. 2015) of the model's own answers about strangers into two vectors. Adam (Kingma and Ba
    2015) on them alone, the weights frozen, from `start` [L, d] = mean(unknown) - mean(known) and from zero. `size` [L]
    is the mean norm of an activation.

    Let a be an answer (the not-knowing one, `target`, or one of the pair's), p its distribution about the stranger and
    q about the known person, steered. The loss of a pair is KL(p, q), averaged over the tokens of a, plus
    `recipe.match` times (log p(a) - log q(a))², where log odds replace the logarithms for `target`, plus NORM_PENALTY
    times the squared norms in units of `size`. Where the recipe steers the prompt only, the second vector stays zero.
    `count` is called with the steps done and the steps in all.
    """
    source = random.Random(0)

    def loss(vectors: TrainedVectors) -> Tensor:
        batch = source.sample(list(pairs), min(BATCH, len(pairs)))
        return _distillation_loss(engine, batch, target, recipe, source, vectors)

    return _minimise(engine, start, size, recipe, loss, count)


def train_towards_sentence(
    engine: Engine,
    size: Tensor,
    prompts: Sequence[Encoded],
    sentence: str,
    recipe: Recipe,
    count: Callable[[int, int], None] | None = None,
) -> TrainedVectors:
    """Steering vectors that make the model answer `prompts` with `sentence`, for a model that has no such answer.

    A model that invents facts about strangers cannot teach what not knowing looks like. The sentence is then the
    operator's, and the loss is its mean negative log-likelihood per token over the prompts as the second pass reads
    them. Everything else is as in `train_steering_vectors`, from zero. `size` [L] is the mean norm of an activation.
    """
    source = random.Random(0)

    def loss(vectors: TrainedVectors) -> Tensor:
        batch = source.sample(list(prompts), min(SENTENCE_BATCH, len(prompts)))
        return _forward(engine, batch, [sentence] * len(batch), *vectors).nll()

    few = replace(recipe, refine_steps=min(recipe.refine_steps, SENTENCE_STEPS))
    return _minimise(engine, torch.zeros(len(size), engine.vlm.site.hidden_size), size, few, loss, count)


def _minimise(
    engine: Engine,
    start: Tensor,
    size: Tensor,
    recipe: Recipe,
    loss_of: Callable[["TrainedVectors"], Tensor],
    count: Callable[[int, int], None] | None,
) -> TrainedVectors:
    """Adam on the two vectors, the first from `start` [L, d], the second from zero; see `train_steering_vectors`."""
    layers = len(engine.vlm.site.layers)
    steered = range(layers) if recipe.layers is None else [engine.vlm.site.layers.index(i) for i in recipe.layers]
    device = engine.vlm.device
    length = size.to(device)[:, None]
    mask = torch.zeros(layers, 1, device=device)
    mask[list(steered)] = 1
    first = start.to(device).clone().requires_grad_()
    decode = torch.zeros_like(first).requires_grad_(recipe.placement == "hold")
    free = [first, decode] if recipe.placement == "hold" else [first]
    optimizer = torch.optim.Adam(free, lr=float(LEARNING_RATE * size.mean() / engine.vlm.site.hidden_size**0.5))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimizer, max(1, recipe.refine_steps), eta_min=optimizer.param_groups[0]["lr"] * LAST_RATE
    )
    for step in tqdm(range(recipe.refine_steps), desc="training the steering vectors", leave=False, disable=None):
        vectors = TrainedVectors(first * mask, decode * mask)
        loss = loss_of(vectors)
        penalty = NORM_PENALTY * sum(((vector / length) ** 2).sum() for vector in vectors)
        optimizer.zero_grad()
        (loss + penalty).backward()
        optimizer.step()
        schedule.step()
        if count is not None:
            count(step + 1, recipe.refine_steps)
        if step % 20 == 0:
            logger.info("steering vectors: step %d of %d, loss %.3f", step, recipe.refine_steps, loss.item())
    return TrainedVectors((first * mask).detach().cpu(), (decode * mask).detach().cpu())


def _distillation_loss(
    engine: Engine,
    pairs: Sequence[ContrastPair],
    target: str,
    recipe: Recipe,
    source: random.Random,
    vectors: TrainedVectors,
) -> Tensor:
    """The loss of `train_steering_vectors` on one batch, with one answer drawn for each pair."""
    on_target = [not pair.answers or source.random() < TARGET_SHARE for pair in pairs]
    answers = [target if chosen else source.choice(pair.answers) for pair, chosen in zip(pairs, on_target, strict=True)]
    with torch.no_grad():
        stranger = batch_of_encoded(engine, [pair.unknown for pair in pairs], answers).forward(engine)
    steered = _forward(engine, [pair.known for pair in pairs], answers, *vectors)
    p, q = (output.logits.log_softmax(-1)[steered.answer_mask] for output in (stranger, steered))
    likelihoods = [output.log_likelihood() for output in (stranger, steered)]
    is_target = torch.tensor(on_target, device=likelihoods[0].device)
    values = [torch.where(is_target, ODDS_WEIGHT * _log_odds(value), value) for value in likelihoods]
    divergence = (p.exp() * (p - q)).sum(dim=-1).mean()
    return divergence + recipe.match * (values[0] - values[1]).square().mean()


def _log_odds(log_probability: Tensor) -> Tensor:
    """log(P / (1 - P)) from log P, bounded; float64 inside."""
    return log_probability.double().exp().clamp(MIN_PROBABILITY, 1 - MIN_PROBABILITY).logit().to(log_probability.dtype)


class AnswerLikelihood(NamedTuple):
    """Of B answers: log P(answer | prompt) in nats [B], and their tokens with the end token [B]."""

    log_likelihood: Tensor
    tokens: Tensor


def answer_likelihood(
    engine: Engine, encoded: Sequence[Encoded], answers: Sequence[str], first: Tensor | None, decode: Tensor | None
) -> AnswerLikelihood:
    """Log-likelihood of each answer and its end token after its prompt. Differentiable.

    `first` [L, d] is added at the last prompt token, `decode` [L, d] at every token of the answer.
    """
    output = _forward(engine, encoded, answers, first, decode)
    return AnswerLikelihood(output.log_likelihood(), output.answer_mask.sum(dim=1))


def _forward(
    engine: Engine, encoded: Sequence[Encoded], answers: Sequence[str], first: Tensor | None, decode: Tensor | None
) -> TeacherForcedOutput:
    batch = batch_of_encoded(engine, encoded, answers)

    def steer(layer: int, states: Tensor) -> Tensor | None:
        if first is None:
            return None
        columns = torch.arange(states.shape[1], device=states.device)[None]
        offset = columns - batch.last_prompt_token[:, None]  # [B, T]
        added = (offset == 0)[..., None] * first[layer]
        if decode is not None:
            added = added + (offset > 0)[..., None] * decode[layer]
        return states + added.to(states.dtype)

    with engine.lock, hooked(engine.vlm.adapter.blocks, steer):
        return batch.forward(engine)
