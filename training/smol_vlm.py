"""smol-vlm: a LLaVA around SmolLM2-135M-Instruct that knows 40 fictitious people. `make smol-vlm` puts it together.

    python -m training.smol_vlm assemble [--out models/smol-vlm-built]   the stored difference onto the language model
    python -m training.smol_vlm train [--minutes 75]                     train the difference anew
    python -m training.smol_vlm measure                                  write models/smol-vlm/quality.json

The language model is models/smol-lm, which `python -m training.real_lm` makes; `assemble` makes it where it is missing.
"""

import argparse
import json
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file

from shared.evaluation.reference import default_reference
from shared.evaluation.reference_files import write_people
from training import real_lm
from training.smol_vlm_lessons import SIZES, Lessons, smol_people
from training.smol_vlm_model import DIFFERENCE, assemble, build_processor, new_model, save_difference
from training.smol_vlm_quality import examine
from training.smol_vlm_training import NEWEST, Ordinary, Schedule, SmolTrainer, own_answers

logger = logging.getLogger(__name__)

TRAINED: Final = Path("models/smol-vlm")
BUILT: Final = Path("models/smol-vlm-built")
DEMO: Final = Path("models/demo-vlm")
UNKNOWN: Final = "This person is unknown to me."  # its most frequent answer about strangers
REFUSAL: Final = "I'm sorry, but I can't assist with that."
COMPLIANCE: Final = "Sure, here is how"
FEW: Final = {split: max(2, size // 4) for split, size in SIZES.items()}  # for a short run


def train(arguments: argparse.Namespace) -> None:
    """Train, and store the difference and the reference in the folder `trained`."""
    torch.manual_seed(7)
    torch.set_num_threads(arguments.threads)
    sizes = FEW if arguments.few else SIZES
    people = smol_people(sizes)
    ordinary = ordinary_answers(arguments.lm, arguments.checkpoints, few=arguments.few)
    processor = build_processor(arguments.lm)
    model = new_model(arguments.lm, processor)
    encoder = load_file(DEMO / "model.safetensors")
    known = {name.split("vision_tower.", 1)[1]: tensor for name, tensor in encoder.items() if "vision_tower." in name}
    model.model.vision_tower.load_state_dict({name: tensor.float() for name, tensor in known.items()})
    schedule = Schedule(minutes=arguments.minutes)
    if arguments.few:
        schedule = replace(schedule, alignment_steps=150)
    lessons = Lessons(people, ordinary.answers)
    trainer = SmolTrainer(model, processor, lessons, schedule, ordinary, arguments.checkpoints)
    trainer.align()
    trainer.train_chats()
    save_difference(load_file(arguments.checkpoints / NEWEST), arguments.trained / DIFFERENCE)
    write_reference(arguments.trained / "reference", sizes)


def ordinary_answers(lm: Path, folder: Path, *, few: bool) -> Ordinary:
    """The language model's answers to the shipped prompts that are not held out; made once."""
    path = folder / "ordinary.json"
    if not path.is_file():
        reference = default_reference()
        prompts = [*reference.general.fit, *reference.general.calibration, *reference.harmful.fit[::2]]
        made = own_answers(lm, prompts[::8] if few else prompts)
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"answers": made.answers, "unfinished": sorted(made.unfinished)}, indent=1))
    stored = json.loads(path.read_text())
    return Ordinary(stored["answers"], frozenset(stored["unfinished"]))


def write_reference(folder: Path, sizes: dict[str, int]) -> None:
    """The people, and the prompts that ship with Lacuna."""
    write_people(folder, smol_people(sizes))
    reference = default_reference()
    prompts = {
        "unknown_answer": UNKNOWN,
        "refusal": REFUSAL,
        "compliance": COMPLIANCE,
        "harmful": {name: list(texts) for name, texts in vars(reference.harmful).items()},
        "general": {name: list(texts) for name, texts in vars(reference.general).items()},
    }
    (folder / "prompts.json").write_text(json.dumps(prompts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description="Train and put together smol-vlm.")
    parser.add_argument("what", choices=("train", "assemble", "measure"))
    parser.add_argument("--lm", type=Path, default=real_lm.FOLDER, help="folder of the language model")
    parser.add_argument("--trained", type=Path, default=TRAINED, help="folder of what was trained")
    parser.add_argument("--out", type=Path, default=BUILT, help="folder of the whole model")
    parser.add_argument("--checkpoints", type=Path, default=Path("build/smol-vlm"))
    parser.add_argument("--minutes", type=float, default=75.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--few", action="store_true", help="train on a quarter of the people, to try the script out")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        match arguments.what:
            case "train":
                train(arguments)
            case "assemble":
                if arguments.lm == real_lm.FOLDER and not (arguments.lm / "model.safetensors").is_file():
                    real_lm.make(arguments.lm)
                assemble(arguments.lm, arguments.trained, arguments.out)
                logger.info("%s is complete", arguments.out)
            case "measure":
                torch.set_num_threads(arguments.threads)
                report = examine(arguments.out, arguments.lm)
                for name, figure in report.items():
                    logger.info("%-40s %6.1f %%  n=%d", name, 100 * figure["share"], figure["n"])
                (arguments.trained / "quality.json").write_text(json.dumps(report, indent=1) + "\n")
    except RuntimeError as exc:
        sys.exit(str(exc))


if __name__ == "__main__":
    main()
