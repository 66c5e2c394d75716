"""MLLMU-Bench files in the published format: what is read, and the error where something is missing."""

from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared.errors import BadInput, NotFound
from shared.evaluation.mllmu import (
    FORGET_SPLITS,
    RETAIN_SPLITS,
    Profile,
    forget_splits_are_nested,
    read_split,
    read_training,
)
from shared.evaluation.mllmu_writer import write_benchmark
from shared.evaluation.people import Person
from shared.evaluation.ratios import RATIOS, forgotten
from shared.evaluation.reference import load_reference
from shared.evaluation.synthetic_people import generate_people

PEOPLE = generate_people(5, {"forgettable": 20, "celebrity_eval": 3})
KNOWN: list[Person] = [person for person in PEOPLE if person.split == "forgettable"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mllmu")
    write_benchmark(root, KNOWN, [person for person in PEOPLE if person.split == "celebrity_eval"])
    return root


def test_evaluation_rows_give_all_three_tasks_by_picture_and_by_text(folder: Path) -> None:
    """Each question has its true answer; a choice shows its options in their order."""
    by_id = {person.id: person for person in KNOWN}
    for profile in read_split(folder, "forget_15"):
        person = by_id[profile.id]
        assert profile.subject.names == person.subject.names
        truths = {fact.value for fact in person.subject.facts}
        kinds = {(question.kind, question.by) for question in profile.questions}
        assert kinds == {(kind, by) for kind in ("mcq", "qa", "cloze") for by in ("portrait", "name")}
        for question in profile.questions:
            assert question.accept[0] in truths
            assert question.attribute in {fact.attribute for fact in person.subject.facts}
            assert bool(question.prompt.images) == (question.by == "portrait")
            assert (question.kind == "cloze") == ("__" in question.prompt.turns[-1].text)
            if question.kind == "mcq":
                assert len(question.options) == 4
                assert question.accept[0] in question.options
                assert f"A) {question.options[0]} B)" in question.prompt.turns[-1].text


def test_forget_splits_are_nested_and_complement_the_retain_splits(folder: Path) -> None:
    """The test set has the people of the largest forget split, in other wordings and pictures."""
    assert forget_splits_are_nested(folder)

    def ids(split: str) -> set[str]:
        return {profile.id for profile in read_split(folder, split)}

    for forget, retain in zip(FORGET_SPLITS, RETAIN_SPLITS, strict=True):
        assert ids(forget) | ids(retain) == {person.id for person in KNOWN}
        assert not ids(forget) & ids(retain)
    assert ids("Test_Set") == ids("forget_15")
    tests: list[Profile] = read_split(folder, "Test_Set")
    assert all(len(profile.subject.photos) == 2 for profile in tests)
    assert all(question.form == "test" for profile in tests for question in profile.questions)
    assert ids("Retain_Set") == {person.id for person in PEOPLE if person.split == "celebrity_eval"}


def test_training_rows_give_subjects_and_questions(folder: Path) -> None:
    """Each answer belongs to the question that was trained, with the picture."""
    rows = read_training(folder)
    assert [row.id for row in rows] == [person.id for person in KNOWN]
    for row, person in zip(rows, KNOWN, strict=True):
        assert {fact.value for fact in row.subject.facts} == {fact.value for fact in person.subject.facts}
        assert [question.accept for question in row.questions] == [fact.accept for fact in row.subject.facts]
        assert all(question.prompt.images == row.subject.photos for question in row.questions)


def test_missing_or_broken_files_are_refused_with_their_names(folder: Path, tmp_path: Path) -> None:
    """An unknown split, a split that was not downloaded, a missing column, a broken row, a file of another kind."""
    with pytest.raises(BadInput, match="no evaluation split"):
        read_split(folder, "forget_20")
    with pytest.raises(NotFound, match="has no split forget_5"):
        read_split(tmp_path, "forget_5")
    rows = pq.read_table(next((folder / "forget_5").glob("*.parquet"))).to_pylist()
    pq.write_table(pa.Table.from_pylist(rows).drop_columns(["Mask_Task"]), tmp_path / "forget_5.parquet")
    with pytest.raises(BadInput, match="no column Mask_Task"):
        read_split(tmp_path, "forget_5")
    rows[0]["Classification_Task"]["Pure_Text_Questions"][0]["Correct_Answer"] = "E"
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "forget_10.parquet")
    with pytest.raises(BadInput, match="row 0: the correct answer E is none of A, B, C, D"):
        read_split(tmp_path, "forget_10")
    pq.write_table(pa.table({"image": [rows[0]["image"]], "metadata": ["not JSON"]}), tmp_path / "ft_Data.parquet")
    with pytest.raises(BadInput, match="row 0: metadata is not a JSON list"):
        read_training(tmp_path)
    (tmp_path / "Retain_Set.parquet").write_text("no parquet")
    with pytest.raises(BadInput, match="is not a parquet file"):
        read_split(tmp_path, "Retain_Set")


def test_draws_at_larger_ratios_contain_the_smaller_ones() -> None:
    """5, 10 and 15 % of the demo model's 124 fictitious people; another seed draws other people."""
    reference = load_reference("models/demo-vlm/reference")
    drawn = [forgotten(reference, percent) for percent in RATIOS]
    assert [len(people) for people in drawn] == [6, 12, 19]
    for smaller, larger in pairwise(drawn):
        assert larger[: len(smaller)] == smaller
    assert {person.split for person in drawn[2]} == {"forgettable"}
    assert [person.id for person in forgotten(reference, 5)] == [person.id for person in drawn[0]]
    assert [person.id for person in forgotten(reference, 5, seed=1)] != [person.id for person in drawn[0]]
    with pytest.raises(BadInput, match="only 64 are forgettable"):
        forgotten(reference, 90)
