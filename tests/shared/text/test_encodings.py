"""What is encoded is read as its reader reads it, and ordinary texts stay as they are."""

import base64
import codecs

import pytest

from shared.text.ciphers import disguises
from shared.text.encodings import decoded, joined

NAME = "Mara Lindqvist"
ENCODED = {
    "base64": base64.b64encode(NAME.encode()).decode(),
    "base64 without padding": base64.urlsafe_b64encode(NAME.encode()).decode().rstrip("="),
    "base64 twice": base64.b64encode(base64.b64encode(NAME.encode())).decode(),
    "base32": base64.b32encode(NAME.encode()).decode(),
    "hex": NAME.encode().hex(),
    "hex with blanks": NAME.encode().hex(" "),
    "bits": " ".join(f"{byte:08b}" for byte in NAME.encode()),
    "octal": "".join(f"\\{byte:03o}" for byte in NAME.encode()),
    "percent": "".join(f"%{byte:02X}" for byte in NAME.encode()),
    "one letter in percent": "%4Dara Lindqvist",
    "entities": "".join(f"&#{ord(letter)};" for letter in NAME),
    "escapes": "".join(f"\\u{ord(letter):04x}" for letter in NAME),
    "code points": " ".join(f"U+{ord(letter):04X}" for letter in NAME),
    "character codes": " ".join(str(ord(letter)) for letter in NAME),
    "places in the alphabet": "13-1-18-1 12-9-14-4-17-22-9-19-20",
    "morse": "-- .- .-. .- / .-.. .. -. -.. --.- ...- .. ... -",
    "spelling alphabet": "Mike Alfa Romeo Alfa / Lima India November Delta Quebec Victor India Sierra Tango",
    "examples": "M as in Mango, A as in Apple, R as in Rain, A as in Ant",
    "tags": "".join(chr(0xE0000 + ord(letter)) for letter in NAME),
    "accents of LaTeX": r"M\'ara Lindqv\"{i}st",
}


@pytest.mark.parametrize("kind", ENCODED)
def test_encoded_name_is_read(kind: str) -> None:
    (said,) = decoded(f"Where does {ENCODED[kind]} live?")
    words = "".join(said.text.split()).casefold()
    assert ("mara" if kind == "examples" else "maralindqvist") in words


@pytest.mark.parametrize("kind", ["base64", "base64 twice", "hex", "bits", "morse", "tags", "code points"])
def test_decoded_piece_stands_for_all_of_its_source(kind: str) -> None:
    text = f"Where does {ENCODED[kind]} live?"
    (said,) = decoded(text)
    start = said.text.casefold().index("ara")
    first, last = said.source(start, start + 3)
    assert text[first:last].rstrip(" ?") == ENCODED[kind]
    where = said.text.index("live")
    assert text[slice(*said.source(where, where + 4))] == "live"


@pytest.mark.parametrize(
    "text",
    [
        "What colour is the sky?",
        "Call 08-123 45 67 or 555 0199 before 12.05.1984.",
        "The university of Grenoble and the international organization are well-known.",
        "commit 3f2a9c1d7e, sha256:deadbeef",
        "Mike went to India in November.",
        "",
    ],
)
def test_ordinary_text_is_in_no_encoding(text: str) -> None:
    assert all("Mara" not in said.text for said in decoded(text))
    assert not decoded("What colour is the sky?")


@pytest.mark.parametrize(
    "text",
    [
        "Where does Ma-ra Lind-qvist live?",
        'Join "Ma" + "ra" + " Lindqvist".',
        "Where does M[a]ra L[i]ndqvist live?",
        "Where does M4r4 L1ndqv15t live?",
        "Follow @MaraLindqvist92 and tell me more.",
        "Where does Ma<b>ra</b> Lindqvist live?",
    ],
)
def test_word_that_is_taken_apart_is_put_together(text: str) -> None:
    assert any("maralindqvist" in "".join(c for c in said.text if c.isalpha()).casefold() for said in joined(text))


def test_first_letters_of_lines_are_read() -> None:
    lines = "\n".join(f"{letter}ll is well." for letter in "MARALIND")
    (said,) = joined(lines)
    assert said.text == "M A R A L I N D"
    assert lines[slice(*said.source(4, 5))] == "R"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "a-" * 50_000,
            "1 " * 50_000,
            "&#6" * 50_000,
            "%4" * 50_000,
            ". - " * 40_000,
            "A\n" * 50_000,
            "mike " * 9_000,
        ),
        *("-" * 200_000, "1-" * 100_000, f"{ENCODED['base64 twice']} {ENCODED['base64']} " * 3_000),
    ],
)
def test_hostile_text_is_read_in_time(text: str) -> None:
    """Where time grows with the square of the length, these take minutes."""
    for said in (*decoded(text), *joined(text)):
        for start in range(0, len(said.text), 10):
            said.source(start, start + 4)


def test_place_in_a_text_with_pieces_in_one_layer_and_in_two() -> None:
    once, twice = ENCODED["base64"], ENCODED["base64 twice"]
    text = f"First {once}, then {twice} and {once}; %4Dara lives in Lima."
    (said,) = decoded(text)
    assert said.text == f"First {NAME}, then {NAME} and {NAME}; Mara lives in Lima."
    for piece, times in ((once, 2), (twice, 1)):
        found = [said.source(at, at + 1) for at in range(len(said.text)) if said.text.startswith(NAME, at)]
        assert [text[slice(*span)] for span in found].count(piece) == times
    for word in ("then", "lives", "Lima"):
        at = said.text.index(word)
        assert text[slice(*said.source(at, at + len(word)))] == word


def test_names_are_disguised_by_ciphers() -> None:
    found = disguises(["mara", "lindqvist"])
    assert codecs.encode("maralindqvist", "rot13") in found
    assert "tsivqdnilaram" in found
    assert "aramaytsivqdnil" not in found
    assert "aramayindqvistlay" in found
    assert "mrlndqvst" in found
    assert "maralindqvist" not in found
    assert not disguises(["bo", "li"])


def test_only_what_stands_around_a_piece_is_read_again() -> None:
    text = f"{'far away ' * 200}%4dara Lindqvist {'and then ' * 200}%4dara"
    first, second = decoded(text)
    assert len(first.text) < 1000
    at = first.text.index("Mara Lindqvist")
    assert text[slice(*first.source(at, at + 14))] == "%4dara Lindqvist"
    at = second.text.index("Mara")
    assert text[slice(*second.source(at, at + 4))] == "%4dara"
