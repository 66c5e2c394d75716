"""What a linear fit costs at real size: equation 12 as published code computes it, and as Lacuna does.

    python -m benchmarks.fit --layers 32 --dim 4096 --forget 350 --retain 6650 --json FILE

The literal form (SVD of the retain Gram matrix, d x d projector, pinv of a d x d matrix) is measured on ONE layer and
multiplied; ours on `--measured-layers`, scaled to all. Activations are synthetic: mean 0.5 plus Gaussian coordinates
with deviations i^-0.75 (spectrum i^-1.5, condition 3e5 at d = 4096) in a random orthogonal frame; each ticket's 14
prompts share a centre. The figures say what a fit costs and how exact it is, and nothing about forgetting.
"""

import argparse
import json
import os
import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import torch
from torch import Tensor
from tqdm import tqdm

from shared.erasure.gates.incremental import GateFit
from shared.erasure.gates.linear import linear_gate, project
from shared.erasure.numerics.moments import Moments
from shared.erasure.numerics.nullspace import null_basis
from shared.erasure.recipe import PROTOTYPE

TICKET: Final = 14  # prompts of one ticket
BATCH: Final = 256
DECAY: Final = 0.75
RHO: Final = 0.5
GAMMA: Final = 1e-2  # relative to trace(HᵀPH)/n
REPEATS: Final = 3
T = TypeVar("T")


@dataclass(frozen=True)
class Layer:
    """Synthetic activations of one layer: `forget` [n, d] float32; retain batches are drawn anew from the seed."""

    seed: int
    frame: Tensor
    forget: Tensor
    retain_count: int

    def retain(self) -> list[tuple[int, int]]:
        """(seed, size) of each batch."""
        starts = range(0, self.retain_count, BATCH)
        return [(self.seed * 100_003 + 7 + s, min(BATCH, self.retain_count - s)) for s in starts]

    def batch(self, seed: int, count: int) -> Tensor:
        """One batch of retain rows [count, d]."""
        drawn = torch.randn(count, self.frame.shape[0], generator=torch.Generator().manual_seed(seed))
        return drawn @ self.frame + 0.5


def make_layer(seed: int, dim: int, forget: int, retain: int) -> Layer:
    """Draw the layer of `seed`."""
    source = torch.Generator().manual_seed(seed)
    frame, _ = torch.linalg.qr(torch.randn(dim, dim, generator=source))
    frame *= torch.arange(1, dim + 1).float().pow(-DECAY)[:, None]
    centres = torch.randn(-(-forget // TICKET), dim, generator=source).repeat_interleave(TICKET, dim=0)[:forget]
    drawn = 0.8 * centres + 0.6 * torch.randn(forget, dim, generator=source)
    return Layer(seed, frame, drawn @ frame + 0.5, retain)


@dataclass(frozen=True)
class Literal:
    """Equation 12 with every matrix that it names: P = `basis` basisᵀ, `map` = W P [d, d]; seconds by step."""

    basis: Tensor
    projector: Tensor
    map: Tensor
    seconds: dict[str, float]


def literal(retain_gram: Tensor, forget: Tensor, pull: Tensor, rho: float, gamma: float) -> Literal:
    """W P = D (PH)ᵀ (PH (PH)ᵀ + γI)⁺ P, P from the SVD of H_r H_rᵀ [d, d]; `gamma` absolute; all float64."""
    dim, count = retain_gram.shape[0], forget.shape[0]
    seconds: dict[str, float] = {}
    u, _, _ = timed(seconds, "svd", lambda: torch.linalg.svd(retain_gram))
    kept = u[:, dim - round(rho * dim) :]
    projector = timed(seconds, "projector", lambda: kept @ kept.T)
    inside = projector @ forget.double().T
    ridge = gamma * torch.eye(dim, dtype=torch.float64)
    inverse = timed(seconds, "pinv", lambda: torch.linalg.pinv(inside @ inside.T + ridge))
    repeated = pull[:, None].expand(-1, count)
    whole = timed(seconds, "products", lambda: (repeated @ inside.T) @ inverse @ projector)
    return Literal(kept, projector, whole, seconds)


def timed(seconds: dict[str, float], name: str, work: Callable[[], T]) -> T:
    """Return what `work` returns, and add its wall seconds to `seconds` under `name`."""
    began = time.perf_counter()
    result = work()
    seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - began
    return result


def relative_difference(ours: Tensor, theirs: Tensor) -> float:
    """Relative difference in the Frobenius norm."""
    return float(torch.linalg.norm(ours - theirs) / torch.linalg.norm(theirs))


@dataclass(frozen=True)
class Fitted:
    """Lacuna's fit of one layer: seconds by step, and how far cached work differs from a fit from scratch."""

    seconds: dict[str, float]
    scratch_difference: float


@dataclass(frozen=True)
class FittedLayer:
    """A fit with what the literal form is compared with: the basis [d, k] and the second moments [d, d]."""

    fitted: Fitted
    basis: Tensor
    second_moments: Tensor


@dataclass(frozen=True)
class TimedResult:
    """The median wall seconds of several calls, and the result of the last one."""

    seconds: float
    result: Tensor


def ours(layer: Layer) -> FittedLayer:
    """Fit all tickets but the last, then one more."""
    seconds: dict[str, float] = {}
    moments = Moments(1, layer.frame.shape[0])
    for seed, count in layer.retain():
        batch = layer.batch(seed, count)[:, None]
        timed(seconds, "moments", lambda b=batch: moments.add(b))  # type: ignore[misc]
    (second,) = moments.second_moments()
    basis = timed(seconds, "eigh", lambda: null_basis(second, RHO))
    gate = timed(seconds, "solve", lambda: linear_gate(project(basis, layer.forget), GAMMA))
    tickets = list(layer.forget.split(TICKET))
    fit = GateFit.empty(basis)
    for number, probes in enumerate(tickets[:-1]):
        fit = fit.with_ticket(f"T-{number}", probes)
    fit.gate(GAMMA)  # the gate before the last ticket; also warms up
    one_more = _median(lambda: fit.with_ticket("one more", tickets[-1]).gate(GAMMA))
    before = fit.projected
    in_a_refit = _median(lambda: linear_gate(torch.cat([before, project(basis, tickets[-1])]), GAMMA))
    seconds |= {"one_more": one_more.seconds, "one_more_in_a_refit": in_a_refit.seconds}
    difference = max(relative_difference(timing.result, gate) for timing in (one_more, in_a_refit))
    return FittedLayer(Fitted(seconds, difference), basis, second)


def _median(work: Callable[[], Tensor]) -> TimedResult:
    """Call `work` REPEATS times."""
    tries: list[float] = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        result = work()
        tries.append(time.perf_counter() - began)
    return TimedResult(sorted(tries)[REPEATS // 2], result)


def main() -> None:
    """Read the command line, measure, print and write the report."""
    parser = argparse.ArgumentParser(description="Equation 12, dense as published, against the rank-one form.")
    for name, default in (("layers", 32), ("dim", 4096), ("forget", 350), ("retain", 6650), ("measured-layers", 4)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if args.forget <= TICKET:
        parser.error(f"--forget must be more than the {TICKET} prompts of the one more ticket")
    report = measure(args.layers, args.dim, args.forget, args.retain, min(args.measured_layers, args.layers))
    show(report)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(report, indent=1) + "\n")


def measure(layers: int, dim: int, forget: int, retain: int, measured: int) -> dict[str, Any]:
    """Measure Lacuna's fit on `measured` layers, one at a time, then the literal form on the last of them."""
    load_before = os.getloadavg()[0]
    fits: list[Fitted] = []
    progress = tqdm(total=measured + 1, desc="layers, ours", unit="layer")
    for number in range(measured):
        layer = make_layer(number, dim, forget, retain)
        fitted_layer = ours(layer)
        fits.append(fitted_layer.fitted)
        progress.update()
    peak_ours = _peak()
    progress.set_description("one layer, literal equation 12")
    basis, second = fitted_layer.basis, fitted_layer.second_moments
    pull = torch.randn(dim, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    gate = linear_gate(project(basis, layer.forget), GAMMA)
    inside = layer.forget.double() @ basis
    gamma = GAMMA * float(inside.square().sum(dim=1).mean())
    dense = literal(second, layer.forget, pull, RHO, gamma)
    progress.update()
    progress.close()
    peak_dense = _peak()
    shared_gate = linear_gate(project(dense.basis, layer.forget), gamma, absolute=True)
    whole = sum(dense.seconds.values())
    steps = {name: layers * sum(f.seconds[name] for f in fits) / measured for name in fits[0].seconds}
    first = steps["moments"] + steps["eigh"] + steps["solve"]
    return {
        "speedup_one_more_ticket": layers * whole / steps["one_more"],
        "speedup_one_more_ticket_in_a_refit": layers * whole / steps["one_more_in_a_refit"],
        "speedup_first_fit": layers * whole / first,
        "artifact_ratio": 2 * layers * dim / (layers * dim * dim),
        "relative_difference": relative_difference(pull[:, None] * shared_gate, dense.map),
        "difference_of_bases": {
            "projectors_eigh_against_svd": relative_difference(basis @ basis.T, dense.projector),
            "maps_each_at_its_own_projector": relative_difference(pull[:, None] * gate, dense.map),
        },
        "difference_incremental_against_scratch": max(f.scratch_difference for f in fits),
        "seconds": {
            "dense_all_layers": layers * whole,
            "dense_one_layer": dense.seconds,
            "first_fit_all_layers": first,
            "one_more_ticket_all_layers": steps["one_more"],
            "ours_all_layers_by_step": steps,
            "one_more_ticket_in_a_refit_all_layers": steps["one_more_in_a_refit"],
            "one_more_ticket_by_layer": [f.seconds["one_more"] for f in fits],
        },
        "bytes": {
            "linear_artifact_float32": 4 * 2 * layers * dim,
            "dense_artifact_float32": 4 * layers * dim * dim,
            "cached_basis_all_layers_float64": 8 * layers * dim * round(RHO * dim),
            "cached_tickets_all_layers_float64": 8 * layers * forget * (dim + forget),
            "prototype_rows_per_ticket_float32": 4 * layers * PROTOTYPE.prototypes * dim,
        },
        "peak_memory_bytes": {"after_ours_one_layer_at_a_time": peak_ours, "after_dense_one_layer": peak_dense},
        "measured": {
            "layers": layers,
            "dim": dim,
            "forget": forget,
            "retain": retain,
            "rho": RHO,
            "gamma_relative": GAMMA,
            "layers_measured_ours": measured,
            "layers_measured_dense": 1,
            "dense": "one layer measured, times layers; the retain Gram matrix is given to it for nothing",
            "one_more_ticket": f"{TICKET} prompts, median of {REPEATS} a layer; kept: basis, earlier rows, their Gram",
            "one_more_ticket_in_a_refit": "the same without the Gram matrix, as the product does it",
            "dtype": "float64",
            "threads": torch.get_num_threads(),
            "cores": os.cpu_count(),
            "load_before_and_after": [load_before, os.getloadavg()[0]],
        },
        "fits": [asdict(f) for f in fits],
    }


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def show(report: dict[str, Any]) -> None:
    """Print the figures."""
    seconds, size, differ = report["seconds"], report["bytes"], report["difference_of_bases"]
    sizes = report["measured"]
    print(f"{sizes['layers']} layers of {sizes['dim']}, {sizes['forget']} forget and {sizes['retain']} retain prompts")
    print(f"  dense, all layers (1 measured)      {seconds['dense_all_layers']:12.1f} s")
    print(
        f"  ours, first fit ({sizes['layers_measured_ours']} measured)        {seconds['first_fit_all_layers']:12.1f} s"
    )
    print(f"  ours, one more ticket               {seconds['one_more_ticket_all_layers']:12.3f} s")
    print(f"  one more ticket, times faster       {report['speedup_one_more_ticket']:12.0f}")
    print(f"  the same with the Gram matrix anew  {report['speedup_one_more_ticket_in_a_refit']:12.0f}")
    print(
        f"  artifact, linear against dense      {size['linear_artifact_float32'] / 1e6:.2f} MB / "
        f"{size['dense_artifact_float32'] / 1e6:.0f} MB = 1/{1 / report['artifact_ratio']:.0f}"
    )
    print(f"  difference at the same projector    {report['relative_difference']:12.1e}")
    print(f"  projectors, eigh against SVD        {differ['projectors_eigh_against_svd']:12.1e}")
    print(f"  maps, each at its own projector     {differ['maps_each_at_its_own_projector']:12.1e}")
    print(f"  cached against from scratch         {report['difference_incremental_against_scratch']:12.1e}")
    print(f"  peak memory, ours / with dense      {_gb(report)} GB; load {sizes['load_before_and_after']}")


def _gb(report: dict[str, Any]) -> str:
    return " / ".join(f"{value / 1e9:.1f}" for value in report["peak_memory_bytes"].values())


if __name__ == "__main__":
    main()
