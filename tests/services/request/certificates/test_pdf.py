"""A certificate shows names in every script: the page is drawn, and its text is read back."""

import unicodedata
from typing import Any

import pypdfium2
import pytest

from services.request.documents.fonts import BASE, CJK, is_plain
from services.request.certificates.pdf import as_pdf

NAMES = (
    "łukasz żak", "žofie dvořáková", "jürgen groß", "ipek ışık", "trần văn đức", "андрей соколов", "μαρία παππά",
    "דוד לוי", "कमला देवी", "สมหญิง", "გიორგი", "தமிழ்", "አበበ", "հայկ", "김철수", "山田 太郎", "李雷", "ひらがな",
)  # fmt: skip
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


def test_plain_certificate_embeds_no_font() -> None:
    plain = as_pdf(statement("olivia"))
    assert b"FontFile" not in plain
    assert len(plain) < 5_000
    assert b"FontFile" in as_pdf(statement("łukasz"))


def test_only_the_fonts_that_are_needed_are_embedded() -> None:
    pdf = as_pdf(statement("山田"))
    assert len(pdf) < 200_000
    assert is_plain("Zoë – “é” €")
    assert not is_plain("ł")
    assert {BASE, CJK} == {"NotoSans", "NotoSansCJK"}
