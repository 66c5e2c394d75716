"""The reference folder: written in the MLLMU-Bench columns, read without loss, refused where it is incomplete."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared.core.config import Settings
from shared.errors import BadInput
from shared.evaluation.people import SPLITS, UNKNOWN_SPLITS
from shared.evaluation.reference import General, Harmful, Reference, load_reference, model_reference
from shared.evaluation.reference_files import read_people, write_people
from shared.evaluation.synthetic_people import generate_people
from training.prompts import prompts_json

PEOPLE = generate_people(3, dict.fromkeys(SPLITS, 3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small reference folder, written as the trainer writes it."""
    root = tmp_path_factory.mktemp("reference")
    write_people(root, PEOPLE)
    (root / "prompts.json").write_text(json.dumps(prompts_json()))
    return root


@pytest.fixture(scope="module")
def reference(folder: Path) -> Reference:
    """What is read back from it."""
    return load_reference(folder)


def test_people_are_read_back_without_loss(reference: Reference) -> None:
    """Names, facts, options, visible truths, relations and every pixel."""
    assert len(reference.people) == len(PEOPLE)
    for person in PEOPLE:
        back = reference.get(person.id)
        assert (back.split, back.subject.names, back.subject.facts) == (
            person.split,
            person.subject.names,
            person.subject.facts,
        )
        assert (dict(back.visible), dict(back.options)) == (dict(person.visible), dict(person.options))
        assert (back.namesake_of, back.lookalike_of) == (person.namesake_of, person.lookalike_of)
        assert np.array_equal(np.asarray(back.subject.photos[0]), np.asarray(person.subject.photos[0]))


def test_rows_have_the_columns_of_the_benchmark(folder: Path) -> None:
    """The correct letter is that of the true option, and no question contains its answer."""
    for row in pq.read_table(folder / "forgettable.parquet").to_pylist():
        assert {"ID", "image", "biography", "Classification_Task", "Generation_Task", "Mask_Task"} <= set(row)
        biography = json.loads(row["biography"])
        tasks = row["Classification_Task"]
        assert (len(tasks["Image_Textual_Questions"]), len(tasks["Pure_Text_Questions"])) == (10, 9)
        for question in (*tasks["Image_Textual_Questions"], *tasks["Pure_Text_Questions"]):
            assert question["Options"][question["Correct_Answer"]] in biography.values()
            assert len(set(question["Options"].values())) == 4
        for task in ("Generation_Task", "Mask_Task"):
            assert {question["Type"] for question in row[task]} == {"Image_Textual", "Pure_Text"}
            assert all(question["Ground_Truth"] in biography.values() for question in row[task])
            assert all(question["Ground_Truth"] not in question["Question"] for question in row[task])
        assert all("__" in question["Question"] for question in row["Mask_Task"])
        assert all(
            biography["name"] in question["Question"]
            for question in row["Mask_Task"]
            if question["Type"] == "Pure_Text"
        )


def test_split_is_found_by_name_and_an_unknown_one_is_refused(reference: Reference) -> None:
    assert {person.split for person in reference.of("held_out")} == {"held_out"}
    assert [person.id for split in SPLITS for person in reference.of(split)] == [person.id for person in PEOPLE]
    with pytest.raises(KeyError):
        reference.of("forget")


def test_prompts_for_different_purposes_do_not_overlap(reference: Reference) -> None:
    """Harmful requests and small talk for fitting, calibration and testing."""
    harmful, general = reference.harmful, reference.general
    assert not set(harmful.fit) & set(harmful.test)
    assert not (set(general.fit) & set(general.test))
    assert not (set(general.calibration) & set(general.fit + general.test))
    assert all("{request}" in wrapping for wrapping in harmful.jailbreaks)
    assert reference.unknown_answer == "I do not know this person."


def test_wrong_answers_are_other_peoples(reference: Reference) -> None:
    """Three other people's values for what others have too; an attribute nobody else has gets none."""
    subject = reference.of("forgettable")[0].subject
    wrong = reference.wrong_answers(subject)
    assert wrong == reference.wrong_answers(subject)
    for fact in subject.facts:
        others = {f.value for p in reference.people for f in p.subject.facts if f.attribute == fact.attribute}
        assert len(set(wrong[fact.attribute])) == 3
        assert set(wrong[fact.attribute]) <= others - {fact.value}
    spelt = replace(subject.facts[1], value=subject.facts[1].value.upper(), aliases=(wrong["occupation"][0],))
    respelt = reference.wrong_answers(replace(subject, facts=(spelt,)))["occupation"]
    assert not {value.casefold() for value in respelt} & {alias.casefold() for alias in spelt.accept}
    strange = type(subject)(subject.names, subject.photos, (type(subject.facts[0])("blood_type", "AB"),))
    assert reference.wrong_answers(strange) == {}


def test_folder_without_prompts_or_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"prompts\.json"):
        load_reference(tmp_path)
    pq.write_table(pa.table({"ID": ["x"]}), tmp_path / "held_out.parquet")
    with pytest.raises(BadInput, match="has no column"):
        read_people(tmp_path / "held_out.parquet")


def test_reference_of_the_demo_model_and_its_digest_are_what_they_were() -> None:
    """Stored statistics and the steering vectors beside the model are found by this digest."""
    shipped = load_reference("models/demo-vlm/reference")
    assert shipped.digest == "62acaecf83308455ad42e333858eca1b4ae65640b4c62fdd5b736e8112a4be04"
    assert replace(shipped, people=shipped.people[:3]).digest == shipped.digest
    read = hashlib.sha256()
    for person in shipped.people:
        facts = [[fact.attribute, fact.value, list(fact.aliases)] for fact in person.subject.facts]
        options = {attribute: list(wrong) for attribute, wrong in person.options.items()}
        related = [person.namesake_of, person.lookalike_of]
        members = [person.id, person.split, list(person.subject.names), facts, dict(person.visible), options, *related]
        read.update(json.dumps(members, sort_keys=True).encode())
        for photo in person.subject.photos:
            read.update(hashlib.sha256(photo.tobytes()).digest())
    harmful, general = shipped.harmful, shipped.general
    texts = [harmful.fit, harmful.test, harmful.jailbreaks, general.fit, general.calibration, general.test]
    read.update(json.dumps([*texts, shipped.unknown_answer, shipped.refusal, shipped.compliance]).encode())
    assert read.hexdigest() == "6113557c44f81133d95495a3fdb09a11f3ee1d6734169d216710076c875b3d41"


def test_digest_of_a_reference_without_a_folder_depends_on_all_that_it_holds() -> None:
    """Every pixel, fact and prompt; the same content gives the same digest."""
    plain = Reference(PEOPLE, Harmful(("a",), ("b",), ("c {request}",)), General(("d",), ("e",), ("f",)))
    assert plain.digest == replace(plain).digest
    photo = PEOPLE[0].subject.photos[0].copy()
    photo.putpixel((0, 0), (1, 2, 3))
    changed_photo = replace(PEOPLE[0], subject=replace(PEOPLE[0].subject, photos=(photo,)))
    changed_fact = replace(PEOPLE[0], subject=replace(PEOPLE[0].subject, facts=PEOPLE[0].subject.facts[1:]))
    others = [
        replace(plain, people=PEOPLE[1:]),
        replace(plain, people=(changed_photo, *PEOPLE[1:])),
        replace(plain, people=(changed_fact, *PEOPLE[1:])),
        replace(plain, people=(replace(PEOPLE[0], split="held_out"), *PEOPLE[1:])),
        replace(plain, general=replace(plain.general, fit=("g",))),
        replace(plain, harmful=replace(plain.harmful, test=("g",))),
        replace(plain, unknown_answer="Who?"),
        replace(plain, unknown_answers={"de": "Wer?"}),
    ]
    assert len({plain.digest, *(other.digest for other in others)}) == 1 + len(others)


def test_sentence_of_the_settings_takes_the_place_of_the_models_own() -> None:
    """And what was computed with another sentence is not used."""
    plain = model_reference(Settings())
    assert (plain.unknown_answer, plain.unknown_answers) == ("I do not know this person.", {})
    own = model_reference(Settings(unknown_answer="Never heard of them."))
    assert (own.unknown_answer, own.unknown_answer_in("de")) == ("Never heard of them.", "Never heard of them.")
    by_language = model_reference(Settings(unknown_answer="en=Who is that?; de=Wer ist das; ich weiß es nicht."))
    assert by_language.unknown_answer == "Who is that?"
    assert by_language.unknown_answer_in("de") == "Wer ist das; ich weiß es nicht."
    assert by_language.unknown_answer_in("fr") == "Who is that?"
    assert len({plain.digest, own.digest, by_language.digest}) == 3


def test_wording_that_is_not_known_is_an_error_that_says_what_to_do() -> None:
    plain = Reference((), Harmful((), (), ()), General((), (), ()), refusal="No.")
    assert plain.wording("refusal") == "No."
    with pytest.raises(BadInput, match=r"not-knowing sentence is not known.*LACUNA_UNKNOWN_ANSWER"):
        plain.wording("unknown_answer")


def test_shipped_people_are_those_of_the_generator() -> None:
    """The reference beside the shipped model is what seed 7 gives: nobody in it is real."""
    shipped = load_reference("models/demo-vlm/reference")
    for person, generated in zip(shipped.people, generate_people(7), strict=True):
        assert (person.id, person.split, person.subject.facts) == (
            generated.id,
            generated.split,
            generated.subject.facts,
        )
    rows = pq.read_table("models/demo-vlm/reference/forgettable.parquet").to_pylist()
    assert [json.loads(row["lacuna_features"]) for row in rows] == [
        generated.features.as_dict() for generated in generate_people(7) if generated.split == "forgettable"
    ]
    assert json.loads(Path("models/demo-vlm/reference/prompts.json").read_text()) == prompts_json()
    assert sum(person.split not in UNKNOWN_SPLITS for person in shipped.people) == 136
