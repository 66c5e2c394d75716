"""What steering does to activations: before and after (figure 4), and norms of the added vectors (figure 8).

Activations are those of the last prompt token at the output of each block, steered as the engine steers.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.paper.systems import PaperBenchmark
from shared.domain.prompts import Prompt
from shared.erasure.eraser import Eraser
from shared.erasure.recipe import LACUNA, PAPER
from shared.evaluation.paper_tasks import sample_evenly
from shared.evaluation.people import Person
from shared.probes.questions import fact_questions
from shared.probes.templates import Form
from shared.vlm import capture
from shared.vlm.adapters.base import Encoded
from shared.vlm.batching import batches
from shared.vlm.engine import Engine
from shared.vlm.hooks import AddVector, CaptureLastToken, GatedSteering, hooked

MAX_PROMPTS = 60  # prompts of each set
SEED = 1


@dataclass(frozen=True)
class SteeredActivations:
    """`activations` [n, L, d] with steering, and the norms `added` [n, L] of what was added at each block."""

    activations: Tensor
    added: Tensor


@dataclass(frozen=True)
class _Batch:
    """Prompts as they are read in the end: `places` in the list, encoded `rows`, and the hook that steers them."""

    places: list[int]
    rows: list[Encoded]
    steer: Callable[[int, Tensor], Tensor]


@dataclass(frozen=True)
class _PrincipalAxes:
    """Centre [d], the two leading axes [d, 2] and their shares of the variance, in float64."""

    centre: Tensor
    axes: Tensor
    shares: list[float]


def examine(benchmark: PaperBenchmark, people: Sequence[Person]) -> dict[str, Any]:
    """Return plain numbers for figures 4 and 8: `points` and `norms` by recipe and set, and norms of the vectors."""
    sets: dict[str, tuple[Sequence[Person], Form]] = {
        "forget": (people, "trained"),
        "retain": (benchmark.reference.of("retain_fit"), "trained"),
        "held_out": (benchmark.reference.of("held_out"), "test"),
    }
    prompts = {name: _prompts(persons, form) for name, (persons, form) in sets.items()}
    before = {name: capture.activations(benchmark.engine, asked) for name, asked in prompts.items()}
    principal = _principal_axes(torch.cat([rows[:, -1] for rows in before.values()]))
    numbers: dict[str, Any] = {"n": {name: len(asked) for name, asked in prompts.items()}, "share": principal.shares}
    numbers["points"], numbers["norms"], numbers["pulls"] = {}, {}, {}
    for recipe in (PAPER, LACUNA):
        with benchmark.steered(recipe, people) as system:
            eraser = system.eraser
        assert eraser is not None
        numbers["points"][recipe.name], numbers["norms"][recipe.name] = {}, {}
        numbers["pulls"][recipe.name] = eraser.steering_vector().norm(dim=-1).tolist()
        for name, asked in prompts.items():
            steered = steered_activations(benchmark.engine, eraser, asked)
            numbers["points"][recipe.name][name] = {
                moment: ((rows[:, -1].double() - principal.centre) @ principal.axes).tolist()
                for moment, rows in (("before", before[name]), ("after", steered.activations))
            }
            numbers["norms"][recipe.name][name] = steered.added.tolist()
    numbers["activations"] = {name: rows.norm(dim=-1).mean(dim=0).tolist() for name, rows in before.items()}
    return numbers


def steered_activations(engine: Engine, eraser: Eraser, prompts: Sequence[Prompt]) -> SteeredActivations:
    """Read the prompts with the eraser's decision and steering, and capture what the last token becomes."""
    blocks = engine.vlm.adapter.blocks
    activations = torch.zeros(len(prompts), len(blocks), engine.vlm.site.hidden_size)
    added = torch.zeros(len(prompts), len(blocks))
    vector = eraser.steering_vector().to(engine.vlm.device)
    for batch in _steered_batches(engine, eraser, prompts, vector):
        states_after, norms = CaptureLastToken(len(blocks)), CaptureLastToken(len(blocks))

        def capture_and_steer(
            layer: int, states: Tensor, batch: _Batch = batch, captures: Any = (states_after, norms)
        ) -> Tensor:
            steered = batch.steer(layer, states)
            captures[0](layer, steered)
            captures[1](layer, (steered - states).norm(dim=-1, keepdim=True))
            return steered

        with engine.lock, torch.inference_mode(), hooked(blocks, capture_and_steer):
            engine.vlm.model(**engine.vlm.adapter.inputs(batch.rows), use_cache=False, logits_to_keep=1)
        activations[batch.places] = states_after.stacked().cpu()
        added[batch.places] = norms.stacked()[..., 0].cpu()
    return SteeredActivations(activations, added)


def _steered_batches(engine: Engine, eraser: Eraser, prompts: Sequence[Prompt], vector: Tensor) -> Iterator[_Batch]:
    """Batches of prompts, split by the eraser's decision: those that fire are redacted and steered."""
    for places, rows in batches(engine.vlm.adapter, prompts):
        if not eraser.recipe.decides:
            yield _Batch(places, rows, GatedSteering(vector, eraser.gate_at))
            continue
        readout = capture.readout(engine, [prompts[place] for place in places])
        decision = eraser.decide(readout)
        fired, silent = (
            [row for row, fires in enumerate(decision.fired.tolist()) if fires == wanted] for wanted in (True, False)
        )
        if silent:
            yield _Batch([places[row] for row in silent], [rows[row] for row in silent], lambda _, states: states)
        if fired:
            redacted = engine.redact([rows[row] for row in fired], eraser, decision.take(fired), readout.take(fired))
            yield _Batch([places[row] for row in fired], redacted, AddVector(vector))


def _prompts(people: Sequence[Person], form: Form) -> list[Prompt]:
    asked = [
        question
        for person in people
        for question in fact_questions(person.subject, form=form, per_fact=2, seed=SEED, person=person.id)
        if question.by == "portrait"
    ]
    return [question.prompt for question in sample_evenly(asked, MAX_PROMPTS, SEED)]


def _principal_axes(rows: Tensor) -> _PrincipalAxes:
    """The principal axes of activations [n, d]."""
    centre = rows.double().mean(dim=0)
    _, lengths, axes = torch.linalg.svd(rows.double() - centre, full_matrices=False)
    shares = lengths**2 / (lengths**2).sum()
    return _PrincipalAxes(centre, axes[:2].T, shares[:2].tolist())
