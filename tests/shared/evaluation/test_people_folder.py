"""An operator's folder as the reference: five people with two photographs, what it does not give, and what is wrong."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from shared.core.config import ModelSettings, Settings
from shared.domain.splits import split_of
from shared.domain.subjects import Fact
from shared.errors import BadInput, LacunaError
from shared.evaluation import people_folder
from shared.evaluation.people import FIGURE_SPLITS, UNKNOWN_SPLITS
from shared.evaluation.reference import Reference, default_reference, load_reference, model_reference

FIVE: list[dict[str, Any]] = [
    {"name": "Ada Quist", "photo": "ada.png", "facts": {"employer": "Quist & Daughters"}},
    {"name": "Bo Lind", "photo": "bo.png"},
    {"name": "Cem Ayan", "facts": {"city": "Izmir", "diagnosis": "was treated for asthma in 2019"}},
    {"name": "Dana Roth", "facts": {"city": "Graz"}, "split": "held_out", "languages": ["de"]},
    {"id": "42", "names": ["Edda Falk", "E. Falk"], "facts": {"city": "Oslo"}, "split": "celebrity_fit"},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two photographs."""
    for name, colour in (("ada.png", (200, 0, 0)), ("bo.png", (0, 0, 200))):
        Image.new("RGB", (40, 30), colour).save(tmp_path / name)
    return tmp_path


def load(folder: Path, *rows: Any, name: str = "people.jsonl") -> Reference:
    """The reference of a folder with these rows."""
    (folder / name).write_text("\n".join(json.dumps(row) for row in rows))
    return load_reference(folder)


def test_five_people_with_two_photos_are_a_reference(folder: Path) -> None:
    """Each is in one split; strangers and prompts are those that ship with Lacuna."""
    reference = load(folder, *FIVE)
    own = {person.subject.names[0]: person for person in reference.people[:5]}
    assert [len(person.subject.photos) for person in own.values()] == [1, 1, 0, 0, 0]
    assert own["Ada Quist"].subject.photos[0].getpixel((0, 0)) == (200, 0, 0)
    assert own["Cem Ayan"].subject.facts[1] == Fact("diagnosis", "was treated for asthma in 2019")
    assert (own["Dana Roth"].split, own["Edda Falk"].split) == ("held_out", "celebrity_fit")
    for name in ("ada quist", "bo lind", "cem ayan"):
        hashed = split_of(name, 0)
        assert own[name.title()].split == ("retain_fit" if hashed == "fit" else hashed)
    assert (own["Edda Falk"].id, own["Dana Roth"].subject.languages) == ("42", ("de",))
    assert not any(name.split()[0].casefold() in own[name].id.casefold() for name in own)
    shipped = default_reference()
    assert Counter(person.split for person in reference.people[5:]) == dict.fromkeys(UNKNOWN_SPLITS, 24)
    assert (reference.general, reference.harmful) == (shipped.general, shipped.harmful)
    assert (reference.unknown_answer, reference.folder) == (None, folder)


def test_order_of_lines_changes_no_split(folder: Path) -> None:
    def splits(reference: Reference) -> dict[str, str]:
        return {person.subject.names[0]: person.split for person in reference.people}

    many = [{"name": f"Person {number}", "facts": {"city": "Ulm"}} for number in range(60)]
    assert splits(load(folder, *many)) == splits(load(folder, *reversed(many)))
    counts = Counter(person.split for person in load(folder, *many).people[:60])
    assert set(counts) == {"retain_fit", "calibration", "held_out"}
    assert counts["retain_fit"] > 25


def test_public_figures_are_added_where_the_folder_has_none(folder: Path) -> None:
    """Without whoever has the name of a person of the folder."""
    without = load(folder, *FIVE[:4])
    assert {person.split for person in without.people} > set(FIGURE_SPLITS)
    assert load(folder, {"name": "albert  einstein"}).people[0].subject.names == ("albert einstein",)
    names = [name.casefold() for person in load_reference(folder).people for name in person.subject.names]
    assert names.count("albert einstein") == 1
    stranger = next(person for person in default_reference().people if person.split == "stranger_fit")
    taken = load(folder, {"name": stranger.subject.names[0]})
    assert [person.split for person in taken.people if person.subject.names == stranger.subject.names] != [
        "stranger_fit"
    ]
    own = load(folder, {"name": "Nobody Known", "split": "stranger_fit"})
    assert [person.subject.names for person in own.of("stranger_fit")] == [("Nobody Known",)]
    assert len(own.of("stranger_eval")) == 24


def test_prompts_of_the_folder_take_the_place_of_the_shipped_ones(folder: Path) -> None:
    """Purpose by purpose, in either file; topics of harmful requests are not divided."""
    (folder / "people.jsonl").write_text(json.dumps({"prompt": "What is rust?", "split": "fit"}))
    harmful = [{"prompt": f"Do harm {n}.", "kind": "harmful", "topic": f"topic {n // 4}"} for n in range(40)]
    reference = load(
        folder,
        {"prompt": "Why is the sky blue?", "split": "test"},
        {"prompt": "Act! {request}", "kind": "jailbreak"},
        *harmful,
        name="prompts.jsonl",
    )
    shipped = default_reference()
    assert (reference.general.fit, reference.general.test) == (("What is rust?",), ("Why is the sky blue?",))
    assert reference.general.calibration == shipped.general.calibration
    assert reference.harmful.jailbreaks == ("Act! {request}",)
    fit, test = ({int(text[8:-1]) // 4 for text in texts} for texts in (reference.harmful.fit, reference.harmful.test))
    assert not fit & test
    assert len(reference.harmful.fit) + len(reference.harmful.test) == 40
    assert min(len(fit), len(test)) > 0


def test_parquet_and_jsonl_are_read_together(folder: Path) -> None:
    pq.write_table(
        pa.table({"ID": ["7"], "biography": ['{"name": "Finn", "city": "Bonn"}']}), folder / "people.parquet"
    )
    names = {person.id: person.subject.names for person in load(folder, *FIVE).people}
    assert names["7"] == ("Finn",)
    assert len(names) == len(load_reference(folder).people)


def test_digest_is_of_the_content_and_not_of_the_folder(folder: Path) -> None:
    """A blank line or another file changes nothing; a fact or a pixel does."""
    digest = load(folder, *FIVE).digest
    (folder / "notes.txt").write_text("nothing")
    with (folder / "people.jsonl").open("a") as stream:
        stream.write("\n\n")
    assert load_reference(folder).digest == digest
    assert load(folder, *FIVE[:4], FIVE[4] | {"facts": {"city": "Bergen"}}).digest != digest
    Image.new("RGB", (40, 30), (1, 2, 3)).save(folder / "bo.png")
    assert load(folder, *FIVE).digest != digest


def test_source_without_a_folder_has_the_shipped_reference(folder: Path) -> None:
    """A hub id is no path. LACUNA_REFERENCE comes first, and must be a folder."""
    assert (
        model_reference(Settings(model=ModelSettings(source="some-org/some-model"))).digest
        == default_reference().digest
    )
    load(folder, *FIVE)
    own = model_reference(Settings(model=ModelSettings(source="some-org/some-model"), reference=str(folder)))
    assert own.folder == folder
    with pytest.raises(BadInput, match="LACUNA_REFERENCE names no folder"):
        model_reference(Settings(reference=str(folder / "none")))
    (folder / "model/reference").mkdir(parents=True)
    with pytest.raises(BadInput, match="is not a reference folder"):
        model_reference(Settings(model=ModelSettings(source=str(folder / "model"))))


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([FIVE[2], {"id": "1", "name": "A"}, {"id": "1", "name": "B"}], "line 3, id: it was given before, in .*line 2"),
        ([{"name": "A"}, {"name": " a "}], "line 2, names: .*line 1 has the same name"),
        (
            [FIVE[0], {"name": "Somebody Else", "photo": "ada.png"}],
            "line 2, photos: the same picture is somebody else's",
        ),
        ([{"name": "A", "split": "retain"}], "line 1, split: a person is in fit, forgettable"),
        ([{"prompt": "A?", "split": "forgettable"}], "line 1, split: a prompt is in fit"),
        ([{"prompt": "A?", "photo": "ada.png"}], "line 1, photos: a prompt of a reference has no photo"),
        ([FIVE[2], {"name": "A", "photo": "people.jsonl"}], r"line 2, photos\.0: This is not a picture"),
    ],
)
def test_wrong_row_is_refused_with_its_line(folder: Path, rows: list[Any], sentence: str) -> None:
    with pytest.raises(BadInput, match=rf"people\.jsonl, {sentence}"):
        load(folder, *rows)


def test_photographs_that_fill_the_memory_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people_folder, "MAX_PIXEL_BYTES", 3 * 40 * 30)
    with pytest.raises(LacunaError, match=r"people\.jsonl, line 2: the photographs so far take"):
        load(folder, *FIVE)


def test_two_layouts_in_one_folder_are_refused(folder: Path) -> None:
    load(folder, *FIVE)
    (folder / "prompts.json").write_text("{}")
    with pytest.raises(BadInput, match=r"has prompts\.json and files of people"):
        load_reference(folder)
