"""One setting for each baseline, tuned with the same budget on people who are never evaluated."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from benchmarks.paper.cells import CellStore
from benchmarks.paper.systems import PaperBenchmark
from shared.baselines.base import Settings
from shared.baselines.registry import BASELINES
from shared.baselines.tuning import Budget, draw_validation, tune


def tune_baselines(
    benchmark: PaperBenchmark, store: CellStore, names: Sequence[str], evaluated: Collection[str], budget: Budget
) -> dict[str, Settings]:
    """Settings by baseline, tuned once and kept beside the cells; `evaluated`: ids of people forgotten in any table."""
    depends = [store.model, store.reference, store.code, sorted(evaluated), asdict(budget)]
    digest = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:16]
    settings: dict[str, Settings] = {}
    with tqdm(names, desc="tuning the baselines") as bar:
        for name in bar:
            bar.set_postfix_str(name)
            path = store.folder / f"tuning-{name}-{digest}.json"
            if not path.is_file():
                on = draw_validation(benchmark.reference, without=evaluated)
                tuned = tune(benchmark.engine, BASELINES[name], on, budget, progress=bar.set_postfix_str)
                _write(path, json.dumps(tuned.as_json(), indent=1) + "\n")
            settings[name] = Settings(**json.loads(path.read_text())["settings"])
    return settings


def _write(path: Path, text: str) -> None:
    """Write the file atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".half")
    half.write_text(text)
    half.replace(path)
