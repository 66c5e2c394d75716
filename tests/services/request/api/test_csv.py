"""One rule says which cells might be run as a formula: export escapes them, import takes the escape away."""

import csv
import io

import pytest

from services.request.api.csv import BOM, FORMULA_STARTS, escape_cell, is_formula, unescape_cell, write_csv


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_cell_that_starts_a_formula_is_escaped_on_export_and_read_back_on_import(start: str) -> None:
    cell = f"{start}1+1"
    assert escape_cell(cell) == f"'{cell}"
    assert unescape_cell(escape_cell(cell)) == cell


@pytest.mark.parametrize("cell", ["Mara", " =1", "'=1", "1-1", "", "山田"])
def test_other_cell_is_left_as_it_is(cell: str) -> None:
    assert not is_formula(cell)
    assert escape_cell(cell) == cell


def test_written_file_is_read_back_with_escaped_cells() -> None:
    text = write_csv(["id", "note"], [["T-1", "=1"], ["T-2", None], ["T-3", 'a "b"\r\nc']])
    assert text.startswith('\ufeff"id","note"\r\n"T-1",')  # Excel takes it for UTF-8, and every cell is in quotes
    rows = list(csv.reader(io.StringIO(text.removeprefix(BOM), newline="")))
    assert rows == [["id", "note"], ["T-1", "'=1"], ["T-2", ""], ["T-3", 'a "b"\r\nc']]
