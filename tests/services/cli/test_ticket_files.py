"""Photographs that a file of tickets names by their paths are read where the file is; everything else is as it was."""

import csv
import io
import json
from pathlib import Path

import pytest

from services.cli.ticket_files import with_photographs
from shared.domain.photos import read_data_url
from shared.errors import BadInput
from tests.support.pictures import png


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mara.png").write_bytes(read_data_url(png()))
    return tmp_path


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_path_in_a_csv_file_becomes_the_picture(folder: Path, delimiter: str) -> None:
    text = f'names,Photo\r\n"Lindqvist; Mara, jr.",mara.png\r\nIda Borg,\r\nBo Ek,"{png()}"\r\n'
    rows = list(csv.reader(io.StringIO(text)))
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=delimiter).writerows(rows)
    sent = with_photographs(written.getvalue().encode(), folder / "tickets", is_csv=True).decode()
    found = list(csv.reader(io.StringIO(sent), delimiter=delimiter))
    assert [row[0] for row in found] == [row[0] for row in rows]
    assert found[1][1].startswith("data:image/png;base64,")
    assert [row[1] for row in found[2:]] == ["", png()]


@pytest.mark.parametrize(
    "content",
    [b"names,fact.city\nMara,Ulm\n", b"names,photo\nMara,\n", b'names,photo\n"Mara', b"\xff\xfen\x00", b""],
)
def test_file_without_paths_is_sent_as_it_is(folder: Path, content: bytes) -> None:
    assert with_photographs(content, folder / "tickets", is_csv=True) == content
    assert with_photographs(content, folder / "tickets", is_csv=False) == content


def test_path_in_a_line_of_json_becomes_the_picture(folder: Path) -> None:
    lines = [{"names": ["Mara"], "photos": ["mara.png", png()]}, {"names": ["Ida"]}]
    content = "\n".join(["{", *map(json.dumps, lines)]).encode()
    broken, first, second = with_photographs(content, folder / "tickets", is_csv=False).decode().splitlines()
    assert (broken, json.loads(second)) == ("{", lines[1])
    assert [photo[:22] for photo in json.loads(first)["photos"]] == ["data:image/png;base64,"] * 2


def test_photograph_that_is_not_there_is_named_with_its_row(folder: Path) -> None:
    with pytest.raises(BadInput, match=r"Row 2: none\.png: There is no such file"):
        with_photographs(b"names,photo\nMara,mara.png\nIda,none.png\n", folder / "tickets", is_csv=True)


@pytest.mark.parametrize("is_csv", [True, False])
@pytest.mark.parametrize(
    "given", ["/etc/passwd", "../secret.png", "link.png", "notes.txt", "https://example.org/a.png"]
)
def test_file_from_outside_sends_nothing_but_pictures_below_its_folder(folder: Path, given: str, is_csv: bool) -> None:
    """A row that names a file of the officer's own, or leads to one, is refused, and nothing of it is sent."""
    below = folder / "below"
    below.mkdir()
    (folder / "secret.png").write_bytes(read_data_url(png()))
    (below / "link.png").symlink_to(folder / "secret.png")
    (below / "notes.txt").write_text("a secret")
    line = f"names,photo\nMara,{given}\n" if is_csv else json.dumps({"names": ["Mara"], "photos": [given]})
    with pytest.raises(BadInput, match="Row 1: "):
        with_photographs(line.encode(), below / "tickets", is_csv=is_csv)


def test_other_ends_of_lines_inside_a_string_are_kept(folder: Path) -> None:
    ticket = {"names": ["Mara\u2028Lindqvist\x85"], "photos": ["mara.png"]}
    sent = with_photographs(json.dumps(ticket, ensure_ascii=False).encode(), folder / "tickets", is_csv=False)
    assert json.loads(sent)["names"] == ticket["names"]
