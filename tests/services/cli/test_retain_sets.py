"""What `lacuna retain add` makes of a file: JSONL with paths, parquet of reference people, and bad lines by number."""

import json
from pathlib import Path

import pytest
from PIL import Image

from services.cli.commands.retain_sets import read
from shared.errors import BadInput

HOUSE = Path(__file__).resolve().parents[3]


def test_jsonl_with_paths_short_forms_and_prompts(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "mara.png")
    lines = [
        {"name": "Mara", "photos": ["mara.png", "data:image/png;base64,AA"], "facts": {"city": "Ulm"}, "split": "fit"},
        {"prompt": "What is this?", "photo": "mara.png"},
    ]
    (tmp_path / "set.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + "\n\n")
    person, prompt = read(tmp_path / "set.jsonl")
    assert (person["names"], person["split"]) == (["Mara"], "fit")
    assert person["facts"] == [{"attribute": "city", "value": "Ulm"}]
    assert [photo[:22] for photo in person["photos"]] == ["data:image/png;base64,"] * 2
    assert len(prompt["photos"]) == 1


def test_parquet_of_reference_people() -> None:
    rows = read(HOUSE / "models/demo-vlm/reference/celebrity_fit.parquet")
    assert len(rows) == 6
    assert {"id", "names", "photos", "facts", "visible"} == set(rows[0])


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jsonl", b'{"prompt": "x"}\n{"prompt": ', "Line 2"),
        ("a.jsonl", b"[1]\n", "it is no object"),
        ("a.jsonl", b'{"name": "Mara", "photo": "none.png"}\n', "none.png cannot be read"),
        ("a.jsonl", b"\xff\xfe\x00", "cannot be read"),
        ("a.parquet", b"not parquet", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=says):
        read(tmp_path / name)
