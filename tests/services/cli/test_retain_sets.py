"""How `lacuna retain add` reads a file: JSONL with paths, parquet of reference people, lines that cannot be read."""

import json
from pathlib import Path

import pytest
from PIL import Image

from services.cli.commands.retain_sets import read
from shared.devstack.processes import PROJECT_ROOT
from shared.errors import BadInput
from tests.support.pictures import png


def test_jsonl_rows_are_read_with_their_photos(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "mara.png")
    lines = [
        {
            "name": "Mara",
            "photos": ["mara.png", png()],
            "facts": {"city": "Ulm"},
            "split": "fit",
        },
        {"prompt": "What is this?", "photo": "mara.png"},
    ]
    (tmp_path / "set.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + "\n\n")
    person, prompt = read(tmp_path / "set.jsonl")
    assert (person["names"], person["split"]) == (["Mara"], "fit")
    assert person["facts"] == [{"attribute": "city", "value": "Ulm"}]
    assert [photo[:22] for photo in person["photos"]] == ["data:image/png;base64,"] * 2
    assert len(prompt["photos"]) == 1


def test_parquet_of_reference_people_is_read() -> None:
    people = read(PROJECT_ROOT / "models/demo-vlm/reference/celebrity_fit.parquet")
    assert len(people) == 6
    assert {"id", "names", "photos", "facts", "visible"} == set(people[0])


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.jsonl", b'{"prompt": "x"}\n{"prompt": ', "line 2 is not JSON"),
        ("a.jsonl", b"[1]\n", "it is not an object"),
        ("a.jsonl", b'{"name": "Mara", "photo": "none.png"}\n', r"line 1, photos\.0: There is no such file"),
        ("a.jsonl", b"\xff\xfe\x00", "line 1 is not UTF-8"),
        ("a.parquet", b"not parquet", "cannot be read"),
    ],
)
def test_unreadable_file_is_refused_with_its_line(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=sentence):
        read(tmp_path / name)
