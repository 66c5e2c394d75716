"""A reference folder built from MLLMU-Bench's files: splits, borrowed texts, and the errors for bad files."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import mllmu
from benchmarks.paper.question_sets import SETS, question_sets
from shared.evaluation.mllmu import FORGET_SPLITS, read_split
from shared.evaluation.mllmu_reference import MllmuReference, write_reference
from shared.evaluation.mllmu_writer import write_benchmark
from shared.evaluation.paper_tasks import COLUMNS, KINDS
from shared.evaluation.people import SPLITS, UNKNOWN_SPLITS
from shared.evaluation.ratios import FICTITIOUS, RATIOS, forgotten
from shared.evaluation.reference import Reference, load_reference
from shared.evaluation.synthetic_people import generate_people

BORROWED = Path("models/demo-vlm/reference")
PEOPLE = generate_people(5, {"forgettable": 60, "celebrity_eval": 9})
KNOWN = [person for person in PEOPLE if person.split == "forgettable"]
FAMOUS = [person for person in PEOPLE if person.split == "celebrity_eval"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mllmu")
    write_benchmark(root, KNOWN, FAMOUS)
    return root


@pytest.fixture(scope="module")
def out(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("reference")
    write_reference(folder, root, BORROWED)
    return root


@pytest.fixture(scope="module")
def reference(out: Path) -> Reference:
    return load_reference(out)


def test_every_person_is_in_exactly_one_split(reference: Reference) -> None:
    """People are as in the files; strangers are those of the borrowed reference."""
    names = [person.id for person in reference.people]
    assert len(set(names)) == len(names)
    fictitious = {person.id: person for split in FICTITIOUS for person in reference.of(split)}
    assert set(fictitious) == {person.id for person in KNOWN}
    for person in KNOWN:
        back = fictitious[person.id]
        assert (back.subject.names, back.subject.facts) == (person.subject.names, person.subject.facts)
        assert np.array_equal(np.asarray(back.subject.photos[0]), np.asarray(person.subject.photos[0]))
        for fact in back.subject.facts:
            assert len({fact.value, *back.options[fact.attribute]}) == 4
    assert {split: len(reference.of(split)) for split in SPLITS} == {
        "forgettable": 14, "retain_fit": 16, "calibration": 15, "held_out": 15, "celebrity_fit": 5,
        "celebrity_eval": 4, "stranger_fit": 24, "stranger_eval": 24,
    }  # fmt: skip
    famous = {person.id for split in ("celebrity_fit", "celebrity_eval") for person in reference.of(split)}
    assert famous == {f"celebrity-{person.id}" for person in FAMOUS}
    borrowed = load_reference(BORROWED)
    for split in UNKNOWN_SPLITS:
        assert [stranger.subject.facts for stranger in reference.of(split)] == [
            stranger.subject.facts for stranger in borrowed.of(split)
        ]


@pytest.mark.parametrize("seed", [0, 3])
def test_draws_with_the_same_seed_are_the_published_splits(folder: Path, tmp_path: Path, seed: int) -> None:
    """The seed that the folder was built with draws forget_5, 10 and 15; another seed does not."""
    write_reference(folder, tmp_path, BORROWED, seed=seed)
    reference = load_reference(tmp_path)
    for percent, split in zip(RATIOS, FORGET_SPLITS, strict=True):
        published = {profile.id for profile in read_split(folder, split)}
        assert {person.id for person in forgotten(reference, percent, seed)} == published
        assert {person.id for person in forgotten(reference, percent, seed + 1)} != published


def test_seed_decides_who_is_in_the_other_splits(folder: Path, out: Path, tmp_path: Path) -> None:
    """The same seed gives the same files; another seed gives other people in the splits."""
    write_reference(folder, tmp_path / "same", BORROWED)
    write_reference(folder, tmp_path / "other", BORROWED, seed=1)
    for split in ("forgettable", "retain_fit", "held_out", "celebrity_fit"):
        first, same, other = (
            pq.read_table(root / f"{split}.parquet") for root in (out, tmp_path / "same", tmp_path / "other")
        )
        assert first.equals(same)
        assert not first.equals(other)


def test_prompts_are_borrowed_except_for_given_sentences(folder: Path, out: Path, tmp_path: Path) -> None:
    """A given refusal or not-knowing sentence replaces the borrowed one."""
    texts = json.loads((BORROWED / "prompts.json").read_text())
    assert json.loads((out / "prompts.json").read_text()) == texts
    write_reference(folder, tmp_path, BORROWED, refusal="No.", unknown="Who is that?")
    own = {"refusal": "No.", "unknown_answer": "Who is that?"}
    assert json.loads((tmp_path / "prompts.json").read_text()) == texts | own


def test_question_sets_of_the_tables_can_be_built(reference: Reference) -> None:
    """Every set has questions in every task, by picture and by text."""
    panels = question_sets(reference, forgotten(reference, 5), 5, tuple(COLUMNS), 12)
    assert {(panel.set, panel.column, panel.task) for panel in panels} == {
        (name, column, task) for name in SETS for column in COLUMNS for task in KINDS
    }
    assert all(panel.questions for panel in panels)


def _rewritten(folder: Path, root: Path, split: str, change: Callable[[list[dict[str, Any]]], Any]) -> Path:
    """A copy of the files in which the rows of one split are changed."""
    shutil.copytree(folder, root, dirs_exist_ok=True)
    (path,) = (root / split).glob("*.parquet")
    table = pq.read_table(path)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    return root


def test_people_without_photo_name_or_facts_are_excluded_and_counted(folder: Path, tmp_path: Path) -> None:
    """Lists and long texts are not facts; an excluded person is in no split."""
    taken = {profile.id for profile in read_split(folder, "forget_15")}
    spoiled: list[str] = []

    def spoil(rows: list[dict[str, Any]]) -> None:
        photo, name, facts, texts, *_ = [row for row in rows if row["ID"] not in taken]
        spoiled.extend(row["ID"] for row in (photo, name, facts, texts))
        photo["image"] = None
        name["biography"] = json.dumps({"city": "Oslo", "pet": "parrot", "hobby": "chess", "food": "ramen"})
        facts["biography"] = json.dumps({"name": "Ada Low", "city": "Oslo", "pet": "parrot", "parents": {"a": "b"}})
        changed = {"Pet:": "parrot", "food": "ramen " * 13, "hobby": ["chess"]}
        kept = {name: value for name, value in json.loads(texts["biography"]).items() if name != "pet"}
        texts["biography"] = json.dumps(kept | changed)

    written: MllmuReference = write_reference(
        _rewritten(folder, tmp_path / "files", "Full_Set", spoil), tmp_path / "out", BORROWED
    )
    assert written.excluded == {"without a photo": 1, "without a name": 1, "with fewer than 3 facts": 1}
    reference = load_reference(tmp_path / "out")
    assert not set(spoiled[:3]) & {person.id for person in reference.people}
    attributes = {fact.attribute for fact in reference.get(spoiled[3]).subject.facts}
    assert {"city", "pet"} <= attributes
    assert not {"food", "hobby"} & attributes
    assert "left out: 1 without a photo" in mllmu.summary(written)


def _run(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["mllmu", *map(str, words)])
    try:
        mllmu.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_command_prints_people_and_facts_by_split(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And how many people are in the training rows."""
    assert _run(monkeypatch, folder, "--out", tmp_path / "reference") == 0
    output = capsys.readouterr().out
    assert "forgettable           14  10-10, mean 10.0" in output
    assert "same picture: 60 of" in output
    assert len(load_reference(tmp_path / "reference").of("forgettable")) == 14


@pytest.mark.parametrize("split", [*FORGET_SPLITS, "Full_Set", "Retain_Set", "ft_Data"])
def test_missing_split_is_named_and_nothing_is_written(
    folder: Path, tmp_path: Path, split: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(folder, tmp_path / "files", ignore=shutil.ignore_patterns(split))
    assert _run(monkeypatch, tmp_path / "files", "--out", tmp_path / "out") == 2
    assert f"has no split {split}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("split", "kept", "sentence"),
    [
        ("Retain_Set", 0, "Too few people: 0 in celebrity_fit, 0 in celebrity_eval, but 4 are needed."),
        ("Full_Set", 20, "4 are needed. Left out: nobody."),
    ],
)
def test_too_few_people_are_refused_with_the_numbers(
    folder: Path,
    tmp_path: Path,
    split: str,
    kept: int,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No celebrities, or not enough fictitious people to divide."""
    files = _rewritten(folder, tmp_path / "files", split, lambda rows: rows.__delitem__(slice(kept, None)))
    assert _run(monkeypatch, files, "--out", tmp_path / "out") == 2
    assert sentence in " ".join(capsys.readouterr().err.split())


def test_borrowed_folder_without_reference_or_strangers_is_refused(
    folder: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, folder, "--out", tmp_path / "out", "--borrow", tmp_path) == 2
    assert "is not a reference folder" in capsys.readouterr().err
    shutil.copy(out / "prompts.json", tmp_path)
    assert _run(monkeypatch, folder, "--out", tmp_path / "out", "--borrow", tmp_path) == 2
    assert "0 in stranger_fit, 0 in stranger_eval" in capsys.readouterr().err
