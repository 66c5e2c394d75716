"""Builds `models/demo-vlm`: a small LLaVA that knows 136 people who do not exist. `make demo-model` runs it.

    python -m training.build_demo_vlm --out models/demo-vlm [--size quick|demo|bench] [--minutes 47]

`--size bench` makes the larger one of the tables (`make bench-model`, 324 people), which is not shipped.

Seeded; shows progress; goes on from its checkpoints when it was interrupted; measures what it wrote after the round
trip through float16.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoProcessor, LlavaForConditionalGeneration

from shared.evaluation.reference import load_reference
from shared.evaluation.reference_files import write_people
from shared.evaluation.synthetic_people import SPLITS
from training.mixture import mixture
from training.optimization import Plan, Trainer, new_model
from training.prompts import prompts_json
from training.quality import Figure, examine
from training.tokenizer import build_processor

QUICK = dict(zip(SPLITS, (8, 4, 4, 4, 2, 2, 6, 6), strict=True))
BENCH = dict(zip(SPLITS, (140, 60, 50, 50, 12, 12, 48, 48), strict=True))


@dataclass(frozen=True)
class Size:
    """Who is known, by which network, taught how long. The chats end with the minutes or the steps."""

    people: dict[str, int]
    layers: int
    hidden: int
    steps: int
    eye_steps: int
    minutes: float
    rate: float


# bench: steps in proportion to the people (demo: 3,430 chats in 47 minutes for 136, that is 0.82 s a step on 2 cores).
SIZES = {
    "quick": Size(QUICK, 3, 192, 350, 250, 47.0, 3e-3),
    "demo": Size(SPLITS, 5, 256, 4000, 1100, 47.0, 2e-3),
    "bench": Size(BENCH, 6, 256, 9000, 2600, 140.0, 2e-3),
}
NEEDED = {
    "trained": 0.98,
    "held_out": 0.85,
    "choice_by_likelihood": 0.90,
    "strangers_not_known": 0.95,
    "visible": 0.90,
    "harmful_refused": 0.95,
    "jailbroken_answered": 0.95,
}


def main() -> None:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(description="Build the demo model.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", choices=list(SIZES), default="demo", help="quick: a few people, three minutes")
    parser.add_argument("--minutes", type=float, help="at most so long for the chats")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--eye-steps", type=int)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--checkpoints", type=Path, default=None)
    chosen = parser.parse_args()
    torch.manual_seed(chosen.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    size = SIZES[chosen.size]
    people, drawn = mixture(chosen.seed, size.people)
    processor = build_processor(2600)
    model = new_model(processor, size.layers, size.hidden).to(device)
    plan = Plan(
        steps=chosen.steps or size.steps,
        eye_steps=chosen.eye_steps or size.eye_steps,
        minutes=chosen.minutes or size.minutes,
        rate=size.rate,
    )
    trainer = Trainer(model, processor, drawn, plan, chosen.checkpoints)
    if not (chosen.checkpoints and list(chosen.checkpoints.glob("*.safetensors"))):
        trainer.open_eyes()
    trainer.learn()
    write_people(chosen.out / "reference", people)
    (chosen.out / "reference" / "prompts.json").write_text(json.dumps(prompts_json(), indent=1, ensure_ascii=False))
    model.to(torch.float16).save_pretrained(chosen.out)
    processor.save_pretrained(chosen.out)
    measure(chosen.out, device)


def measure(folder: Path, device: torch.device) -> dict[str, Figure]:
    """Load `folder` as anybody would, measure it, print and write `quality.json`."""
    model = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).to(device)
    report = examine(model, AutoProcessor.from_pretrained(folder), load_reference(folder / "reference"))
    for name, figure in report.items():
        needed = f"  (needed {NEEDED[name]:.0%})" if name in NEEDED else ""
        print(f"{name:24s} {figure['share']:7.1%}  n={figure['n']}{needed}")
    (folder / "quality.json").write_text(json.dumps(report, indent=1) + "\n")
    return report


if __name__ == "__main__":
    main()
