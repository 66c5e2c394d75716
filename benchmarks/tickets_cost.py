"""What 1, 64 and 1,000 tickets cost at d = 4096: bytes of their fits, and the decision beside one decoder block.

    python -m benchmarks.tickets_cost [--dim 4096] [--blocks 32] [--tickets 1,64,1000] [--json FILE]

One gated layer is measured (whitener, cosines, nearest rows, best ticket; for the identity gate one picture and 64
tokens of text) and multiplied by the number of gated layers. The block is that of LLaVA-1.5-7B (attention and gated MLP
of 11,008, without the attention scores), in float32 as the rows are. The rows are random unit vectors, since the cost
of a decision does not depend on their values. The figures say nothing about forgetting.
"""

import argparse
import json
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from shared.erasure.gates.identity import IdentityGate
from shared.erasure.gates.identity_fit import IdentityFit, IdentitySpaces
from shared.erasure.gates.name_windows import WINDOW
from shared.erasure.gates.prototype import similarities
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.readout import RaggedRows, Readout
from shared.erasure.recipe import LACUNA, PROTOTYPE

PREFILL: Final = 640  # tokens of a prompt with one picture (576 of them) in LLaVA-1.5
MLP: Final = 11008 / 4096
REPEATS: Final = 5
# (name, prototypes a ticket and layer, gated layers, bytes a number): the recipe, then what would make it smaller.
PHOTOS, SPELLINGS, TEXT = 2, 3, 64  # of a ticket of the identity gate; and tokens of text in a prompt
SHAPES: Final = (
    ("lacuna, all layers, float32", None, None, 4),
    ("lacuna, 4 layers, float32", None, 4, 4),
    ("prototype, float32 (in memory)", PROTOTYPE.prototypes, None, 4),
    ("prototype, float16 (as stored)", PROTOTYPE.prototypes, None, 2),
    ("12 prototypes, 8 layers, float32", 12, 8, 4),
    ("12 prototypes, 8 layers, float16", 12, 8, 2),
)


def main() -> None:
    """Read the command line, measure, print and write the report."""
    parser = argparse.ArgumentParser(description="Bytes and decision time of 1, 64 and 1,000 tickets.")
    parser.add_argument("--dim", type=int, default=4096)
    parser.add_argument("--blocks", type=int, default=32)
    parser.add_argument("--tickets", default="1,64,1000")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    report = measure(args.dim, args.blocks, [int(count) for count in args.tickets.split(",")])
    show(report)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(report, indent=1) + "\n")


def measure(dim: int, blocks: int, tickets: list[int]) -> dict[str, Any]:
    """Measure every shape at every number of tickets, and the decoder block for comparison."""
    load_before = os.getloadavg()[0]
    block = {"decode_s": block_seconds(dim, 1), "prefill_s": block_seconds(dim, PREFILL)}
    decisions: list[dict[str, Any]] = []
    with tqdm(total=len(SHAPES) * len(tickets), desc="decisions") as progress:
        for name, prototypes, layers, size in SHAPES:
            gated = layers or blocks
            for count in tickets:
                if prototypes is None:
                    seconds, vectors = identity_seconds(dim, count), PHOTOS + SPELLINGS * WINDOW
                else:
                    kind = torch.float16 if size == 2 else torch.float32
                    seconds, vectors = decision_seconds(dim, count, prototypes, kind), prototypes
                decisions.append(
                    {
                        "shape": name,
                        "tickets": count,
                        "gated_layers": gated,
                        "bytes_per_ticket": size * gated * vectors * dim,
                        "bytes": size * gated * vectors * dim * count,
                        "decision_s_per_layer": seconds,
                        "decision_s": seconds * gated,
                        "of_a_block_prefill": seconds / block["prefill_s"],
                        "of_all_blocks_prefill": seconds * gated / (block["prefill_s"] * blocks),
                        "of_all_blocks_decode": seconds * gated / (block["decode_s"] * blocks),
                    }
                )
                progress.update()
    return {
        "dim": dim,
        "blocks": blocks,
        "prefill_tokens": PREFILL,
        "block_seconds": block,
        "decisions": decisions,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "threads": torch.get_num_threads(),
        "load_before_and_after": [load_before, os.getloadavg()[0]],
        "measured": f"one gated layer, one request, median of {REPEATS}; times the gated layers",
    }


def decision_seconds(dim: int, tickets: int, prototypes: int, dtype: torch.dtype) -> float:
    """Seconds of one request at one gated layer: whiten, compare with all rows, choose the best ticket."""
    source = torch.Generator().manual_seed(tickets)
    rank = min(PROTOTYPE.whitener_rank, dim)
    basis, _ = torch.linalg.qr(torch.randn(dim, rank, generator=source))
    whitener = Whitener(torch.zeros(1, dim), basis[None], torch.ones(1, rank), torch.ones(1))
    drawn = F.normalize(torch.randn(1, prototypes, dim, generator=source), dim=-1)
    # Rotated copies of one draw: rows of their own in memory, quickly made.
    rows = [drawn.roll(number, dims=-1).to(dtype) for number in range(tickets)]
    asked = torch.randn(1, 1, dim, generator=source)

    def decide() -> Tensor:
        return similarities(whitener(asked), rows, PROTOTYPE.neighbours).max(dim=1).values

    return median_seconds(decide, REPEATS)


def identity_seconds(dim: int, tickets: int) -> float:
    """Seconds of one request with a picture and TEXT tokens at one gated layer, against all photographs and names."""
    source = torch.Generator().manual_seed(tickets)
    rank = min(LACUNA.whitener_rank, dim)
    basis, _ = torch.linalg.qr(torch.randn(dim, rank, generator=source))
    whitener = Whitener(torch.zeros(1, dim), basis[None], torch.ones(1, rank), torch.ones(1))
    photos = F.normalize(torch.randn(PHOTOS, 1, dim, generator=source), dim=-1)
    names = F.normalize(torch.randn(SPELLINGS, WINDOW, 1, dim, generator=source), dim=-1)
    lengths = torch.full((SPELLINGS,), WINDOW)
    rows = tuple(
        IdentityFit(photos.roll(number, dims=-1), names.roll(number, dims=-1), lengths, lengths, torch.ones(2))
        for number in range(tickets)
    )
    every = torch.ones(tickets, 2)
    spaces = IdentitySpaces(whitener, whitener, None)
    gate = IdentityGate(tuple(str(number) for number in range(tickets)), rows, every, every, spaces)
    asked = Readout(
        torch.zeros(1, 1, dim),
        RaggedRows(torch.randn(1, 1, dim, generator=source), torch.zeros(1, dtype=torch.long)),
        RaggedRows(torch.randn(TEXT, 1, dim, generator=source), torch.zeros(TEXT, dtype=torch.long)),
        RaggedRows.none(1, dim),
    )
    return median_seconds(lambda: gate.scores(asked), REPEATS)


def block_seconds(dim: int, tokens: int) -> float:
    """Seconds of the matrix products of one decoder block over `tokens` tokens."""
    wide = round(dim * MLP)
    into = torch.randn(4 * dim, dim) * 0.01  # queries, keys, values, output
    up, down = torch.randn(2 * wide, dim) * 0.01, torch.randn(dim, wide) * 0.01
    stream = torch.randn(tokens, dim)

    def forward() -> Tensor:
        mixed = stream + (stream @ into.T)[:, :dim]
        gate, value = (mixed @ up.T).chunk(2, dim=-1)
        return mixed + (F.silu(gate) * value) @ down.T

    return median_seconds(forward, 3)


def median_seconds(work: Callable[[], Tensor], repeats: int) -> float:
    """Median wall time of `repeats` calls, after one call that warms up."""
    work()
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return sorted(taken)[repeats // 2]


def show(report: dict[str, Any]) -> None:
    """Print a table."""
    block = report["block_seconds"]
    print(f"one block: {block['prefill_s']:.3f} s prefill of {PREFILL}, {block['decode_s'] * 1e3:.1f} ms a token")
    print(f"{'rows':34s} {'tickets':>7s} {'MB a ticket':>12s} {'GB':>8s} {'decision':>11s} {'of prefill':>10s}")
    for decision in report["decisions"]:
        megabytes, gigabytes = decision["bytes_per_ticket"] / 1e6, decision["bytes"] / 1e9
        print(
            f"{decision['shape']:34s} {decision['tickets']:7d} {megabytes:12.1f} {gigabytes:8.2f} "
            f"{decision['decision_s'] * 1e3:8.1f} ms {decision['of_all_blocks_prefill']:10.2%}"
        )


if __name__ == "__main__":
    main()
