"""`lacuna drop` against the real request service, with the matching in the background."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.cli.conftest import RunCommand
from tests.services.request.drop.conftest import MARAS_PHONE, STEM, Drop, csv_of, item
from tests.support.api import People


@pytest.fixture
def drop(people: People, tmp_path: Path) -> Iterator[Drop]:
    """Lists are matched in the background, as the control loop does it."""
    drop, stop = Drop(people, tmp_path), threading.Event()

    def work() -> None:
        while not stop.wait(0.05):
            drop.runner.run_all()

    thread = threading.Thread(target=work)
    thread.start()
    yield drop
    stop.set()
    thread.join()


def test_list_is_imported_shown_and_answered(lacuna: RunCommand, drop: Drop, tmp_path: Path) -> None:
    file = tmp_path / f"{STEM}_Phone.csv"
    file.write_text(csv_of(MARAS_PHONE, "A" * 43 + "="))
    imported = lacuna("drop", "import", str(file))
    assert imported.code == 0, imported.err
    assert "1 of 2 work items" in imported.out
    (row,) = json.loads(lacuna("drop", "list", "--json").out)["items"]
    (match,) = json.loads(lacuna("drop", "matches", row["id"], "--json").out)["items"]
    assert (match["item"], match["status"]) == (item(1), None)
    said = lacuna("drop", "report", str(file), "--out", str(tmp_path / "answers"), "--suffix", "part01")
    assert "1 are undecided" in said.out
    drop.reject(match["ticket"], "no_match")
    assert lacuna("drop", "report", str(file), "--out", str(tmp_path / "answers")).code == 0
    assert (tmp_path / "answers" / f"{STEM}_Phone_part01.csv").read_text() == f"Id,Status\n{item(2)},5\n"
    assert (tmp_path / "answers" / file.name).read_text() == f"Id,Status\n{item(1)},5\n{item(2)},5\n"


def test_unusable_files_are_refused_with_a_sentence(lacuna: RunCommand, drop: Drop, tmp_path: Path) -> None:
    for name, content, says in (
        ("list.txt", "", "neither a .zip nor a .csv"),
        ("list.csv", csv_of(MARAS_PHONE), "has a name such as"),
        (f"{STEM}_Phone.csv", "ID,Hash\nx,y\n", "line 2"),
    ):
        (tmp_path / name).write_text(content)
        refused = lacuna("drop", "import", str(tmp_path / name))
        assert (refused.code, says in refused.err) == (1, True), refused.err
    drop.file.write_text('{"name": "Mara", "identifiers": {"vin": "short"}}')
    (tmp_path / f"{STEM}_Phone.csv").write_text(csv_of(MARAS_PHONE))
    failed = lacuna("drop", "import", str(tmp_path / f"{STEM}_Phone.csv"))
    assert (failed.code, "identifiers.vin" in failed.err) == (1, True), failed.err
