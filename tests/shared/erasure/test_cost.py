"""Cached, streamed and batched computations give what computing everything anew gives."""

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks import tickets_cost
from benchmarks.fit import TICKET, literal, make_layer, measure, relative_difference
from shared.erasure.assembly import assemble
from shared.erasure.gates.incremental import GateFit
from shared.erasure.gates.linear import linear_gate, project
from shared.erasure.gates.prototype import TicketGate, gate_score, similarities, similarity
from shared.erasure.numerics.moments import Moments
from shared.erasure.numerics.nullspace import null_basis
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.prepare import prepare, prepare_streamed
from shared.erasure.readout import Readout
from shared.erasure.recipe import PAPER, PROTOTYPE, Recipe
from shared.erasure.serialization import dump, load
from shared.erasure.site import Site
from shared.erasure.ticket_fit import TicketFit, fit_ticket
from shared.errors import BadInput, Conflict, NotFound

SITE = Site((0, 1, 2), 16, "a" * 64, "b" * 64, "c" * 64, "float32")
EXACT = 1e-10  # of the issue: relative, float64


def drawn(*shape: int, seed: int, shift: float = 0.0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) + shift


@pytest.fixture(scope="module")
def basis() -> Tensor:
    retain = drawn(300, 64, seed=0).double() * torch.logspace(0, -3, 64, dtype=torch.float64)
    return null_basis(retain.T @ retain, rho=0.5)


def probes(number: int) -> Tensor:
    """A ticket's prompts: 3 to 7 of them around one centre."""
    return drawn(3 + number % 5, 64, seed=number, shift=0.1) + drawn(64, seed=100 + number)


@pytest.mark.parametrize("absolute", [False, True])
def test_tickets_added_one_by_one_give_the_gate_of_all(basis: Tensor, absolute: bool) -> None:
    """Adding ticket after ticket gives the gate of solving for all at once, with a relative ridge too."""
    fit = GateFit.empty(basis)
    for number in range(8):
        fit = fit.with_ticket(f"T-{number}", probes(number))
        scratch = linear_gate(
            project(basis, torch.cat([probes(n) for n in range(number + 1)])), 1e-2, absolute=absolute
        )
        assert relative_difference(fit.gate(1e-2, absolute=absolute), scratch) < EXACT


@pytest.mark.parametrize("withdrawn", [0, 3, 5])
def test_withdrawn_ticket_leaves_no_trace_in_the_gate(basis: Tensor, withdrawn: int) -> None:
    """First, middle or last: the gate is the one of the others, and differs from the one with it."""
    fit = GateFit.empty(basis)
    never = GateFit.empty(basis)
    for number in range(6):
        fit = fit.with_ticket(f"T-{number}", probes(number))
        if number != withdrawn:
            never = never.with_ticket(f"T-{number}", probes(number))
    without = fit.without_ticket(f"T-{withdrawn}")
    assert (without.tickets, without.counts) == (never.tickets, never.counts)
    assert torch.equal(without.projected, never.projected)
    assert relative_difference(without.gate(1e-2), never.gate(1e-2)) < EXACT
    assert relative_difference(fit.gate(1e-2), never.gate(1e-2)) > 1e-3


def test_adding_a_ticket_leaves_the_old_fit_unchanged(basis: Tensor) -> None:
    """`adding` leaves the old fit as it was; adding and withdrawing one ticket leaves nothing."""
    empty = GateFit.empty(basis)
    fit = empty.with_ticket("T-1", probes(1))
    assert not empty.gate(1e-2).any()
    assert fit.gate(1e-2).any()
    assert not fit.without_ticket("T-1").gate(1e-2).any()


def test_ticket_that_does_not_fit_is_refused(basis: Tensor) -> None:
    """The same ticket twice, a ticket that is not there, no probe, probes that are not numbers."""
    fit = GateFit.empty(basis).with_ticket("T-1", probes(1))
    with pytest.raises(Conflict):
        fit.with_ticket("T-1", probes(1))
    with pytest.raises(NotFound):
        fit.without_ticket("T-2")
    with pytest.raises(BadInput):
        fit.with_ticket("T-2", torch.zeros(0, 64))
    with pytest.raises(BadInput, match="not finite"):
        fit.with_ticket("T-2", torch.full((2, 64), torch.nan)).gate(1e-2)


def test_stored_probes_give_the_same_gate_in_any_basis() -> None:
    """Rows made ticket by ticket, stored and read back; another basis of the same space gives the same gate."""
    base = prepare(
        PAPER,
        SITE,
        retain=drawn(200, 3, 16, seed=8),
        calibration=drawn(10, 3, 16, seed=9),
        identities=["p"] * 10,
        directions=drawn(3, 16, seed=10),
    )
    turned = replace(base, null=tuple(null @ torch.linalg.qr(drawn(8, 8, seed=1).double())[0] for null in base.null))
    asked = [drawn(3 + n, 3, 16, seed=60 + n) for n in range(3)]
    stored = [
        TicketFit.from_bytes(fit_ticket(PAPER, base, f"T-{n}", probe).to_bytes()) for n, probe in enumerate(asked)
    ]
    mixed = [*stored[:2], fit_ticket(PAPER, turned, "T-2", asked[2])]
    gate = assemble(PAPER, base, SITE, stored).linear
    assert gate is not None
    for layer, null in enumerate(base.null):
        scratch = linear_gate(project(null, torch.cat(asked)[:, layer]), PAPER.gamma, absolute=True)
        assert relative_difference(gate[layer], scratch) < 1e-6
    again = assemble(PAPER, turned, SITE, mixed).linear
    assert again is not None
    assert relative_difference(again, gate) < 1e-6
    assert relative_difference(assemble(PAPER, base, SITE, stored[:2]).linear, gate) > 1e-3  # type: ignore[arg-type]


@pytest.mark.parametrize("recipe", [PROTOTYPE, PAPER])
@pytest.mark.parametrize("layers_at_once", [1, 2, None])
def test_streamed_statistics_equal_those_of_all_activations(recipe: Recipe, layers_at_once: int | None) -> None:
    """Batches and groups of layers change no bit where the batches fall alike, and each group reads them once."""
    retain, calibration = drawn(600, 3, 16, seed=1, shift=1.0), drawn(40, 3, 16, seed=2)
    rest: dict[str, Any] = {"calibration": calibration, "identities": ["p"] * 40, "directions": drawn(3, 16, seed=3)}
    seen = []

    def batches() -> list[Tensor]:
        seen.append(1)
        return list(retain.split(512))

    whole = prepare(recipe, SITE, retain=retain, **rest)
    streamed = prepare_streamed(recipe, SITE, retain=batches, layers_at_once=layers_at_once, **rest)
    assert streamed.to_bytes() == whole.to_bytes()
    assert len(seen) == -(-3 // (layers_at_once or 3))
    other = prepare(recipe, SITE, retain=retain + 0.1 * drawn(600, 3, 16, seed=4), **rest)
    assert other.to_bytes() != whole.to_bytes()


def test_whitener_of_leading_directions_equals_the_full_one() -> None:
    """Finding the leading eigenvectors alone gives the same whitened vectors as finding all of them."""
    moments = Moments(2, 64)
    moments.add(drawn(500, 2, 64, seed=5) * torch.logspace(0, -2, 64))
    (first, second), rank, shrinkage = list(moments.covariances()), 16, 0.02
    few = Whitener.fit(moments.mean, [first, second], rank, shrinkage)
    rows = drawn(20, 2, 64, seed=6)
    for layer, covariance in enumerate((first, second)):
        values, vectors = torch.linalg.eigh(covariance)
        shrunk = (1 - shrinkage) * values + shrinkage * values.mean()
        scales = torch.cat([shrunk[: 64 - rank].mean().expand(64 - rank), shrunk[64 - rank :]]).rsqrt()
        white = (rows[:, layer].double() - moments.mean[layer]) @ vectors * scales @ vectors.T
        assert torch.allclose(few(rows)[:, layer], F.normalize(white, dim=-1).float(), atol=1e-5)


def test_tickets_scored_together_score_as_alone() -> None:
    """Tickets of any number of rows, fewer than the neighbours too: the same likeness, the same nearest ticket."""
    sets = [F.normalize(drawn(3, m, 16, seed=m), dim=-1) for m in (1, 2, 5, 9, 5)]
    white = F.normalize(drawn(50, 3, 16, seed=7), dim=-1)
    together = similarities(white, sets, 3)
    alone = torch.stack([similarity(white, rows, 3) for rows in sets], dim=1)
    assert torch.allclose(together, alone, atol=1e-6)
    assert torch.equal(together.argmax(dim=1), alone.argmax(dim=1))


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_decision_names_the_best_ticket(weight: float) -> None:
    """`decide` names the ticket that the loop over tickets would name, with and without harmless questions."""
    recipe = replace(PROTOTYPE, harmless_weight=weight)
    base = prepare(
        recipe,
        SITE,
        retain=drawn(200, 3, 16, seed=8),
        calibration=drawn(100, 3, 16, seed=9),
        identities=["p"] * 100,
        directions=drawn(3, 16, seed=10),
    )
    centres = [3 * drawn(3, 16, seed=20 + n) for n in range(5)]
    rows = [
        fit_ticket(
            recipe,
            base,
            f"T-{n}",
            drawn(4 + n, 3, 16, seed=30 + n) + centre,
            harmless=drawn(4, 3, 16, seed=40 + n) if n % 2 else None,
        )
        for n, centre in enumerate(centres)
    ]
    eraser = assemble(recipe, base, SITE, rows)
    asked = torch.cat([drawn(10, 3, 16, seed=50 + n) + centre for n, centre in enumerate(centres)])
    decision = eraser.decide(Readout.of_last(asked))
    assert base.whitener is not None
    gates = [TicketGate(fit.ticket, fit.vectors, fit.harmless) for fit in rows if fit.vectors is not None]
    alone = torch.stack([gate_score(recipe, base.whitener(asked), gate) for gate in gates], dim=1)
    assert torch.allclose(decision.score, alone.amax(dim=1), atol=1e-6)
    for place, fired in enumerate(decision.fired.tolist()):
        assert decision.ticket[place] == (gates[int(alone[place].argmax())].ticket if fired else None)
    assert decision.fired.float().mean() > 0.5


def test_literal_equation_equals_the_rank_one_form() -> None:
    """The dense form that the benchmark times, SVD and pinv, is the map u rᵀ; at another ridge it is not."""
    layer = make_layer(seed=0, dim=96, forget=28, retain=400)
    moments = Moments(1, 96)
    for seed, count in layer.retain():
        moments.add(layer.batch(seed, count)[:, None])
    (second,) = moments.second_moments()
    vector = drawn(96, seed=11).double()
    dense = literal(second, layer.forget, vector, rho=0.5, gamma=0.01)
    same = linear_gate(project(dense.basis, layer.forget), 0.01, absolute=True)
    other = linear_gate(project(dense.basis, layer.forget), 0.02, absolute=True)
    assert relative_difference(vector[:, None] * same, dense.map) < EXACT
    assert relative_difference(vector[:, None] * other, dense.map) > 1e-3


def test_cost_report_holds_every_measure() -> None:
    """All fields of the issue, from a tiny run; no assertion on time."""
    report = measure(layers=3, dim=64, forget=3 * TICKET, retain=300, measured=2)
    assert report["artifact_ratio"] == 2 / 64
    assert report["relative_difference"] < EXACT
    assert report["difference_incremental_against_scratch"] < EXACT
    assert report["speedup_one_more_ticket"] > 0
    assert report["seconds"]["dense_all_layers"] > 0
    assert report["measured"]["layers_measured_dense"] == 1


def test_ticket_report_counts_every_prototype() -> None:
    """Bytes are rows times layers times tickets, for each shape; no assertion on time."""
    report = tickets_cost.measure(64, 4, [1, 3])
    decisions = [decision for decision in report["decisions"] if decision["shape"] == "prototype, float32 (in memory)"]
    assert [decision["bytes"] for decision in decisions] == [
        4 * 4 * PROTOTYPE.prototypes * 64 * count for count in (1, 3)
    ]
    assert all(decision["decision_s"] > 0 for decision in report["decisions"])


def test_stored_prototypes_are_half_as_large_and_load_exactly() -> None:
    """Prototypes are rounded when made, so float16 loses nothing; what was not rounded (linear rows) keeps its bits."""
    base = prepare(
        PROTOTYPE,
        SITE,
        retain=drawn(200, 3, 16, seed=8),
        calibration=drawn(100, 3, 16, seed=9),
        identities=["p"] * 100,
        directions=drawn(3, 16, seed=10),
    )
    rows = fit_ticket(PROTOTYPE, base, "T-1", drawn(40, 3, 16, seed=12), harmless=drawn(8, 3, 16, seed=13))
    again = TicketFit.from_bytes(rows.to_bytes())
    assert again.vectors is not None
    assert rows.vectors is not None
    assert again.vectors.dtype == torch.float32
    assert again.harmless is not None
    assert rows.harmless is not None
    assert torch.equal(again.vectors, rows.vectors)
    assert torch.equal(again.harmless, rows.harmless)
    raw = TicketFit("T-1", PAPER.digest, drawn(3, 40, 16, seed=12))
    back = TicketFit.from_bytes(raw.to_bytes()).vectors
    assert raw.vectors is not None
    assert back is not None
    assert torch.equal(back, raw.vectors)
    assert len(rows.to_bytes()) < 0.7 * len(raw.to_bytes())
    eraser = assemble(PROTOTYPE, base, SITE, [rows])
    blob, manifest = dump(eraser, {"number": 1})
    asked = Readout.of_last(drawn(50, 3, 16, seed=14))
    assert torch.equal(load(blob, manifest).decide(asked).score, eraser.decide(asked).score)
