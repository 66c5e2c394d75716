"""Writes fictitious people in the published format of MLLMU-Bench, file by file and column by column, for tests.

`mllmu.py` reads these files. Public figures take the place of the celebrities; the pictures of Test_Set are strongly
changed ones.
"""

import io
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from shared.evaluation.mllmu_tasks import task_columns
from shared.evaluation.people import Person
from shared.probes.image_changes import changed


def write_benchmark(folder: Path, people: Sequence[Person], celebrities: Sequence[Person], seed: int = 0) -> None:
    """Write every split: forget and retain at 5, 10 and 15 % (nested by seed), the other three, and ft_Data."""
    order = list(people)
    random.Random(f"{seed}/mllmu").shuffle(order)
    for percent in (5, 10, 15):
        count = max(1, round(len(order) * percent / 100))
        _write(folder, f"forget_{percent}", [_row(person, seed) for person in order[:count]])
        _write(folder, f"retain_{100 - percent}", [_row(person, seed) for person in order[count:]])
    largest = order[: max(1, round(len(order) * 15 / 100))]
    _write(folder, "Test_Set", [_test_row(person, seed) for person in largest])
    _write(folder, "Full_Set", [_row(person, seed) for person in people])
    _write(folder, "Retain_Set", [_row(person, seed) for person in celebrities])
    _write(folder, "ft_Data", [_training_row(person, seed) for person in people])


def _write(folder: Path, split: str, rows: list[dict[str, Any]]) -> None:
    (folder / split).mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / split / "train-00000-of-00001.parquet", compression="zstd")


def _row(person: Person, seed: int) -> dict[str, Any]:
    return {"ID": person.id, "image": _stored(person.subject.photos[0], person.id), **task_columns(person, seed)}


def _test_row(person: Person, seed: int) -> dict[str, Any]:
    rng = random.Random(f"{seed}/{person.id}/test")
    photos = [changed(person.subject.photos[0], "test", rng) for _ in range(2)]
    return {
        "ID": person.id,
        "images": [_stored(photo, f"{person.id}-{i}") for i, photo in enumerate(photos)],
        **task_columns(person, seed + 1),
    }


def _training_row(person: Person, seed: int) -> dict[str, Any]:
    entries = [entry for entry in task_columns(person, seed)["Generation_Task"] if entry["Type"] == "Image_Textual"]
    return {
        "ID": person.id,
        "image": _stored(person.subject.photos[0], person.id),
        "metadata": json.dumps([{"Question": entry["Question"], "Answer": entry["Ground_Truth"]} for entry in entries]),
    }


def _stored(image: Image.Image, name: str) -> dict[str, Any]:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": f"{name}.png"}
