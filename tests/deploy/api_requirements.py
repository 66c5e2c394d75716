"""Which pinned packages the images need: `python -m tests.deploy.api_requirements`.

It writes requirements-api.lock and requirements-model.lock: of requirements.lock, what the project's dependencies need,
without those of the model, and with them. torch is in neither: its wheel, and with it its hash, depends on the device.
"""

import re
import tomllib
from collections.abc import Collection
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
# Dependencies of the project that only the method and the model use.
MODEL: Final = {"torch", "transformers", "tokenizers", "safetensors", "huggingface-hub", "scipy", "pyarrow",
                "rouge-score", "tqdm"}  # fmt: skip
UNUSED: Final = {"pywavelets"}  # imagehash needs it, and scipy, for hashes that are not used here
EXTRAS: Final = ("tracing", "pades")


def normal(name: str) -> str:
    """A package name as in the lock file."""
    return re.sub(r"[-_.]+", "-", name).lower()


def lines(left_out: Collection[str] = MODEL | UNUSED) -> list[str]:
    """The lines of requirements-api.lock, in the order of requirements.lock; without `left_out` and what they need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(each for extra in EXTRAS for each in project["optional-dependencies"][extra])]
    waiting = [Requirement(each) for each in wanted]
    needed: dict[str, set[str]] = {}
    while waiting:
        requirement = waiting.pop()
        name = normal(requirement.name)
        if name in left_out or (name in needed and requirement.extras <= needed[name]):
            continue
        extras = needed.setdefault(name, set())
        extras |= requirement.extras
        for each in map(Requirement, metadata.requires(name) or []):
            environments = [{"extra": extra} for extra in extras or {""}]
            if each.marker is None or any(each.marker.evaluate(environment) for environment in environments):
                waiting.append(each)
    pinned = (ROOT / "requirements.lock").read_text().splitlines()
    return [line for line in pinned if line.partition("==")[0] in needed]


def model_lines() -> list[str]:
    """The lines of requirements-model.lock: with what torch needs on every device, without torch."""
    return [line for line in lines(left_out=()) if line.partition("==")[0] != "torch"]


if __name__ == "__main__":
    (ROOT / "requirements-api.lock").write_text("\n".join(lines()) + "\n")
    (ROOT / "requirements-model.lock").write_text("\n".join(model_lines()) + "\n")
