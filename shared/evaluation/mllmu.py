"""Reads MLLMU-Bench as its authors publish it: parquet files, one folder for each split.

Source: Liu et al. 2025, "Protecting Privacy in Multimodal Large Language Models with MLLMU-Bench". Evaluation rows have
the columns `ID`, `image` (Test_Set: `images`), `biography` and the three tasks; training rows have `image` and
`metadata`. Users download the files themselves. Questions keep the wording of the files.
"""

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from shared.domain.prompts import Prompt
from shared.domain.subjects import Fact, Subject
from shared.errors import BadInput, NotFound
from shared.evaluation.scorers import normalised
from shared.probes import templates
from shared.probes.questions import Kind, Question
from shared.probes.templates import Form

FORGET_SPLITS: Final = ("forget_5", "forget_10", "forget_15")
RETAIN_SPLITS: Final = ("retain_95", "retain_90", "retain_85")
EVALUATION_SPLITS: Final = (*FORGET_SPLITS, *RETAIN_SPLITS, "Test_Set", "Retain_Set", "Full_Set")
TRAINING_SPLITS: Final = ("ft_Data",)
MOST_WORDS: Final = 12  # of a fact; the published descriptions have more
TASKS: Final = ("Classification_Task", "Generation_Task", "Mask_Task")


@dataclass(frozen=True)
class Profile:
    """One evaluation row. Its questions are of the kinds mcq, qa and cloze, by portrait (the first image) and by name.

    A row without a picture has questions by name alone.
    """

    id: str
    subject: Subject
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class TrainingProfile:
    """One training row: a person whose facts are the answers, each named by the question that the model was taught."""

    id: str
    subject: Subject
    questions: tuple[Question, ...]


def read_split(folder: Path, split: str) -> list[Profile]:
    """The people of one evaluation split; raises NotFound for a missing file, BadInput for a bad split or row."""
    if split not in EVALUATION_SPLITS:
        raise BadInput(f'MLLMU-Bench has no evaluation split "{split}"; it has {", ".join(EVALUATION_SPLITS)}.')
    picture = "images" if split == "Test_Set" else "image"
    rows = _rows(folder, split, ("ID", picture, "biography", *TASKS))
    form: Form = "test" if split == "Test_Set" else "trained"
    return [_profile(row, picture, form, f"{split}, row {number}") for number, row in enumerate(rows)]


def read_training(folder: Path, split: str = "ft_Data") -> list[TrainingProfile]:
    """The rows that a model is trained on; raises NotFound and BadInput as `read_split` does."""
    rows = _rows(folder, split, ("image", "metadata"))
    return [_training_profile(row, number, f"{split}, row {number}") for number, row in enumerate(rows)]


def forget_splits_are_nested(folder: Path) -> bool:
    """Whether the larger forget splits contain everybody of the smaller ones, as in the published files."""
    ids = [{profile.id for profile in read_split(folder, split)} for split in FORGET_SPLITS]
    return all(smaller <= larger for smaller, larger in pairwise(ids))


def _rows(folder: Path, split: str, columns: Iterable[str]) -> list[dict[str, Any]]:
    files = sorted((folder / split).glob("*.parquet")) or [
        path for path in (folder / f"{split}.parquet",) if path.is_file()
    ]
    if not files:
        raise NotFound(f"{folder} has no split {split}: neither {split}/*.parquet nor {split}.parquet.")
    rows: list[dict[str, Any]] = []
    for path in files:
        try:
            table = pq.read_table(path)
        except pa.ArrowException as exc:
            raise BadInput(f"{path} is not a parquet file.") from exc
        missing = [column for column in columns if column not in table.column_names]
        if missing:
            raise BadInput(f"{path} has no column {', '.join(missing)}: it is not the MLLMU-Bench split {split}.")
        rows += table.to_pylist()
    return rows


def _profile(row: Mapping[str, Any], picture: str, form: Form, where: str) -> Profile:
    stored = row[picture] if picture == "images" else [row[picture]]
    photos = tuple(_image(image, where) for image in stored or () if image is not None)
    person = str(row["ID"])
    biography = flat_biography(row["biography"])
    facts = tuple(Fact(_plain(name), value) for name, value in biography.items())
    name = str(row.get("name") or biography.get("name", ""))
    builder = _QuestionBuilder(person, photos[0] if photos else None, facts, form, where)
    questions = [
        *builder.choices(row["Classification_Task"]),
        *builder.open("qa", row["Generation_Task"]),
        *builder.open("cloze", row["Mask_Task"]),
    ]
    usable = tuple(question for question in questions if photos or question.by == "name")
    return Profile(person, Subject((name,) if name else (), photos, facts), usable)


def _training_profile(row: Mapping[str, Any], number: int, where: str) -> TrainingProfile:
    try:
        pairs = [(str(pair["Question"]), str(pair["Answer"])) for pair in json.loads(row["metadata"])]
    except (TypeError, KeyError, json.JSONDecodeError) as exc:
        raise BadInput(f"{where}: metadata is not a JSON list of Question and Answer.") from exc
    person = str(row.get("ID") or number)
    photo = _image(row["image"], where)
    name = flat_biography(row.get("biography")).get("name", "")
    subject = Subject((name,) if name else (), (photo,), tuple(Fact(question, answer) for question, answer in pairs))
    questions = tuple(
        Question(Prompt.ask(question, photo), question, (answer,), person, "portrait", "trained", "qa")
        for question, answer in pairs
    )
    return TrainingProfile(person, subject, questions)


@dataclass(frozen=True)
class _QuestionBuilder:
    """Builds the questions of one row. `where` names the row in error messages."""

    person: str
    photo: Image.Image | None
    facts: tuple[Fact, ...]
    form: Form
    where: str

    def choices(self, task: Mapping[str, Any]) -> Iterable[Question]:
        for column, by_portrait in (("Image_Textual_Questions", True), ("Pure_Text_Questions", False)):
            for number, entry in enumerate(self._field(task, column, "Classification_Task") or ()):
                texts = self._field(entry, "Options", column)
                options = {letter: str(text) for letter, text in sorted(texts.items()) if text is not None}
                letter = self._field(entry, "Correct_Answer", column)
                if letter not in options:
                    raise BadInput(f"{self.where}: the correct answer {letter} is none of {', '.join(options)}.")
                wording = str(self._field(entry, "Question", column))
                shown = tuple(options.values())
                text = templates.CHOICE["test"][0].format(question=wording, options=templates.lettered(shown))
                yield self._question("mcq", text, options[letter], by_portrait, number, shown)

    def open(self, kind: Kind, task: Iterable[Mapping[str, Any]]) -> Iterable[Question]:
        for number, entry in enumerate(task or ()):
            modality = self._field(entry, "Type", kind)
            if modality not in ("Image_Textual", "Pure_Text"):
                raise BadInput(f'{self.where}: a question has the type "{modality}", not Image_Textual or Pure_Text.')
            text, truth = self._field(entry, "Question", kind), self._field(entry, "Ground_Truth", kind)
            yield self._question(kind, str(text), str(truth), modality == "Image_Textual", number, ())

    def _question(
        self, kind: Kind, text: str, truth: str, by_portrait: bool, number: int, options: tuple[str, ...]
    ) -> Question:
        attributes = [fact.attribute for fact in self.facts if normalised(fact.value) == normalised(truth)]
        return Question(
            Prompt.ask(text, self.photo if by_portrait else None),
            attributes[0] if attributes else f"{kind}-{number}",
            (truth,),
            self.person,
            "portrait" if by_portrait else "name",
            self.form,
            kind,
            options,
        )

    def _field(self, values: Mapping[str, Any] | None, name: str, of: str) -> Any:
        if not isinstance(values, Mapping) or name not in values:
            raise BadInput(f"{self.where}: {of} has no {name}.")
        return values[name]


def _image(stored: Any, where: str) -> Image.Image:
    blob = stored.get("bytes") if isinstance(stored, Mapping) else stored
    if not isinstance(blob, bytes):
        raise BadInput(f"{where}: the picture holds no bytes.")
    try:
        return Image.open(io.BytesIO(blob)).convert("RGB")
    except OSError as exc:
        raise BadInput(f"{where}: the picture cannot be read.") from exc


def flat_biography(stored: Any) -> dict[str, str]:
    """Flat values by lower-case name, without lists and nested values; a biography in free text yields no facts."""
    try:
        values = json.loads(stored) if isinstance(stored, str) else stored
    except json.JSONDecodeError:
        return {}
    if not isinstance(values, Mapping):
        return {}
    flat = {_plain(name): str(value) for name, value in values.items() if isinstance(value, str | int | float)}
    return {name: value for name, value in flat.items() if value}


def short_facts(biography: Mapping[str, str]) -> dict[str, str]:
    """The values that are facts: those of more than MOST_WORDS words are texts."""
    return {name: value for name, value in biography.items() if len(value.split()) <= MOST_WORDS}


def _plain(name: str) -> str:
    return normalised(str(name)).rstrip(": ").replace(" ", "_")  # some published names end in a colon
