"""A certificate shows names in every script: the page is drawn, and its text is read back."""

import re
import unicodedata
from typing import Any

import pypdfium2
import pytest
from babel.messages.pofile import read_po

from services.request.certificates.messages import collect
from services.request.certificates.pdf import FOLDER, as_pdf
from services.request.documents.catalogs import missing

NAMES = (
    "łukasz żak", "žofie dvořáková", "jürgen groß", "ipek ışık", "trần văn đức", "андрей соколов", "μαρία παππά",
    "דוד לוי", "कमला देवी", "สมหญิง", "გიორგი", "தமிழ்", "አበበ", "հայկ", "김철수", "山田 太郎", "李雷", "ひらがな",
)  # fmt: skip
PLACE = re.compile(r"%\(\w+\)s")
SQUARE_OF_MISSING = "\ufffd"


def statement(name: str) -> dict[str, Any]:
    """A certificate that is suspended, with `name` wherever somebody wrote one."""
    return {
        "predicate": {
            "certificate": {
                "status": "suspended",
                "number": 2,
                "reason": "withdrawn",
                "issued_at": "2026-11-29T04:00:00",
            },
            "ticket": {"id": "T-AAAAAAAA", "state": "withdrawn"},
            "claim": f"Filed by {name}.",
            "payload": {"state": "kept", "note": f"asked by {name}"},
            "not_claimed": [f"{name} is not the only one", "plain text"],
            "log": {"entries": [], "size": 3, "checkpoint": "a\n3\nhash\n"},
            "verify": "lacuna verify certificate",
        }
    }


def text_of(pdf: bytes) -> str:
    with pypdfium2.PdfDocument(pdf) as document:
        return "\n".join(page.get_textpage().get_text_range() for page in document)


def ink(pdf: bytes) -> int:
    """How many pixels of the first page are not white."""
    with pypdfium2.PdfDocument(pdf) as document:
        picture = document[0].render(scale=2).to_pil().convert("L")
    return sum(picture.histogram()[:200])


@pytest.mark.parametrize("name", NAMES)
def test_name_in_any_script_is_shown(name: str) -> None:
    pdf = as_pdf(statement(name))
    text = unicodedata.normalize("NFC", text_of(pdf).replace("\u00a0", " "))
    letters = "".join(name.split())
    assert all(text.count(word) == 3 for word in name.split()), text  # in which order depends on the script
    assert "?" not in text
    assert SQUARE_OF_MISSING not in text
    assert ink(pdf) > ink(as_pdf(statement(""))) + 20 * len(letters)


def test_arabic_is_shown() -> None:
    """In which order its letters are read back depends on the reader; the page was looked at."""
    pdf = as_pdf(statement("محمد علي"))
    assert set("محمدعلي") <= set(text_of(pdf))
    assert ink(pdf) > ink(as_pdf(statement(""))) + 100


def test_fonts_are_embedded_and_only_those_that_are_needed() -> None:
    """A page without its fonts looks different wherever it is opened, and PDF/UA and PDF/A ask for them."""
    plain, japanese = as_pdf(statement("olivia")), as_pdf(statement("山田"))
    for pdf in (plain, japanese):
        assert b"/FontFile" in pdf
        assert b"/Helvetica" not in pdf
    assert len(plain) < 60_000
    assert len(japanese) < 200_000
    assert (b"CJK" in plain, b"CJK" in japanese) == (False, True)


def test_every_text_belongs_to_an_element_of_the_structure() -> None:
    """Nothing is drawn outside a marked sequence, so that a screen reader reads everything, in order."""
    with pypdfium2.PdfDocument(as_pdf(statement("olivia " * 400))) as document:
        assert len(document) > 1
        for page in document:
            marked = [pypdfium2.raw.FPDFPageObj_CountMarks(item) for item in page.get_objects()]
            assert marked
            assert all(count == 1 for count in marked)
        assert pypdfium2.raw.FPDFCatalog_IsTagged(document)


def test_every_sentence_of_a_certificate_has_a_german_one_with_the_same_places() -> None:
    path = FOLDER / "languages" / "de.po"
    assert missing(path, collect()) == [], "python -m services.request.certificates.messages adds them to the file"
    known = {message.id for message in collect()}
    with path.open("rb") as file:
        for entry in read_po(file, locale="de"):
            assert not entry.id or entry.id in known, f"nothing says {entry.id!r} any more"
            assert sorted(PLACE.findall(str(entry.id))) == sorted(PLACE.findall(str(entry.string))), entry.id
