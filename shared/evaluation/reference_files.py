"""Reference people on disk: one parquet file for each split, in the MLLMU-Bench columns and a few more (`lacuna_*`).

This is how the people beside a trained model are stored. `lacuna_features` is written for fictitious people and never
read. An operator gives people in the format of `people_files.py`.
"""

import hashlib
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from shared.domain.subjects import Fact, Subject
from shared.errors import BadInput
from shared.evaluation.mllmu_tasks import task_columns
from shared.evaluation.people import Person
from shared.evaluation.synthetic_people import SyntheticPerson


def write_people(folder: Path, people: Iterable[Person]) -> None:
    """Write `<folder>/<split>.parquet` for every split among `people`."""
    folder.mkdir(parents=True, exist_ok=True)
    by_split: dict[str, list[dict[str, Any]]] = {}
    for person in people:
        by_split.setdefault(person.split, []).append(_row(person))
    for split, rows in by_split.items():
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{split}.parquet", compression="zstd")


def read_people(path: Path) -> list[Person]:
    """Read the people of one file; raises BadInput where a column is missing."""
    rows = pq.read_table(path).to_pylist()
    try:
        return [_person(row, path.stem) for row in rows]
    except KeyError as exc:
        raise BadInput(f"{path} has no column {exc}: it is not a reference file.") from exc


def folder_digest(folder: Path) -> str:
    """sha256 (hex) over every file of `folder`, by name and content."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(str(path.relative_to(folder)).encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _row(person: Person) -> dict[str, Any]:
    features = {"lacuna_features": json.dumps(person.features.as_dict())} if isinstance(person, SyntheticPerson) else {}
    return {
        "ID": person.id,
        "image": _stored(person),
        **task_columns(person),
        "lacuna_names": list(person.subject.names),
        "lacuna_facts": json.dumps(
            [{"attribute": f.attribute, "value": f.value, "aliases": list(f.aliases)} for f in person.subject.facts]
        ),
        "lacuna_visible": json.dumps(dict(person.visible)),
        "lacuna_options": json.dumps({attribute: list(wrong) for attribute, wrong in person.options.items()}),
        **features,
        "lacuna_namesake_of": person.namesake_of,
        "lacuna_lookalike_of": person.lookalike_of,
    }


def _stored(person: Person) -> dict[str, Any] | None:
    """The first photograph as a picture column holds it; None for a person without one."""
    if not person.subject.photos:
        return None
    buffer = io.BytesIO()
    person.subject.photos[0].save(buffer, "PNG", optimize=True)
    return {"bytes": buffer.getvalue(), "path": f"{person.id}.png"}


def _person(row: dict[str, Any], split: str) -> Person:
    image = row["image"]
    photos = (Image.open(io.BytesIO(image["bytes"])).convert("RGB"),) if image is not None else ()
    facts = tuple(
        Fact(fact["attribute"], fact["value"], tuple(fact["aliases"])) for fact in json.loads(row["lacuna_facts"])
    )
    return Person(
        id=row["ID"],
        split=split,
        subject=Subject(tuple(row["lacuna_names"]), photos, facts),
        visible=json.loads(row["lacuna_visible"]),
        options={attribute: tuple(wrong) for attribute, wrong in json.loads(row["lacuna_options"]).items()},
        namesake_of=row["lacuna_namesake_of"],
        lookalike_of=row["lacuna_lookalike_of"],
    )
