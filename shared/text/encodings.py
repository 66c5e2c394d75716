"""What a text says in an encoding that its reader can undo: "Q2hpYXJh", "%43hiara", "C as in Caesar", "Chi-a-ra".

A model that is asked about "Q2hpYXJhIExhbmc=" may answer about Chiara Lang, or give an answer in hex if it is told to.
`decoded` gives the text with every encoded piece replaced by what it stands for, and `joined` the places where a word
was taken apart or had signs and digits put into it. Both say where in the source each part of their text stands. What
is decoded has to be readable; whether it is anybody's name is for others to say. Pure text.

Not undone: encryption with a key, and encodings of a single word inside another one. Ciphers that replace letter by
letter leave words as words: `ciphers.py` has them.
"""

import base64
import binascii
import html
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 200_000  # characters of a text that are read
MOST_LAYERS: Final = 3  # base64 of base64 of base64
READABLE: Final = 0.7  # of the characters of a decoded piece are letters or blanks
FEWEST_LINES: Final = 4  # of an acrostic
AROUND: Final = 80  # characters on both sides of a joined word that are read with it
AROUND_DECODED: Final = 400  # and of a decoded piece


@dataclass(frozen=True)
class Decoded:
    """`text`, and of each of its parts where it stands: [start in `text`, start and end in the source, is literal]."""

    text: str
    parts: tuple[tuple[int, int, int, bool], ...]

    def source(self, start: int, end: int) -> tuple[int, int]:
        """The characters of the source that [`start`, `end`) stands for; a decoded piece stands for all of its own."""
        first = self.parts[self._part_at(start)]
        last = self.parts[self._part_at(max(start, end - 1))]
        return (
            first[1] + start - first[0] if first[3] else first[1],
            min(last[2], last[1] + end - last[0]) if last[3] else last[2],
        )

    def parts_from(self, start: int, end: int) -> Iterator[tuple[int, int, int, int, bool]]:
        """The parts that [`start`, `end`) of the text touches, each with where it ends in the text."""
        for number in range(self._part_at(start), len(self.parts)):
            begins, first, last, literal = self.parts[number]
            if begins >= end:
                return
            stops = self.parts[number + 1][0] if number + 1 < len(self.parts) else len(self.text)
            yield begins, stops, first, last, literal

    def _part_at(self, place: int) -> int:
        return max(0, bisect_right(self.parts, place, key=lambda part: part[0]) - 1)


@dataclass(frozen=True)
class _Piece:
    """[start, end) of a text stands for `text`."""

    start: int
    end: int
    text: str


def decoded(text: str) -> list[Decoded]:
    """What stands around its encodings, with what these say; as one text where they are near each other."""
    found = _undone(text[:LONGEST])
    return [] if found is None else list(_near_pieces(found))


def joined(text: str) -> list[Decoded]:
    """Words that are taken apart or mixed with signs and digits, as they look, each with what stands around it; and the
    first letters of all lines."""
    read = text[:LONGEST]
    found = _acrostic(read)
    for pattern, stands_for in _JOINTS:
        pieces = [_Piece(*match.span(), stands_for(match)) for match in pattern.finditer(read)]
        found += _surroundings(read, pieces)
    return found


def _near_pieces(whole: Decoded) -> Iterator[Decoded]:
    """The parts of a decoded text that hold a piece, each with what stands around it: the rest was read before."""
    ends = [begins for begins, *_ in whole.parts[1:]] + [len(whole.text)]
    stretches: list[tuple[int, int]] = []
    for (begins, _, _, literal), stops in zip(whole.parts, ends, strict=True):
        if literal:
            continue
        start = max(0, begins - AROUND_DECODED)
        start = whole.text.rfind(" ", max(0, start - AROUND), start) + 1 or start
        stop = min(len(whole.text), stops + AROUND_DECODED)
        blank = whole.text.find(" ", stop, stop + AROUND)
        stop = stop if blank < 0 else blank
        if stretches and start <= stretches[-1][1]:
            stretches[-1] = stretches[-1][0], stop
        else:
            stretches.append((start, stop))
    for start, stop in stretches:
        parts = [
            (max(begins, start) - start, first + max(0, start - begins) if literal else first, last, literal)
            for begins, _, first, last, literal in whole.parts_from(start, stop)
        ]
        yield Decoded(whole.text[start:stop], tuple(parts))


def _undone(text: str) -> Decoded | None:
    """The text after as many layers of encoding as there are, but for very many."""
    whole: Decoded | None = None
    for _ in range(MOST_LAYERS):
        pieces = _encoded_pieces(text if whole is None else whole.text)
        if not pieces:
            break
        layer = _with_pieces(text if whole is None else whole.text, pieces)
        whole = layer if whole is None else _through(layer, whole)
    return whole


def _through(layer: Decoded, below: Decoded) -> Decoded:
    """`layer`, which was made of the text of `below`, with its places in the source of `below`."""
    parts = []
    for begins, stops, start, end, literal in layer.parts_from(0, len(layer.text)):
        if not literal:
            parts.append((begins, *below.source(start, end), False))
            continue
        stretch = start + stops - begins  # where the literal stretch ends in the text of `below`
        for low, high, first, last, plain in below.parts_from(start, stretch):  # it may hold pieces from below
            cut = max(low, start)
            if cut < min(high, stretch):
                parts.append((begins + cut - start, first + cut - low if plain else first, last, plain))
    return Decoded(layer.text, tuple(parts))


def _with_pieces(text: str, pieces: Iterable[_Piece], start: int = 0, end: int | None = None) -> Decoded:
    """[`start`, `end`) of the text with `pieces`, which are in order and apart, replaced by what they stand for."""
    stop = len(text) if end is None else end
    written: list[str] = []
    parts: list[tuple[int, int, int, bool]] = []
    length, place = 0, start
    for piece in pieces:
        for chunk, first, last, literal in (
            (text[place : piece.start], place, piece.start, True),
            (piece.text, piece.start, piece.end, False),
        ):
            if chunk:
                parts.append((length, first, last, literal))
                written.append(chunk)
                length += len(chunk)
        place = piece.end
    if place < stop or not parts:
        parts.append((length, place, stop, True))
        written.append(text[place:stop])
    return Decoded("".join(written), tuple(parts))


def _surroundings(text: str, pieces: list[_Piece]) -> list[Decoded]:
    """The text around `pieces`, cut at blanks; pieces whose surroundings meet are read together."""
    found: list[Decoded] = []
    group: list[_Piece] = []
    for piece in [*pieces, None]:
        if group and (piece is None or piece.start - group[-1].end > AROUND):
            start = text.rfind(" ", 0, max(0, group[0].start - AROUND)) + 1
            stop = text.find(" ", min(len(text), group[-1].end + AROUND))
            found.append(_with_pieces(text, group, start, len(text) if stop < 0 else stop))
            group = []
        if piece is not None:
            group.append(piece)
    return found


def _acrostic(text: str) -> list[Decoded]:
    """The first letters of the lines, one after the other."""
    firsts = [match.start(1) for match in re.finditer(r"^[^\w\n]*([^\W\d_])", text, re.MULTILINE)]
    if len(firsts) < FEWEST_LINES:
        return []
    parts = tuple((2 * place, first, first + 1, False) for place, first in enumerate(firsts))
    return [Decoded(" ".join(text[first] for first in firsts), parts)]


# Encodings


def _encoded_pieces(text: str) -> list[_Piece]:
    """The encoded pieces of a text, in order and apart; of two that overlap, the one that begins first."""
    taken: list[_Piece] = []
    signs = set(text)
    for sign, pattern, decode in _ENCODINGS:
        if sign is not None and sign.isdisjoint(signs):
            continue
        for match in pattern.finditer(text):
            said = decode(match.group())
            if said is not None:
                taken.append(_Piece(*match.span(), said))
    taken.sort(key=lambda piece: (piece.start, -piece.end))
    apart: list[_Piece] = []
    for piece in taken:
        if not apart or piece.start >= apart[-1].end:
            apart.append(piece)
    return apart


def _readable(said: str) -> str | None:
    """The text if it is one; None for what is only called one by chance."""
    letters = sum(character.isalpha() or character.isspace() for character in said)
    return said if said.isprintable() and letters >= max(1, READABLE * len(said)) else None


def _of_bytes(data: bytes) -> str | None:
    try:
        return _readable(data.decode().strip())
    except UnicodeDecodeError:
        return None


def _base64(written: str) -> str | None:
    bare = written.lstrip("-").rstrip("=")
    if not any(letter.isalpha() for letter in bare):
        return None
    padded = bare + "=" * (-len(bare) % 4)
    try:
        return _of_bytes(base64.urlsafe_b64decode(padded.replace("+", "-").replace("/", "_")))
    except (ValueError, binascii.Error):
        return None


def _base32(written: str) -> str | None:
    padded = written.rstrip("=") + "=" * (-len(written.rstrip("=")) % 8)
    try:
        return _of_bytes(base64.b32decode(padded))
    except (ValueError, binascii.Error):
        return None


def _hex(written: str) -> str | None:
    digits = re.sub(r"0x|\\x|[^0-9a-fA-F]", "", written)
    return _of_bytes(bytes.fromhex(digits)) if len(digits) % 2 == 0 else None


def _escaped_bytes(written: str) -> str | None:
    return _of_bytes(bytes.fromhex(re.sub(r"[^0-9a-fA-F]", "", written)))


def _octal(written: str) -> str | None:
    return _of_bytes(bytes(int(number, 8) for number in written.split("\\")[1:]))


def _bits(written: str) -> str | None:
    return _of_bytes(bytes(int(bits, 2) for bits in re.findall(r"[01]{8}", written)))


def _code_points(written: str) -> str | None:
    numbers = [int(number, 16) for number in re.findall(r"[0-9a-fA-F]{2,6}", written)]
    return "".join(map(chr, numbers)) if all(number <= 0x10FFFF for number in numbers) else None


def _character_codes(written: str) -> str | None:
    return _readable("".join(chr(int(number)) for number in re.findall(r"\d+", written)))


def _places_in_the_alphabet(written: str) -> str | None:
    """ "3-8-9-1-18-1 12-1-14-7": words are apart where most numbers are not."""
    numbers = [int(number) for number in re.findall(r"\d+", written)]
    if not all(1 <= number <= 26 for number in numbers):
        return None
    groups = written.split() if re.search(r"\d[-.,]\d", written) else re.split(r"\s*[/|;]\s*|\s{2,}|\n", written)
    return " ".join("".join(chr(96 + int(number)) for number in re.findall(r"\d+", group)) for group in groups)


def _morse(written: str) -> str | None:
    signs = written.translate(
        {ord("·"): ".", ord("•"): ".", ord("−"): "-", ord("–"): "-", ord("—"): "-", ord("_"): "-"}
    )
    words = ["".join(_MORSE.get(sign, "?") for sign in word.split()) for word in re.split(r"\s*[/|]\s*|\s{3,}", signs)]
    said = " ".join(words).strip()
    return said if said and "?" not in said else None


def _called_letters(written: str) -> str | None:
    """The spelling alphabet of radio: the first letter of each word."""
    parts = re.split(r"[/|\n]", written)
    return " ".join("".join(word[0] for word in re.findall(r"[^\W\d_]+", part)) for part in parts).lower()


def _letters_with_examples(written: str) -> str | None:
    return "".join(re.findall(rf"({_LETTER})\s+{_AS_IN}\b", written))


def _entity(written: str) -> str | None:
    said = html.unescape(written)
    return None if said == written else said.replace("\xa0", " ")


def _unseen_letters(written: str) -> str:
    """Unicode's tags, which are drawn as nothing and which a model reads as the letters that they stand for."""
    return f" {''.join(chr(ord(tag) - 0xE0000) for tag in written)} "


def _accented(written: str) -> str | None:
    return written.strip("{}")[-1]


_MORSE: Final = {
    sign: letter
    for letter, sign in re.findall(
        r"(\w):(\S+)",
        "a:.- b:-... c:-.-. d:-.. e:. f:..-. g:--. h:.... i:.. j:.--- k:-.- l:.-.. m:-- n:-. o:--- p:.--. q:--.- r:.-. "
        "s:... t:- u:..- v:...- w:.-- x:-..- y:-.-- z:--..",
    )
}
_CALLED: Final = (
    "alfa alpha bravo charlie delta echo foxtrot golf hotel india juliett juliet kilo lima mike november oscar papa "
    "quebec romeo sierra tango uniform victor whiskey whisky xray x-ray yankee zulu"
)
_LETTER: Final = r"(?<!\w)[^\W\d_]"
_AS_IN: Final = r"(?:as in|like in|like|for|wie|comme|come|como|jak)"
_UPSIDE_DOWN: Final = "ɐǝɟƃᵷɥᴉᴊɾʞꞁɯɹʇʌʍʎ"
_TURNED: Final = str.maketrans(f"{_UPSIDE_DOWN}ɔqpbdnu", "aefgghijjklmrtvwy" + "cbdqpun")
_MORSE_SIGNS: Final = frozenset(".·•_−–—-")
_SEPARATED: Final = r"[\s,;:/|.-]{1,3}"
# What an encoding has one of at least (None: anything), how it is written, and what it stands for.
_ENCODINGS: Final[tuple[tuple[frozenset[str] | None, re.Pattern[str], Callable[[str], str | None]], ...]] = (
    (frozenset(map(chr, range(0xE0020, 0xE007F))), re.compile(r"[\U000E0020-\U000E007E]+"), _unseen_letters),
    (frozenset("&"), re.compile(r"&(?:#\d{1,6}|#[xX][0-9a-fA-F]{1,5}|[a-zA-Z]{2,8});"), _entity),
    (frozenset("\\"), re.compile(r"(?:\\u[0-9a-fA-F]{4}|\\[ux]\{[0-9a-fA-F]{2,6}\})+"), _code_points),
    (frozenset("+"), re.compile(r"U\+[0-9a-fA-F]{4,5}(?:[\s,]{0,3}U\+[0-9a-fA-F]{4,5})*"), _code_points),
    (
        frozenset("\\%="),
        re.compile(r"(?:\\x[0-9a-fA-F]{2})+|(?:%[0-9a-fA-F]{2})+|(?:=[0-9A-F]{2})+"),
        _escaped_bytes,
    ),
    (frozenset("\\"), re.compile(r"(?:\\[01][0-7]{2}){3,}"), _octal),
    (frozenset("01"), re.compile(r"(?<!\w)[01]{8}(?:[\s,;:/|.-]{0,3}[01]{8}){2,}(?!\w)"), _bits),
    (None, re.compile(r"(?<![\w])(?:0x)?(?:[0-9a-fA-F]{2}[\s,:-]?(?:0x)?){3,}[0-9a-fA-F]{2}(?!\w)"), _hex),
    (None, re.compile(rf"(?<![\w.])\d{{2,3}}(?:{_SEPARATED}\d{{2,3}}){{3,}}(?!\w)"), _character_codes),
    (None, re.compile(rf"(?<![\w.])\d{{1,2}}(?:{_SEPARATED}\d{{1,2}}){{3,}}(?!\w)"), _places_in_the_alphabet),
    (
        _MORSE_SIGNS,
        re.compile(r"(?<!\S)[.·•_−–—-]{1,5}(?:\s{1,4}(?:[/|]\s{0,2})?[.·•_−–—-]{1,5}){3,}(?![^\s?!,;:)])"),
        _morse,
    ),
    (
        None,
        re.compile(
            rf"\b(?:{'|'.join(_CALLED.split())})\b(?:[\s,./|-]{{1,3}}\b(?:{'|'.join(_CALLED.split())})\b){{3,}}",
            re.IGNORECASE,
        ),
        _called_letters,
    ),
    (
        None,
        re.compile(
            rf"{_LETTER}\s{{1,2}}{_AS_IN}\s{{1,2}}\w{{1,20}}"
            rf"(?:[,;.]?\s{{1,2}}(?:and\s|then\s|und\s)?{_LETTER}\s{{1,2}}{_AS_IN}\s{{1,2}}\w{{1,20}}){{2,}}"
        ),
        _letters_with_examples,
    ),
    (frozenset("\\"), re.compile(r"\\[`'^\"~=.uvHcdbrk](?:\{[A-Za-z]\}|[A-Za-z](?![A-Za-z]{0,12}\{))"), _accented),
    (None, re.compile(r"(?<![\w+/=-])-*+[A-Za-z0-9+/_-]{7,}+={0,2}(?![\w+/=-])"), _base64),
    (None, re.compile(r"(?<![\w=])[A-Z2-7]{8,}={0,6}(?![\w=])"), _base32),
    (
        frozenset(_UPSIDE_DOWN),
        re.compile(rf"(?<!\w)(?=\w{{0,40}}[{_UPSIDE_DOWN}])\w+"),
        lambda written: written.translate(_TURNED),
    ),
)


# Words that are taken apart


def _with_letters_for_digits(letter_for_one: str) -> Callable[[re.Match[str]], str]:
    table = str.maketrans("43150@$!7890", f"ae{letter_for_one}so" + "asitbgo")

    def letters(match: re.Match[str]) -> str:
        return match.group().translate(table)

    return letters


_NOTES: Final = (
    r"\u00b2\u00b3\u00b9\u2070\u2074-\u2079\u2080-\u2089\u2460-\u249b\u24ea-\u24ff\u2776-\u2793"  # of footnotes
)
_L: Final = rf"[^\W\d_{_NOTES}]"
_D: Final = rf"[\d{_NOTES}]"
_MIXED: Final = re.compile(
    rf"(?<![\w@$!])(?:[\d@$!]{{0,12}}{_L}{{1,24}}[\d@$!]{{1,12}}|[\d@$!]{{1,12}}{_L}{{1,24}})[\w@$]{{0,24}}"
)
_JOINTS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...]] = (
    (re.compile(r"</?[a-zA-Z][^<>\n]{0,80}>|<!--[^<>\n]{0,80}-->"), lambda _: ""),
    (
        re.compile(rf"(?<={_L})(?:[-·‧•*~^|+()\[\]{{}}\\]{{1,2}}|[\"'”’]\s?[+.,&|]{{1,2}}\s?[\"'“‘])(?={_L})"),
        lambda _: "",
    ),
    (re.compile(rf"(?<={_L}){_D}{{1,8}}(?!\w)|(?<!\w){_D}{{1,8}}(?={_L})"), lambda _: " "),
    (_MIXED, _with_letters_for_digits("i")),
    (_MIXED, _with_letters_for_digits("l")),
)
