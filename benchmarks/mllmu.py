"""Makes the `reference/` folder of a model that was fine-tuned on MLLMU-Bench, from the published files.

    python -m benchmarks.mllmu FOLDER --out MODEL/reference [--borrow models/demo-vlm/reference]
        [--refusal TEXT] [--unknown TEXT] [--seed 0]

FOLDER holds forget_5, forget_10, forget_15, Full_Set, Retain_Set and ft_Data, as they are downloaded. Strangers and
prompts are borrowed from another reference; `--refusal` and `--unknown` must be the model's own sentences. This needs
no model.
"""

import argparse
from collections import Counter
from pathlib import Path

from shared.errors import LacunaError
from shared.evaluation.mllmu_reference import MllmuReference, write_reference
from shared.evaluation.people import SPLITS


def main() -> None:
    """Read the command line, write the folder, print who is in it; unusable files end with exit code 2."""
    parser = argparse.ArgumentParser(description="A reference folder from the files of MLLMU-Bench.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--borrow", type=Path, default=Path("models/demo-vlm/reference"))
    parser.add_argument("--refusal", help="how the model refuses a harmful request")
    parser.add_argument("--unknown", help="what the model says of people whom it does not know")
    parser.add_argument("--seed", type=int, default=0, help="who is in which split, and in which order forgotten")
    args = parser.parse_args()
    try:
        reference = write_reference(
            args.folder,
            args.out,
            args.borrow,
            refusal=args.refusal,
            unknown=args.unknown,
            seed=args.seed,
        )
    except LacunaError as exc:
        parser.error(exc.detail)
    print(summary(reference))


def summary(reference: MllmuReference) -> str:
    """People and facts a person by split, who was left out, who is taught."""
    lines = ["split             people  facts a person"]
    for split in SPLITS:
        facts = [len(person.subject.facts) for person in reference.people if person.split == split]
        lines.append(f"{split:<16}{len(facts):>8}  {min(facts)}-{max(facts)}, mean {sum(facts) / len(facts):.1f}")
    lines += [f"left out: {count} {reason}" for reason, count in Counter(reference.excluded).most_common()]
    lines.append(f"taught in ft_Data with the same picture: {reference.trained} of the fictitious people")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
