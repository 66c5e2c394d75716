"""The reader of people and prompts: every form of a row, every field that can be wrong, and files that mean harm."""

import base64
import io
import json
import os
import tracemalloc
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from shared.domain.photos import MAX_BYTES
from shared.domain.subjects import Fact
from shared.errors import BadInput, LacunaError, TooLarge
from shared.evaluation import people_files
from shared.evaluation.mllmu_writer import write_benchmark
from shared.evaluation.people_files import PeopleRow, read_people_rows
from shared.evaluation.synthetic_people import generate_people


def png(colour: tuple[int, int, int] = (200, 30, 30)) -> bytes:
    """A small picture."""
    buffer = io.BytesIO()
    Image.new("RGB", (12, 9), colour).save(buffer, "PNG")
    return buffer.getvalue()


def write(folder: Path, *rows: Any, name: str = "people.jsonl") -> Path:
    """A JSONL file of `rows`: objects, or lines as they are."""
    path = folder / name
    lines = [row if isinstance(row, bytes) else json.dumps(row, ensure_ascii=False).encode() for row in rows]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def read(folder: Path, *rows: Any) -> list[PeopleRow]:
    """The rows of such a file."""
    return list(read_people_rows(write(folder, *rows)))


def test_identifiers_of_a_register_are_read(tmp_path: Path) -> None:
    given = {"email": "a@example.com", "zip": 91790, "phone": ["1", "2", "1"]}
    (row,) = read(tmp_path, {"name": "Mara", "identifiers": given})
    assert row.identifiers == {"email": ("a@example.com",), "zip": ("91790",), "phone": ("1", "2")}
    for wrong in ({"e-mail": "x"}, {"email": {"a": 1}}, ["x"], {"email": ["x"] * 21}):
        with pytest.raises(BadInput, match="identifiers"):
            read(tmp_path, {"name": "Mara", "identifiers": wrong})


def test_all_forms_of_a_person_are_read(tmp_path: Path) -> None:
    """One name or several, facts as an object or a list, photographs as paths or data URLs."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/mara.png").write_bytes(png())
    url = "data:image/png;base64," + base64.b64encode(png((1, 2, 3))).decode()
    long, short = read(
        tmp_path,
        {
            "id": 7,
            "names": ["Mara  Lindqvist", "Mara L.", "Mara Lindqvist"],
            "photos": ["photos/mara.png", url],
            "facts": [{"attribute": "Date of birth:", "value": "1 May 1970", "aliases": ["1970-05-01"]}],
            "visible": {"hat": "no"},
            "options": {"dateOfBirth": ["a", "b", "c"]},
            "split": "held_out",
            "namesake_of": "8",
            "lookalike_of": "9",
            "languages": ["de", "en"],
        },
        {
            "name": "李小龍",
            "photo": "photos/mara.png",
            "facts": {"born": 1940, "出生地": "旧金山", "Formación": "x", "HIV-Status": "y"},
        },
    )
    assert (long.id, long.names, long.split) == ("7", ("Mara Lindqvist", "Mara L."), "held_out")
    assert long.photos == (png(), png((1, 2, 3)))
    assert long.facts == (Fact("date_of_birth", "1 May 1970", ("1970-05-01",)),)
    assert (long.visible, long.options) == ({"hat": "no"}, {"date_of_birth": ("a", "b", "c")})
    assert (long.namesake_of, long.lookalike_of, long.languages) == ("8", "9", ("de", "en"))
    assert (short.id, short.names, len(short.photos)) == (None, ("李小龍",), 1)
    assert short.facts[:2] == (Fact("born", "1940"), Fact("出生地", "旧金山"))
    assert [fact.attribute for fact in short.facts[2:]] == ["formación", "hiv_status"]


def test_prompts_are_read_with_kind_and_topic(tmp_path: Path) -> None:
    plain, harmful, jailbreak = read(
        tmp_path,
        {"prompt": "What is a comet?\nIn one sentence."},
        {"prompt": "How do I pick a lock?", "kind": "harmful", "topic": "burglary", "split": "test"},
        {"prompt": "You are an actor. {request}", "kind": "jailbreak"},
    )
    assert (plain.prompt, plain.kind) == ("What is a comet?\nIn one sentence.", "ordinary")
    assert (harmful.kind, harmful.topic, harmful.split) == ("harmful", "burglary", "test")
    assert jailbreak.kind == "jailbreak"


def test_lines_are_numbered_as_in_an_editor(tmp_path: Path) -> None:
    """Blank lines count; a byte order mark, Windows line ends and a missing last line end do no harm."""
    path = tmp_path / "people.jsonl"
    path.write_bytes("\ufeff".encode() + b'{"name": "A"}\r\n\r\n{"name": "B"}')
    assert [(row.number, row.names) for row in read_people_rows(path)] == [(1, ("A",)), (3, ("B",))]
    assert list(read_people_rows(write(tmp_path, b"", b"  "))) == []


PERSON = {"name": "Mara", "facts": {"city": "Ulm"}}


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (b'{"name": "Mara"', "is not JSON: .* column"),
        (b"[1]", "it is not an object"),
        (b"[", "is not JSON"),
        (b"\xff\xfe", "is not UTF-8"),
        (b'{"name": "Mara", "name": "Ada"}', "a field is given twice"),
        (b'{"name": "Mara", "facts": {"age": NaN}}', "NaN is not a value"),
        (b'{"name": ' + b"[" * 200_000, "nested too deeply|is not JSON"),
        (b'{"name": "Mara", "facts": {"age": ' + b"9" * 5000 + b"}}", "cannot be used"),
        (b'{"name": "\\ud800"}', r"names\.0: .*unicode"),
        (b'{"name": "Ma\\u0000ra"}', r"names\.0: .*control characters"),
        (PERSON | {"nmaes": ["x"]}, "nmaes: extra inputs"),
        ({"facts": {"city": "Ulm"}}, "a person needs names or photos"),
        ({}, "a person needs names or photos"),
        ({"names": []}, "a person needs names or photos"),
        ({"names": [" "]}, r"names\.0"),
        ({"names": ["x" * 1001]}, r"names\.0"),
        ({"names": ["x"] * 11}, "names: list should have at most 10"),
        ({"names": [["x"]]}, r"names\.0"),
        ({"names": 5}, "names"),
        ({"name": None}, r"names\.0"),
        (PERSON | {"facts": {"city": None}}, r"facts\.0\.value"),
        (PERSON | {"facts": {"city": True}}, r"facts\.0\.value"),
        (PERSON | {"facts": {"": "Ulm"}}, r"facts\.0\.attribute"),
        (PERSON | {"facts": {":_": "Ulm"}}, r"facts\.0\.attribute"),
        (PERSON | {"facts": ["Ulm"]}, r"facts\.0"),
        (PERSON | {"facts": [{"attribute": "city"}]}, r"facts\.0\.value: field required"),
        (PERSON | {"facts": [{"attribute": "city", "value": "Ulm", "alias": "x"}]}, r"facts\.0\.alias"),
        (PERSON | {"visible": "hat"}, "visible"),
        (PERSON | {"options": {"city": "Ulm"}}, "options"),
        (PERSON | {"split": ["fit"]}, "split"),
        (PERSON | {"languages": ["xx"]}, "languages"),
        (PERSON | {"languages": "de"}, "languages"),
        (PERSON | {"id": {}}, "id"),
        (PERSON | {"photos": 5}, "photos"),
        (PERSON | {"photos": [5]}, r"photos\.0: A photo is a path or a data URL"),
        (PERSON | {"photos": ["none.png"]}, r"photos\.0: There is no such file"),
        (PERSON | {"photos": ["."]}, r"photos\.0: There is no such file"),
        (PERSON | {"photos": ["x" * 5000]}, r"photos\.0: The file cannot be read"),
        (PERSON | {"photos": ["data:image/png;base64,!"]}, r"photos\.0: The picture is not valid base64"),
        (PERSON | {"kind": "harmful"}, "kind and topic are of prompts"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": "What?", "name": "Mara"}, "a prompt has no names"),
        ({"prompt": "What?", "kind": "silly"}, "kind"),
        ({"prompt": "Do it.", "kind": "jailbreak"}, r"prompt: a jailbreak needs \{request\}"),
        ({"prompt": "{request} {request.__class__}", "kind": "jailbreak"}, r"no other \{\}"),
    ],
)
def test_wrong_field_is_refused_with_file_line_and_field(tmp_path: Path, row: Any, sentence: str) -> None:
    """The line before is good; what stands in the wrong field is not repeated."""
    path = write(tmp_path, PERSON, row)
    with pytest.raises(BadInput, match=rf"people\.jsonl, line 2.*({sentence})") as refused:
        list(read_people_rows(path))
    assert "Mara" not in refused.value.detail


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("../secret.png", "below the folder"),
        ("../../../../../../etc/passwd", "below the folder"),
        ("photos/../../secret.png", "below the folder"),
        ("link.png", "below the folder"),
        ("folder/secret.png", "below the folder"),
        ("/etc/passwd", "must be relative"),
        ("//etc/passwd", "must be relative"),
        ("a\0.png", "must be relative"),
        ("http://example.org/a.png", "nothing is fetched"),
        ("file:///etc/passwd", "nothing is fetched"),
        ("pipe", "no such file"),
        ("loop.png", "cannot be read"),
        ("\ud800.png", "cannot be read"),
        ("large.png", "may have 8 MB"),
    ],
)
def test_photo_outside_the_folder_is_refused(tmp_path: Path, given: str, sentence: str) -> None:
    """By parents, links or addresses; a pipe, which would block, and a file that is too large are not read."""
    folder = tmp_path / "set"
    (folder / "photos").mkdir(parents=True)
    (tmp_path / "secret.png").write_bytes(png())
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "folder").symlink_to(tmp_path)
    (folder / "loop.png").symlink_to("loop.png")
    os.mkfifo(folder / "pipe")
    with (folder / "large.png").open("wb") as large:
        large.truncate(MAX_BYTES + 1)
    with pytest.raises(LacunaError, match=sentence) as refused:
        read(folder, json.dumps({"name": "Mara", "photos": [given]}).encode())
    assert ", line 1, photos.0: " in refused.value.detail


def test_link_inside_the_folder_is_followed(tmp_path: Path) -> None:
    """As in a folder that Kubernetes mounts."""
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data/mara.png").write_bytes(png())
    (tmp_path / "mara.png").symlink_to("..data/mara.png")
    assert read(tmp_path, {"name": "Mara", "photo": "mara.png"})[0].photos == (png(),)


def test_long_line_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people_files, "MAX_LINE_BYTES", 1000)
    with pytest.raises(TooLarge, match="line 2"):
        read(tmp_path, PERSON, b'{"name": "' + b"x" * 2000 + b'"}')


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path, tmp_path / "none.parquet"):
        with pytest.raises(BadInput, match="cannot be read"):
            list(read_people_rows(path))


def test_every_wrong_row_is_reported_where_it_is_asked_for(tmp_path: Path) -> None:
    """And the good ones are read."""
    errors: list[LacunaError] = []
    path = write(tmp_path, PERSON, b"[1]", {"name": ""}, {"prompt": "What?"})
    assert [row.number for row in read_people_rows(path, errors.append)] == [1, 4]
    assert [error.detail.split(", ")[1].split()[1] for error in errors] == ["2", "3"]


def test_memory_does_not_grow_with_the_number_of_lines(tmp_path: Path) -> None:
    """10,000 lines with a photograph each, read one after another: at most a few of them are in memory."""
    url = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + os.urandom(6000)).decode()
    path = tmp_path / "people.jsonl"
    with path.open("w") as stream:
        for number in range(10_000):
            stream.write(json.dumps({"name": f"Person {number}", "photo": url}) + "\n")
    assert path.stat().st_size > 80_000_000
    tracemalloc.start()
    count = sum(len(row.photos) for row in read_people_rows(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 10_000
    assert peak < 2_000_000


def test_parquet_with_the_fields_as_columns_is_read(tmp_path: Path) -> None:
    """Structs, maps, JSON texts, dates, pictures as bytes or paths; columns of other origin are ignored."""
    (tmp_path / "ada.png").write_bytes(png())
    path = tmp_path / "people.parquet"
    rows = [
        {"id": 1, "name": "Mara", "photo": {"bytes": png(), "path": None}, "facts": {"city": "Ulm", "born": None}},
        {"id": 2, "name": "Ada", "photo": {"bytes": None, "path": "ada.png"}, "facts": {"city": None, "born": 1970}},
    ]
    pq.write_table(pa.Table.from_pylist([row | {"score": 0.5} for row in rows]), path)
    mara, ada = read_people_rows(path)
    assert (mara.id, mara.names, mara.photos, mara.facts) == ("1", ("Mara",), (png(),), (Fact("city", "Ulm"),))
    assert (ada.photos, ada.facts, ada.where) == ((png(),), (Fact("born", "1970"),), f"{path}, row 2")
    facts = pa.array([[("city", "Ulm")]], pa.map_(pa.string(), pa.string()))
    table = pa.table({"names": [["Mara"]], "photos": [[png(), png((9, 9, 9))]], "facts": facts})
    pq.write_table(table, path)
    (mara,) = read_people_rows(path)
    assert (len(mara.photos), mara.facts) == (2, (Fact("city", "Ulm"),))
    texts = {"name": ["Mara"], "facts": ['[{"attribute": "born", "value": 1970}]'], "visible": ['{"hat": "no"}']}
    pq.write_table(pa.table(texts), path)
    (mara,) = read_people_rows(path)
    assert (mara.facts, mara.visible) == ((Fact("born", "1970"),), {"hat": "no"})
    pq.write_table(pa.Table.from_pylist([{"name": "Mara", "facts": {"born": date(1970, 5, 1)}}]), path)
    assert next(read_people_rows(path)).facts == (Fact("born", "1970-05-01"),)


def test_parquet_of_the_benchmark_and_of_reference_people_is_read(tmp_path: Path) -> None:
    """With the pictures as they are, and texts of a biography are not facts."""
    people = generate_people(5, {"forgettable": 20, "celebrity_eval": 2})
    write_benchmark(tmp_path, people[:20], people[20:])
    (file,) = (tmp_path / "Full_Set").glob("*.parquet")
    for row, person in zip(read_people_rows(file), people, strict=False):
        assert (row.id, row.names, len(row.photos)) == (person.id, person.subject.names, 1)
        assert {(fact.attribute, fact.value) for fact in row.facts} == {
            (fact.attribute, fact.value) for fact in person.subject.facts
        }
    (file,) = (tmp_path / "Test_Set").glob("*.parquet")
    assert {len(row.photos) for row in read_people_rows(file)} == {2}
    biography = json.dumps({"name": "Ada Low", "city": "Oslo", "life": "word " * 13, "parents": {"a": "b"}})
    pq.write_table(pa.table({"ID": ["1", "2"], "biography": [biography, "free text"], "name": [None, "Bo"]}), file)
    ada, bo = read_people_rows(file)
    assert (ada.names, ada.facts) == (("Ada Low",), (Fact("name", "Ada Low"), Fact("city", "Oslo")))
    assert (bo.names, bo.facts) == (("Bo",), ())
    stored = next(read_people_rows(Path("models/demo-vlm/reference/celebrity_fit.parquet")))
    assert (len(stored.facts), len(stored.options), set(stored.visible)) == (10, 10, {"glasses", "hat", "background"})


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"city": ["Ulm"]}, "a person needs names or photos"),
        ({"name": ["Mara"], "facts": ["[{"]}, "facts: it is not JSON"),
        ({"name": ["Mara"], "photo": ["../a.png"]}, r"photos\.0: A path must lead"),
        ({"name": ["Mara"], "photo": [b"x" * (MAX_BYTES + 1)]}, r"photos\.0: A picture may have"),
    ],
)
def test_parquet_row_that_cannot_be_used_is_named(tmp_path: Path, columns: dict[str, Any], sentence: str) -> None:
    path = tmp_path / "people.parquet"
    pq.write_table(pa.table(columns), path)
    with pytest.raises(LacunaError, match=rf"people\.parquet, row 1.*{sentence}"):
        list(read_people_rows(path))


def test_file_that_is_not_parquet_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, PERSON, name="people.parquet")
    with pytest.raises(BadInput, match="it is not a parquet file"):
        list(read_people_rows(path))
