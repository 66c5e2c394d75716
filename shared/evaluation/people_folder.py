"""An operator's reference: a folder with `people.jsonl`, `people.parquet` or `prompts.jsonl`.

The format is described in docs/people-format.md. People without a split are divided by the hash of their id, name or
picture, so that nobody is in two splits and the order of the lines does not matter.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from PIL.Image import Image

from shared.domain.photos import normalize_photo, open_photo
from shared.domain.splits import Split, split_of
from shared.domain.subjects import Subject
from shared.errors import BadInput, LacunaError, TooLarge
from shared.evaluation.people import SPLITS, Person
from shared.evaluation.people_files import PeopleRow, read_people_rows
from shared.evaluation.prompt_sets import SEED, General, Harmful, StatedPrompt, divide_general, divide_harmful
from shared.evaluation.scorers import normalised

PEOPLE_FILES: Final = ("people.jsonl", "people.parquet")
PROMPTS_FILE: Final = "prompts.jsonl"
MAX_PIXEL_BYTES: Final = 4 * 1024**3  # of all decoded photographs: every worker keeps them in memory
_PLAIN_SPLITS: Final = {"fit": "retain_fit"}  # a split of a retain set, and what it is called in a reference
_PROMPT_SPLITS: Final[dict[str, Split]] = {
    "fit": "fit", "calibration": "calibration", "held_out": "held_out", "test": "held_out",
}  # fmt: skip


@dataclass(frozen=True)
class GivenReference:
    """What an operator's folder gives; `general` and `harmful` are None where it has no such prompts."""

    people: tuple[Person, ...]
    general: General | None
    harmful: Harmful | None


def is_people_folder(folder: Path) -> bool:
    """Whether `folder` has one of the files of an operator's reference."""
    return any((folder / name).is_file() for name in (*PEOPLE_FILES, PROMPTS_FILE))


def read_people_folder(folder: Path) -> GivenReference:
    """The people and prompts of `folder`; raises BadInput or TooLarge, naming file, line and field."""
    collected = _Collected()
    for name in (*PEOPLE_FILES, PROMPTS_FILE):
        if (folder / name).is_file():
            for row in read_people_rows(folder / name):
                collected.take(name, row)
    return GivenReference(tuple(collected.people), collected.general(), collected.harmful())


@dataclass
class _Collected:
    """The rows so far, and what must not come twice."""

    people: list[Person] = field(default_factory=list)
    ordinary: list[StatedPrompt] = field(default_factory=list)
    requests: list[StatedPrompt] = field(default_factory=list)
    jailbreaks: list[str] = field(default_factory=list)
    _ids: dict[str, str] = field(default_factory=dict)  # id -> where it was given
    _names: dict[str, str] = field(default_factory=dict)  # name of a person without id -> where it was given
    _pictures: dict[str, str] = field(default_factory=dict)  # sha256 of a picture -> where it was given
    _pixel_bytes: int = 0

    def take(self, file: str, row: PeopleRow) -> None:
        """Add a row of the file with this name; raises BadInput or TooLarge."""
        if row.prompt is None:
            self.people.append(self._person(file, row))
        else:
            self._take_prompt(row, row.prompt)

    def general(self) -> General | None:
        """The ordinary prompts, if there are any."""
        return divide_general(self.ordinary) if self.ordinary else None

    def harmful(self) -> Harmful | None:
        """The harmful requests and jailbreaks, if there are any."""
        return divide_harmful(self.requests, self.jailbreaks) if self.requests or self.jailbreaks else None

    def _take_prompt(self, row: PeopleRow, text: str) -> None:
        if row.photos:
            raise BadInput(f"{row.where}, photos: a prompt of a reference has no photo; put it into a retain set.")
        if row.kind == "jailbreak":
            self.jailbreaks.append(text)
            return
        if row.split is not None and row.split not in _PROMPT_SPLITS:
            raise BadInput(f"{row.where}, split: a prompt is in {_listed(_PROMPT_SPLITS)}.")
        split = None if row.split is None else _PROMPT_SPLITS[row.split]
        (self.requests if row.kind == "harmful" else self.ordinary).append(StatedPrompt(text, split, row.topic))

    def _person(self, file: str, row: PeopleRow) -> Person:
        identity, split = self._identity(row), row.split and _PLAIN_SPLITS.get(row.split, row.split)
        if split is not None and split not in SPLITS:
            raise BadInput(f"{row.where}, split: a person is in {_listed((*_PLAIN_SPLITS, *SPLITS))}.")
        if split is None:
            hashed = split_of(identity, SEED)
            split = _PLAIN_SPLITS.get(hashed, hashed)
        return Person(
            id=row.id or f"{file} {row.number}",  # ids are in manifests, where nobody is named
            split=split,
            subject=Subject(row.names, tuple(self._photos(row)), row.facts, row.languages or ("en",)),
            visible=row.visible,
            options=row.options,
            namesake_of=row.namesake_of,
            lookalike_of=row.lookalike_of,
        )

    def _identity(self, row: PeopleRow) -> str:
        """What the split depends on. Raises BadInput where it was given before, or for a picture of somebody else."""
        for digest in (hashlib.sha256(photo).hexdigest() for photo in row.photos):
            if (first := self._pictures.setdefault(digest, row.where)) != row.where:
                raise BadInput(f"{row.where}, photos: the same picture is somebody else's in {first}.")
        if row.id is not None:
            if (first := self._ids.setdefault(row.id, row.where)) != row.where:
                raise BadInput(f"{row.where}, id: it was given before, in {first}. A person is one line.")
            return row.id
        name = normalised(row.names[0]) if row.names else ""
        if name and (first := self._names.setdefault(name, row.where)) != row.where:
            raise BadInput(f"{row.where}, names: {first} has the same name. Give both an id if they are two people.")
        return name or hashlib.sha256(row.photos[0]).hexdigest()

    def _photos(self, row: PeopleRow) -> Iterator[Image]:
        """Decoded and bounded as the photographs of tickets are."""
        for place, encoded in enumerate(row.photos):
            try:
                photo = open_photo(normalize_photo(encoded))
            except LacunaError as exc:
                raise type(exc)(f"{row.where}, photos.{place}: {exc.detail}") from exc
            self._pixel_bytes += 3 * photo.width * photo.height
            if self._pixel_bytes > MAX_PIXEL_BYTES:
                raise TooLarge(
                    f"{row.where}: the photographs so far take {MAX_PIXEL_BYTES // 1024**3} GB in memory. Give fewer "
                    "people or smaller pictures: a reference needs hundreds of people, not all."
                )
            yield photo


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}"
