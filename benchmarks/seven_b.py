"""Speed and memory at the real LLaVA-1.5-7B and Qwen2.5-VL-7B shapes, with random weights, on a GPU.

    python -m benchmarks.seven_b [--json FILE] [--prompts 128] [--families llava,qwen2_5_vl,qwen3_vl,gemma3] [--tiny]

Measured: capture, basis, refit, peak memory, and what steering costs in prefill and decode at batch sizes 1 and 32. The
speed of steering is a ratio to the speed without it, the median of interleaved pairs. The weights are random, so the
figures say nothing about quality. `--tiny` runs the same code on tiny models and the CPU; its figures mean nothing.
"""

import argparse
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch
from PIL import Image
from tqdm import tqdm

from benchmarks.random_models import build
from benchmarks.random_shapes import Size
from shared.domain.prompts import Prompt
from shared.erasure.assembly import assemble
from shared.erasure.eraser import Eraser
from shared.erasure.prepare import IdentityTrainingSet, Reread, RowsOfBatch, prepare, prepare_identity
from shared.erasure.recipe import LACUNA, PAPER, PROTOTYPE, Recipe
from shared.erasure.ticket_fit import fit_identity, fit_ticket
from shared.vlm import capture
from shared.vlm.engine import Engine
from shared.vlm.generation import GenerationRequest
from shared.vlm.loading import wrap

MEASURED: Final = ("llava", "qwen2_5_vl")  # unless others are asked for: those two take minutes
TICKET_PROMPTS: Final = 14
BATCHES: Final = (1, 32)
PEOPLE: Final = 8  # of the identity gate's statistics
CHANGES: Final = 4  # questions about each of them


def main() -> None:
    """Read the command line, measure each family, print and write the report."""
    parser = argparse.ArgumentParser(description="Speed and memory at 7B shapes.")
    parser.add_argument("--prompts", type=int, default=128, help="retain prompts that are captured")
    parser.add_argument("--pairs", type=int, default=5, help="interleaved pairs of a ratio")
    parser.add_argument("--decode", type=int, default=32, help="tokens that are decoded")
    parser.add_argument("--families", default=",".join(MEASURED))
    parser.add_argument("--tiny", action="store_true", help="tiny models on the CPU: only to see that it runs")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if not args.tiny and not torch.cuda.is_available():
        print("There is no GPU here: the figures at 7B shapes have to wait for one.", file=sys.stderr)
        raise SystemExit(2)
    report: dict[str, Any] = {
        "device": "cpu" if args.tiny else torch.cuda.get_device_name(),
        "size": "tiny" if args.tiny else "7b",
        "families": {},
    }
    for family in args.families.split(","):
        report["families"][family] = measure(
            family, "tiny" if args.tiny else "7b", args.prompts, args.pairs, args.decode
        )
        if args.json:  # after each family, so that a run which is cut short has measured something
            args.json.parent.mkdir(parents=True, exist_ok=True)
            args.json.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


@dataclass(frozen=True)
class TimedRefit:
    """The eraser of one ticket, and what it took: seconds, and the bytes of the ticket fit."""

    eraser: Eraser
    basis_s: float
    ticket_capture_s: float
    ticket_fit_s: float
    ticket_bytes: int

    def figures(self) -> dict[str, float]:
        """The figures without the eraser, under the keys of the report."""
        return {
            "basis_s": self.basis_s,
            "ticket_capture_s": self.ticket_capture_s,
            "ticket_fit_s": self.ticket_fit_s,
            "ticket_bytes": float(self.ticket_bytes),
        }


def measure(family: str, size: Size, count: int, pairs: int, decode: int) -> dict[str, Any]:
    """Measure all figures of one family: seconds, bytes, tokens per second, ratios."""
    torch.manual_seed(0)
    device, dtype = ("cpu", torch.float32) if size == "tiny" else ("cuda", torch.bfloat16)
    model, processor = build(family, size, device=device, dtype=dtype)
    vlm = wrap(model, processor)
    model.generation_config.eos_token_id = -1  # no answer ends early
    engine = Engine(vlm)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    site = engine.vlm.site
    asked = _prompts(count, size)
    capture.activations(engine, asked[:2])  # warms up
    with _timed(device) as capturing:
        retain = capture.activations(engine, asked)
    directions = torch.randn(len(site.layers), site.hidden_size, generator=torch.Generator().manual_seed(1))
    report: dict[str, Any] = {
        "parameters": sum(value.numel() for value in model.parameters()),
        "layers": len(site.layers),
        "hidden": site.hidden_size,
        "prompt_tokens": len(engine.vlm.adapter.encode(asked[:1])[0].ids),
        "prompts": count,
        "pairs": pairs,
        "capture_prompts_per_s": count / capturing(),
    }
    refits: dict[str, TimedRefit] = {}
    for recipe in (PROTOTYPE, PAPER):
        whole = replace(recipe, layers=None, gate_layers=None)  # all layers: the most expensive case
        refits[recipe.name] = _refit(engine, whole, retain, directions, asked, device)
    refits["lacuna"] = _refit_identity(engine, directions, asked, device)
    report |= {name: refit.figures() for name, refit in refits.items()}
    never, always = 1e9, -1e9  # thresholds
    variants = {
        "lacuna_silent": replace(refits["lacuna"].eraser, threshold=never),  # decides, watches the answer, never fires
        "lacuna_fired": replace(
            refits["lacuna"].eraser, threshold=always
        ),  # read again with nobody there, and a held pull
        "prototype_silent": replace(refits["prototype"].eraser, threshold=never),
        "prototype_fired": replace(refits["prototype"].eraser, threshold=always),
        "paper": refits["paper"].eraser,
    }
    report["steering"] = {
        f"batch_{batch}": _overheads(engine, asked[:1] * batch, variants, pairs, decode, device)
        for batch in tqdm(BATCHES, desc=family)
    }
    report["peak_bytes"] = (
        torch.cuda.max_memory_allocated()
        if device == "cuda"
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    )
    report["peak_host_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return report


def _refit(
    engine: Engine, recipe: Recipe, retain: torch.Tensor, directions: torch.Tensor, asked: list[Prompt], device: str
) -> TimedRefit:
    """Statistics of all layers (moments, bases or whitener), then one ticket: its capture, rows and eraser."""
    names = [f"person {place}" for place in range(len(retain))]
    with _timed(device) as basis:
        base = prepare(
            recipe, engine.vlm.site, retain=retain, calibration=retain, identities=names, directions=directions
        )
    with _timed(device) as captured:
        forget = capture.activations(engine, asked[:TICKET_PROMPTS])
    with _timed(device) as fitted:
        rows = fit_ticket(recipe, base, "T-1", forget)
        eraser = assemble(recipe, base, engine.vlm.site, [rows])
    return TimedRefit(eraser, basis(), captured(), fitted(), len(rows.to_bytes()))


def _refit_identity(engine: Engine, directions: torch.Tensor, asked: list[Prompt], device: str) -> TimedRefit:
    """The same for the default recipe, whose gate reads pictures and names: PEOPLE of them, CHANGES questions each."""
    site, recipe = engine.vlm.site, replace(LACUNA, layers=None, gate_layers=None)
    pictures = [prompt.images[0] for prompt in asked[: PEOPLE + 1]]

    def face(place: int) -> torch.Tensor:
        return capture.readout(
            engine, [Prompt.ask(f"Who is this? {i}", pictures[place]) for i in range(CHANGES)]
        ).pictures.rows

    def name(place: int) -> list[torch.Tensor]:
        word = f"Mara N{place}"
        return capture.mention_states(
            engine, [Prompt.ask(f"{i}: who is {word}?") for i in range(CHANGES)], [word] * CHANGES
        )

    mentions = [Prompt.ask(f"Where does Ivo {i} live?") for i in range(PEOPLE)]
    harmless = [Prompt.ask("What colour is it?", picture) for picture in pictures[:PEOPLE]]
    with _timed(device) as basis:
        seen = IdentityTrainingSet(
            faces=Reread(lambda: map(face, range(PEOPLE))),
            names=Reread(lambda: (torch.stack([mention[-1] for mention in name(place)]) for place in range(PEOPLE))),
            pictures=Reread(
                lambda: (RowsOfBatch(at, part.pictures) for at, part in capture.readout_batches(engine, asked[:PEOPLE]))
            ),
            words=Reread(
                lambda: (RowsOfBatch(at, part.words) for at, part in capture.readout_batches(engine, mentions))
            ),
            people=PEOPLE,
            facts=Reread(lambda: capture.activation_windows(engine, asked[:PEOPLE])),
            harmless=Reread(lambda: capture.activation_windows(engine, harmless)),
        )
        base = prepare_identity(recipe, site, seen, directions=directions, decode_directions=directions)
    with _timed(device) as captured:
        photo, names = face(PEOPLE), name(PEOPLE)
    with _timed(device) as fitted:
        rows = fit_identity(recipe, base, "T-1", [photo], [names])
        eraser = assemble(recipe, base, site, [rows])
    return TimedRefit(eraser, basis(), captured(), fitted(), len(rows.to_bytes()))


@dataclass(frozen=True)
class _Seconds:
    """Seconds of prefill (with the decision, and the second reading of what fires) and of decoding."""

    prefill: float
    decode: float


@dataclass(frozen=True)
class _Pair:
    """The same batch without an eraser and, directly after, with one."""

    base: _Seconds
    steered: _Seconds


def _overheads(
    engine: Engine, asked: list[Prompt], variants: Mapping[str, Eraser], pairs: int, decode: int, device: str
) -> dict[str, Any]:
    """Tokens per second without an eraser, and for each variant the share of them that is left (1: costs nothing)."""
    rows = engine.vlm.adapter.encode(asked)
    prompt_tokens = sum(len(row.ids) for row in rows)

    def once(eraser: Eraser | None) -> _Seconds:
        with engine.lock, torch.inference_mode():
            with _timed(device) as prefill:
                engine.answer(rows, GenerationRequest(eraser))
            with _timed(device) as whole:
                engine.answer(rows, GenerationRequest(eraser, decode + 1))
        return _Seconds(prefill(), max(whole() - prefill(), 1e-9))

    once(None)  # warms up
    plain: list[_Seconds] = []
    paired: dict[str, list[_Pair]] = {name: [] for name in variants}
    for _ in range(pairs):
        for name, eraser in variants.items():
            pair = _Pair(once(None), once(eraser))
            plain.append(pair.base)
            paired[name].append(pair)
    return {
        "prefill_tokens_per_s": prompt_tokens / statistics.median(base.prefill for base in plain),
        "decode_tokens_per_s": decode * len(rows) / statistics.median(base.decode for base in plain),
        "speed_left": {
            name: {
                "prefill": statistics.median(pair.base.prefill / pair.steered.prefill for pair in timed),
                "decode": statistics.median(pair.base.decode / pair.steered.decode for pair in timed),
            }
            for name, timed in paired.items()
        },
    }


def _prompts(count: int, size: Size) -> list[Prompt]:
    """Noise pictures of 336 x 336 (tiny: 56 x 56) with one question: 576 tokens a picture, 144 for Qwen."""
    side = 56 if size == "tiny" else 336
    source = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (count, side, side, 3), generator=source, dtype=torch.uint8)
    return [
        Prompt.ask("Who is this person and where does she live?", Image.fromarray(pixels.numpy())) for pixels in noise
    ]


@contextmanager
def _timed(device: str) -> Iterator[Callable[[], float]]:
    """Seconds of the block, the GPU's work included; asked for after it."""
    took: list[float] = []
    if device == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    yield lambda: took[0]
    if device == "cuda":
        torch.cuda.synchronize()
    took.append(time.perf_counter() - began)


if __name__ == "__main__":
    main()
