"""Log-likelihood of given answers, with and without an eraser: for measuring, never for serving."""

from collections.abc import Sequence

import torch

from shared.domain.prompts import Prompt
from shared.erasure.eraser import Eraser
from shared.vlm.adapters.base import Encoded
from shared.vlm.batching import BATCH, batches
from shared.vlm.engine import Engine
from shared.vlm.generation import GenerationRequest, PrefillState
from shared.vlm.hooks import hooked

Answers = Sequence[Sequence[list[int]]]  # for each prompt, the tokens of each of its options


def option_likelihood(
    engine: Engine, prompts: Sequence[Prompt], options: Sequence[Sequence[str]], *, eraser: Eraser | None = None
) -> list[list[float]]:
    """For each prompt, log P(option and end of turn | prompt) of each of its options, in nats.

    A request that fires is scored as it would be answered: steered, from the redacted prompt. Where the recipe answers
    it with a fixed sentence, every other option has likelihood 0, so minus infinity here.
    """
    tokenizer = engine.vlm.tokenizer
    tokens = [
        [[*tokenizer.encode(option, add_special_tokens=False), engine.end_token] for option in choices]
        for choices in options
    ]
    scores: list[list[float]] = [[] for _ in options]
    most = max(1, BATCH // max((len(choices) for choices in options), default=1))  # each option becomes a row
    for positions, encoded in batches(engine.vlm.adapter, prompts):
        for start in range(0, len(encoded), most):
            part = slice(start, start + most)
            answers = [tokens[position] for position in positions[part]]
            with engine.exclusive():
                values = _as_answered(engine, encoded[part], answers, GenerationRequest(eraser))
            for position, value in zip(positions[part], values, strict=True):
                scores[position] = value
    return scores


def _as_answered(
    engine: Engine, encoded: Sequence[Encoded], answers: Answers, request: GenerationRequest
) -> list[list[float]]:
    """First pass: all rows as the base model reads them. Second pass: the rows that fired, steered."""
    if not any(answers):
        return [[] for _ in encoded]
    state = engine.prefill(encoded, request)
    scores = _teacher_forced(engine, state, answers, request)
    fired, eraser = state.fired_rows, request.eraser
    if not fired or eraser is None:
        return scores
    decision = state.decision.take(fired)
    if eraser.recipe.fixed_text is not None:
        fixed = engine.fixed_answer(eraser)
        for row in fired:
            scores[row] = [0.0 if answer == fixed else float("-inf") for answer in answers[row]]
        return scores
    second = request.steered(fired, decision)
    steered = engine.prefill(engine.redacted(encoded, state, eraser, fired, decision), second)
    for row, values in zip(
        fired, _teacher_forced(engine, steered, [answers[row] for row in fired], second), strict=True
    ):
        scores[row] = values
    return scores


def _teacher_forced(
    engine: Engine, state: PrefillState, answers: Answers, request: GenerationRequest
) -> list[list[float]]:
    """Log-likelihoods of all answers of a batch whose prompts were read once; `state` is used up."""
    flat = [answer for choices in answers for answer in choices]
    if not flat:
        return [[] for _ in answers]
    device = engine.vlm.device
    owners = torch.tensor([row for row, choices in enumerate(answers) for _ in choices], device=device)
    width = max(len(answer) for answer in flat)
    padded = torch.tensor([answer + [answer[-1]] * (width - len(answer)) for answer in flat]).to(device)
    logits = state.logits[owners, None]
    if width > 1:
        following = state.following(engine.vlm.adapter, width - 1)
        inputs = {name: value[..., owners, :] for name, value in following.items()}
        state.cache.batch_select_indices(owners)
        with hooked(*engine.decode_hook(request, everywhere=True)):
            out = engine.vlm.model(input_ids=padded[:, :-1], past_key_values=state.cache, use_cache=True, **inputs)
        logits = torch.cat([logits, out.logits], dim=1)
    likelihoods = logits.float().log_softmax(-1).gather(2, padded[..., None])[..., 0]  # [answers, width]
    sums = iter([float(likelihoods[row, : len(answer)].sum()) for row, answer in enumerate(flat)])
    return [[next(sums) for _ in choices] for choices in answers]
