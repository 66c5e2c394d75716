"""The mathematics: rank-one form, both theorems, moments, whitener, threshold, and artifacts that load unchanged."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from shared.erasure.assembly import assemble
from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.eraser import Eraser
from shared.erasure.gates.linear import linear_gate, project
from shared.erasure.gates.prototype import merge_prototypes
from shared.erasure.numerics.moments import Moments
from shared.erasure.numerics.nullspace import null_basis
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.pgd import perturb
from shared.erasure.prepare import prepare
from shared.erasure.readout import Readout
from shared.erasure.recipe import PAPER, PROTOTYPE, Recipe
from shared.erasure.serialization import dump, load
from shared.erasure.site import Site
from shared.erasure.ticket_fit import TicketFit, fit_ticket
from shared.errors import BadInput, IntegrityFailure, SiteMismatch

SITE = Site((0, 1, 2), 16, "a" * 64, "b" * 64, "c" * 64, "float32")


def drawn(n: int, seed: int, shift: float = 0.0) -> Tensor:
    return torch.randn(n, 3, 16, generator=torch.Generator().manual_seed(seed)) + shift


def statistics(recipe: Recipe) -> BaseStatistics:
    return prepare(
        recipe,
        SITE,
        retain=drawn(200, 0),
        calibration=drawn(400, 1),
        identities=[f"p{i // 4}" for i in range(400)],
        directions=drawn(1, 2)[0],
    )


def test_rank_one_form_equals_equation_12() -> None:
    """u rᵀ equals the literal W P = D (PH)ᵀ (PH (PH)ᵀ + γI)⁺ at the same projector, to 1e-10."""
    rng = torch.Generator().manual_seed(3)
    d, n, gamma = 24, 9, 0.3
    retain = torch.randn(d, 12, dtype=torch.float64, generator=rng)
    forget = torch.randn(d, n, dtype=torch.float64, generator=rng)
    vector = torch.randn(d, dtype=torch.float64, generator=rng)
    basis = null_basis(retain @ retain.T, rho=0.4)
    projector = basis @ basis.T
    inside = projector @ forget
    repeated = vector[:, None].expand(-1, n)
    literal = repeated @ inside.T @ torch.linalg.pinv(inside @ inside.T + gamma * torch.eye(d).double()) @ projector
    ours = vector[:, None] * linear_gate(project(basis, forget.T), gamma, absolute=True)[None, :]
    assert torch.linalg.norm(ours - literal) / torch.linalg.norm(literal) < 1e-10


def test_linear_gate_is_zero_on_retain_and_one_on_forget_prompts() -> None:
    """Inside the fit, and where the rank allows, the gate is 0 for what is retained and 1 for what is forgotten."""
    rng = torch.Generator().manual_seed(4)
    retain = torch.randn(32, 10, dtype=torch.float64, generator=rng)
    forget = torch.randn(6, 32, dtype=torch.float64, generator=rng)
    gate = linear_gate(project(null_basis(retain @ retain.T, rho=0.0), forget), gamma=1e-9)
    assert (gate @ retain).abs().max() < 1e-9
    assert (forget @ gate - 1).abs().max() < 1e-6


def test_streamed_moments_equal_those_of_all_rows() -> None:
    """Streamed in any batches, count, mean and scatter are those of all rows at once."""
    rows = drawn(101, 5, shift=3.0)
    streamed = Moments(3, 16)
    for batch in torch.split(rows, 17):
        streamed.add(batch)
    exact = rows.double().transpose(0, 1)
    assert streamed.count == 101
    assert torch.allclose(torch.stack(list(streamed.second_moments())), exact.transpose(1, 2) @ exact, rtol=1e-12)
    centred = exact - exact.mean(dim=1, keepdim=True)
    assert torch.allclose(
        torch.stack(list(streamed.covariances())), centred.transpose(1, 2) @ centred / 100, rtol=1e-10
    )


def test_full_rank_whitener_whitens() -> None:
    """Without shrinkage the whitened retain set has the identity as covariance, up to the normalisation of each row."""
    moments = Moments(3, 16)
    moments.add(drawn(4000, 6) * torch.linspace(0.2, 5, 16))
    whitener = Whitener.fit(moments.mean, moments.covariances(), 16, 0.0)
    white = whitener(drawn(4000, 7) * torch.linspace(0.2, 5, 16))
    assert torch.allclose(white.norm(dim=-1), torch.ones(4000, 3), atol=1e-5)
    spread = white[:, 0].T @ white[:, 0] / 4000 * 16
    assert (spread - torch.eye(16)).abs().max() < 0.15


def test_merged_prototypes_are_few_and_repeatable() -> None:
    """Merging leaves at most m unit rows, deterministically, and nothing is merged that need not be."""
    rows = F.normalize(drawn(50, 8).transpose(0, 1), dim=-1)
    assert torch.equal(merge_prototypes(rows, 50), rows)
    few = merge_prototypes(rows, 7)
    assert few.shape == (3, 7, 16)
    assert torch.equal(few, merge_prototypes(rows, 7))
    assert torch.allclose(few.norm(dim=-1), torch.ones(3, 7), atol=1e-5)


def test_other_tickets_leave_prototypes_unchanged() -> None:
    """Adding or withdrawing another ticket leaves the first one's rows bit for bit as they were."""
    base = statistics(PROTOTYPE)
    first = fit_ticket(PROTOTYPE, base, "T-1", drawn(20, 9, 2.0), harmless=drawn(4, 10))
    second = fit_ticket(PROTOTYPE, base, "T-2", drawn(20, 11, -2.0))
    both = assemble(PROTOTYPE, base, SITE, [first, second])
    alone = assemble(PROTOTYPE, base, SITE, [first])
    assert torch.equal(both.gates[0].prototypes, alone.gates[0].prototypes)
    assert TicketFit.from_bytes(first.to_bytes()).sha256 == first.sha256


@pytest.mark.parametrize("level", [0.01, 0.05])
def test_threshold_keeps_its_false_positive_rate(level: float) -> None:
    """Without a margin, new prompts of the calibration's kind fire in about the stated share; a ticket's own do."""
    recipe = replace(PROTOTYPE, false_positive_rate=level, margin=0.0)
    base = statistics(recipe)
    eraser = assemble(recipe, base, SITE, [fit_ticket(recipe, base, "T-1", drawn(20, 12, 2.0))])
    others = eraser.decide(Readout.of_last(drawn(4000, 13)))
    assert others.fired.float().mean() < 2.5 * level
    own = eraser.decide(Readout.of_last(drawn(200, 14, 2.0)))
    assert own.fired.float().mean() > 0.95
    assert {ticket for ticket, fired in zip(own.ticket, own.fired.tolist(), strict=True) if fired} == {"T-1"}


def test_empty_eraser_never_fires() -> None:
    """Nobody forgotten, nothing fired, for either recipe."""
    for recipe in (PROTOTYPE, PAPER):
        eraser = assemble(recipe, statistics(recipe), SITE, [])
        assert eraser.is_empty
        assert not eraser.decide(Readout.of_last(drawn(50, 15, 9.0))).fired.any()


@pytest.fixture(scope="module")
def artifact() -> tuple[bytes, dict[str, object]]:
    base = statistics(PROTOTYPE)
    rows = fit_ticket(PROTOTYPE, base, "T-1", drawn(20, 9, 2.0), harmless=drawn(4, 10))
    return dump(assemble(PROTOTYPE, base, SITE, [rows]), {"number": 1})


def test_artifact_loads_unchanged(artifact: tuple[bytes, dict[str, object]]) -> None:
    """What `load` returns decides exactly as what was dumped."""
    blob, manifest = artifact
    again = load(blob, manifest)
    assert again.tickets == ("T-1",)
    assert dump(again, {"number": 1}) == (blob, manifest)


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 99},
        {"covered": ["T-1", "T-2"]},
        {"shapes": {}},
        {"tensors_sha256": "0" * 64},
        {"recipe": {"name": "x"}},
        {"site": {}},
    ],
)
def test_manifest_that_does_not_match_is_refused(
    artifact: tuple[bytes, dict[str, object]], change: dict[str, object]
) -> None:
    """Every field that `load` relies on is held against the tensors."""
    blob, manifest = artifact
    with pytest.raises(IntegrityFailure):
        load(blob, manifest | change)


def test_altered_tensors_are_refused(artifact: tuple[bytes, dict[str, object]]) -> None:
    """One byte is enough; so is a number that is not finite, and a file of another kind."""
    blob, manifest = artifact
    bent = bytearray(blob)
    bent[-3] ^= 1
    with pytest.raises(IntegrityFailure):
        load(bytes(bent), manifest)
    with pytest.raises(IntegrityFailure):
        TicketFit.from_bytes(b"PK\x03\x04 no safetensors")
    sick = TicketFit("T-1", PROTOTYPE.digest, torch.full((3, 2, 16), torch.nan))
    with pytest.raises(IntegrityFailure):
        TicketFit.from_bytes(sick.to_bytes())


def test_statistics_load_unchanged() -> None:
    """Both kinds survive the store."""
    for recipe in (PROTOTYPE, PAPER):
        base = statistics(recipe)
        again = BaseStatistics.from_bytes(base.to_bytes())
        assert again.to_bytes() == base.to_bytes()


def test_other_site_is_refused_by_what_differs() -> None:
    """Another model, template or dtype is refused by name."""
    with pytest.raises(SiteMismatch, match="base_model, dtype"):
        SITE.check(replace(SITE, base_model="x", dtype="bfloat16"))
    assert Site.from_json(SITE.as_json()) == SITE


def test_changed_recipe_changes_its_digest() -> None:
    """A recipe survives JSON, any change changes its digest, and rows of another recipe are refused."""
    assert Recipe.from_json(PROTOTYPE.as_json()) == PROTOTYPE
    assert replace(PROTOTYPE, strength=0.9).digest != PROTOTYPE.digest
    with pytest.raises(BadInput, match='There is no recipe "best"'):
        Recipe.named("best")
    rows = fit_ticket(PROTOTYPE, statistics(PROTOTYPE), "T-1", drawn(5, 1))
    with pytest.raises(BadInput, match="another recipe"):
        assemble(PAPER, statistics(PAPER), SITE, [rows])


def test_pgd_stays_within_epsilon() -> None:
    """PGD lowers the loss, stays within ε and within valid pixels."""
    pixels = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    target = torch.zeros_like(pixels)
    moved = perturb(pixels, lambda x: ((x - target) ** 2).mean(), epsilon=16 / 255, steps=12)
    assert (moved - pixels).abs().max() <= 16 / 255 + 1e-6
    assert moved.min() >= 0
    assert moved.max() <= 1
    assert (moved**2).mean() < (pixels**2).mean()


def test_empty_eraser_has_no_ticket_and_no_vector() -> None:
    """`Eraser.empty` covers no ticket, and its steering vector is zero."""
    eraser = Eraser.empty(PROTOTYPE, SITE)
    assert eraser.tickets == ()
    assert not eraser.steering_vector().any()
