"""Lists that nobody should send: the platform's mistakes, and files that somebody prepared."""

import json
import zipfile
from io import BytesIO

import pytest

from services.request.drop import jobs as drop_jobs
from services.request.drop import lists
from shared.errors import BadInput
from tests.services.request.drop.conftest import (
    EVAS_PHONE,
    MARAS_EMAIL,
    MARAS_PHONE,
    STEM,
    Drop,
    item,
)


def test_one_id_for_two_people_files_both(drop: Drop) -> None:
    """In one list, or in two: the ids are the platform's, and the operator cannot change them."""
    twice = f"ID,Hash\n{item(1)},{MARAS_PHONE}\n{item(1)},{EVAS_PHONE}\n"
    row, matches = drop.match({"Phone": twice})
    assert row["status"] == "succeeded"
    assert len({match["ticket"] for match in matches}) == 2
    row, matches = drop.match(
        {"Phone": f"ID,Hash\n{item(2)},{EVAS_PHONE}\n", "Email": f"ID,Hash\n{item(2)},{MARAS_EMAIL}\n"}
    )
    assert row["status"] == "succeeded"
    assert len({match["ticket"] for match in matches}) == 2


def test_list_that_breaks_the_matching_keeps_back_no_other(drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    first = drop.send({"Phone": f"ID,Hash\n{item(1)},{MARAS_PHONE}\n"}).headers["location"]
    second = drop.send({"Phone": f"ID,Hash\n{item(2)},{EVAS_PHONE}\n"}).headers["location"]
    prepare = drop_jobs.DropListRunner._prepare

    def breaking(self: object, row: object, principal: object, person: object) -> object:
        if "Mara Lindqvist" in person.row.names:  # type: ignore[attr-defined]
            raise RuntimeError("Mara Lindqvist")
        return prepare(self, row, principal, person)  # type: ignore[arg-type]

    monkeypatch.setattr(drop_jobs.DropListRunner, "_prepare", breaking)
    runner = drop.runner
    with pytest.raises(RuntimeError):
        runner.run_all()
    runner.run_all()
    assert drop.shown(second)[0]["status"] == "succeeded"
    broken = drop.shown(first)[0]
    assert broken["status"] == "failed"
    assert "Mara" not in json.dumps(broken)


def test_person_who_joins_the_register_later_gets_no_ticket_of_another(drop: Drop) -> None:
    """Where two lists have the same work item, each time with the hash of somebody else."""
    _, first = drop.match({"Phone": f"ID,Hash\n{item(1)},{MARAS_PHONE}\n"})
    _, second = drop.match({"Phone": f"ID,Hash\n{item(1)},{EVAS_PHONE}\n"})
    assert {match["ticket"] for match in first}.isdisjoint({match["ticket"] for match in second})


def test_blank_lines_cost_nothing_and_do_not_shift_the_number_of_a_line() -> None:
    """Half a gigabyte of them is packed into half a megabyte."""
    packed = BytesIO()
    text = "ID,Hash\r\n" + "\r\n" * 2_000_000 + f"{item(1)},{MARAS_PHONE}\r\n"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(f"{STEM}_Phone.csv", text)
    download = lists.read_download(packed.getvalue(), "")
    assert [each.id for each in download.lists[0].items()] == [item(1)]
    with pytest.raises(BadInput, match="line 2000003:"):
        lists.read_download((text + "x\n").encode(), f"{STEM}_Phone.csv")
