"""What steering does to activations: where they lie before and after (figure 4), how long the pulls are (figure 8).

Last prompt token, output of each block; steered as the engine steers, in one plain prefill.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from benchmarks.paper.systems import Workbench
from shared.domain.prompts import Prompt
from shared.erasure.eraser import Eraser
from shared.erasure.recipe import LACUNA, PAPER
from shared.evaluation.paper_tasks import sample_evenly
from shared.evaluation.synthetic_people import Person
from shared.probes.questions import fact_questions
from shared.probes.templates import Form
from shared.vlm import capture
from shared.vlm.adapters.base import Encoded
from shared.vlm.batching import batches
from shared.vlm.engine import Engine
from shared.vlm.hooks import AddVector, CaptureLastToken, GatedSteering, hooked

MOST = 60  # prompts of each set
SEED = 1


def examine(bench: Workbench, people: Sequence[Person]) -> dict[str, Any]:
    """Plain numbers for figures 4 and 8, both recipes: `points[recipe][set]` and `norms`."""
    sets: dict[str, tuple[Sequence[Person], Form]] = {
        "forget": (people, "trained"),
        "retain": (bench.reference.of("retain_fit"), "trained"),
        "held_out": (bench.reference.of("held_out"), "test"),
    }
    prompts = {name: _prompts(who, form) for name, (who, form) in sets.items()}
    before = {name: capture.activations(bench.engine, asked) for name, asked in prompts.items()}
    centre, axes, share = _principal(torch.cat([rows[:, -1] for rows in before.values()]))
    found: dict[str, Any] = {"n": {name: len(asked) for name, asked in prompts.items()}, "share": share}
    found["points"], found["norms"], found["pulls"] = {}, {}, {}
    for recipe in (PAPER, LACUNA):
        with bench.steered(recipe, people) as system:
            eraser = system.eraser
        assert eraser is not None
        found["points"][recipe.name], found["norms"][recipe.name] = {}, {}
        found["pulls"][recipe.name] = eraser.steering_vector().norm(dim=-1).tolist()
        for name, asked in prompts.items():
            after, length = steered(bench, eraser, asked)
            found["points"][recipe.name][name] = {
                moment: ((rows[:, -1].double() - centre) @ axes).tolist()
                for moment, rows in (("before", before[name]), ("after", after))
            }
            found["norms"][recipe.name][name] = length.tolist()
    found["activations"] = {name: rows.norm(dim=-1).mean(dim=0).tolist() for name, rows in before.items()}
    return found


def steered(bench: Workbench, eraser: Eraser, prompts: Sequence[Prompt]) -> tuple[Tensor, Tensor]:
    """Activations [n, L, d] with steering, and the length of what was added at each block [n, L]."""
    engine = bench.engine
    blocks = engine.vlm.adapter.blocks
    out = torch.zeros(len(prompts), len(blocks), engine.vlm.site.hidden_size)
    length = torch.zeros(len(prompts), len(blocks))
    pull = eraser.steering_vector().to(engine.vlm.device)
    for places, rows, moving in _moved(engine, eraser, prompts, pull):
        reading, lengths = CaptureLastToken(len(blocks)), CaptureLastToken(len(blocks))

        def touch(layer: int, states: Tensor, moving: Any = moving, kept: Any = (reading, lengths)) -> Tensor:
            moved: Tensor = moving(layer, states)
            kept[0](layer, moved)
            kept[1](layer, (moved - states).norm(dim=-1, keepdim=True))
            return moved

        with engine.lock, torch.inference_mode(), hooked(blocks, touch):
            engine.vlm.model(**engine.vlm.adapter.inputs(rows), use_cache=False, logits_to_keep=1)
        out[places] = reading.stacked().cpu()
        length[places] = lengths.stacked()[..., 0].cpu()
    return out, length


def _moved(
    engine: Engine, eraser: Eraser, prompts: Sequence[Prompt], pull: Tensor
) -> Iterator[tuple[list[int], list[Encoded], Callable[[int, Tensor], Tensor]]]:
    """Batches of prompts as they are read in the end, each with what moves it."""
    for places, rows in batches(engine.vlm.adapter, prompts):
        if not eraser.recipe.decides:
            yield places, rows, GatedSteering(pull, eraser.gate_at)
            continue
        evidence = capture.readout(engine, [prompts[place] for place in places])
        decision = eraser.decide(evidence)
        fired, kept = (
            [row for row, hit in enumerate(decision.fired.tolist()) if hit == wanted] for wanted in (True, False)
        )
        if kept:
            yield [places[row] for row in kept], [rows[row] for row in kept], lambda _, states: states
        if fired:
            again = engine.redact([rows[row] for row in fired], eraser, decision.take(fired), evidence.take(fired))
            yield [places[row] for row in fired], again, AddVector(pull)


def _prompts(people: Sequence[Person], form: Form) -> list[Prompt]:
    asked = [
        question
        for person in people
        for question in fact_questions(person.subject, form=form, per_fact=2, seed=SEED, person=person.id)
        if question.by == "portrait"
    ]
    return [question.prompt for question in sample_evenly(asked, MOST, SEED)]


def _principal(rows: Tensor) -> tuple[Tensor, Tensor, list[float]]:
    """Centre [d], the two leading axes [d, 2] and their shares of the variance, in float64."""
    centre = rows.double().mean(dim=0)
    _, lengths, axes = torch.linalg.svd(rows.double() - centre, full_matrices=False)
    shares = lengths**2 / (lengths**2).sum()
    return centre, axes[:2].T, shares[:2].tolist()
