"""Files of DROP: what is read, and what is refused without repeating it."""

import io
import zipfile

import pytest

from services.request.drop import lists
from services.request.drop.lists import archive, read_download
from shared.errors import BadInput, TooLarge
from tests.services.request.drop.conftest import MARAS_EMAIL, STEM, csv_of, item

EMAIL = f"{STEM}_Email.csv"


def test_archive_has_lists_and_requests_that_were_taken_back() -> None:
    removed = f"ID,Hash,ListType\n{item(9)},{MARAS_EMAIL},Email\n"
    raw = archive([(EMAIL, csv_of(MARAS_EMAIL)), (f"{STEM}_NDZ.csv", "ID,Hash\n"), (f"{STEM}_Removed.csv", removed)])
    download = read_download(raw, "x.zip")
    assert [(each.stem, each.kind) for each in download.lists] == [
        (f"{STEM}_Email", "Email"),
        (f"{STEM}_NDZ", "NDZ"),
        (f"{STEM}_Removed", None),
    ]
    assert download.rows == 1
    assert [each.id for each in download.lists[2].items()] == [item(9)]


def test_list_alone_is_read_with_carriage_returns_a_byte_order_mark_and_quotation_marks() -> None:
    text = f'\ufeffID,Hash\r\n"{item(1)}","{MARAS_EMAIL}"\r\n\r\n'
    download = read_download(text.encode(), f"{STEM}_Email_part01.csv")
    assert [(each.id, each.hash) for each in download.lists[0].items()] == [(item(1), MARAS_EMAIL)]
    assert download.lists[0].stem == f"{STEM}_Email"


def test_download_is_known_again_however_it_is_packed() -> None:
    files = [(EMAIL, csv_of(MARAS_EMAIL)), (f"{STEM}_NDZ.csv", "ID,Hash\n")]
    assert read_download(archive(files), "").sha256 == read_download(archive(files[::-1]), "").sha256
    assert read_download(archive(files[:1]), "").sha256 != read_download(archive(files), "").sha256


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("people.csv", csv_of(MARAS_EMAIL), "name"),
        (f"../{EMAIL}", csv_of(MARAS_EMAIL), "name"),
        (f"{STEM}_Address.csv", csv_of(MARAS_EMAIL), "name"),
        (EMAIL, f"{item(1)},{MARAS_EMAIL}\n", "header"),
        (EMAIL, "", "header"),
        (EMAIL, "ID,Hash\nshort," + MARAS_EMAIL, "line 2"),
        (EMAIL, f"ID,Hash\n{item(1)},mara@example.com\n", "line 2"),
        (EMAIL, f"ID,Hash\n{item(1)},{MARAS_EMAIL},Email\n", "line 2"),
        (f"{STEM}_Removed.csv", f"ID,Hash,ListType\n{item(1)},{MARAS_EMAIL}\n", "line 2"),
    ],
)
def test_file_that_drop_does_not_write_is_refused(name: str, text: str, says: str) -> None:
    for raw, given in ((text.encode(), name), (archive([(name, text)]), "")):
        if not raw:
            continue
        with pytest.raises(BadInput) as refused:
            read_download(raw, given)
        assert says in refused.value.detail
        assert "mara" not in refused.value.detail.lower()


@pytest.mark.parametrize("raw", [b"PK", b"PK\x03\x04 broken", archive([])])
def test_damaged_or_empty_archive_is_refused(raw: bytes) -> None:
    with pytest.raises(BadInput):
        read_download(raw, "")


def test_archive_that_unpacks_to_too_much_or_has_a_list_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = archive([(EMAIL, csv_of(*[MARAS_EMAIL] * 50))])
    monkeypatch.setattr(lists, "MOST_ROWS", 49)
    with pytest.raises(TooLarge):
        read_download(raw, "")
    monkeypatch.setattr(lists, "MOST_BYTES", 1000)
    with pytest.raises(TooLarge):
        read_download(raw, "")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr(EMAIL, "ID,Hash\n")
        packed.writestr(f"{STEM}_Email_part02.csv", "ID,Hash\n")
    with pytest.raises(BadInput, match="twice"):
        read_download(buffer.getvalue(), "")


def test_answers_have_the_form_of_the_platform() -> None:
    assert lists.response_file([(item(1), 5), (item(2), 3)]) == f"Id,Status\n{item(1)},5\n{item(2)},3\n"
    assert lists.response_name(f"{STEM}_Email", "part02") == f"{STEM}_Email_part02.csv"
    with pytest.raises(BadInput):
        lists.check_suffix("part 2")
