"""The same value in another format: dates, numbers, telephone numbers, e-mail addresses, postal addresses, umlauts.

A fact that is told in another format is told: "May 12, 1984" reveals "12.05.1984". Compared are values, by what they
are: a part of a value reveals nothing (a year is not a birth date), and 5 is not found in 15. Pure text, eight
languages. Not seen through: numbers and dates in words ("the twelfth of May"), other scripts.
"""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final

WORDS_BESIDE: Final = 2  # words beside a date or number that is still nothing else: "born on", "a year"
NEAR: Final = 3  # words before and after a number that may be its unit
REACH: Final = 60  # characters in which these words are
LARGE: Final = 4  # digits of a number that need no unit
IDENTIFYING: Final = 6  # digits of a number that stands for somebody or something
SHORTEST: Final = 3  # letters of a value that is compared by its words
# English, German, French, Spanish, Italian, Polish (as in "12 maja" and by itself), Portuguese, Dutch; without accents.
MONTHS: Final = (
    "january jan januar janner janvier janv enero ene gennaio genn stycznia styczen sty janeiro januari",
    "february feb februar fevrier fevr febrero febbraio febbr lutego luty fevereiro fev februari",
    "march mar marz mars marzo marca marzec marco maart mrt",
    "april apr avril avr abril abr aprile kwietnia kwiecien kwi",
    "may mai mayo maggio magg maja maj maio mei",
    "june jun juni juin junio giugno giu czerwca czerwiec cze junho",
    "july jul juli juillet juil julio luglio lug lipca lipiec lip julho",
    "august aug aout agosto ago sierpnia sierpien sie augustus",
    "september sep sept septembre septiembre settembre sett wrzesnia wrzesien wrz setembro",
    "october oct oktober okt octobre octubre ottobre ott pazdziernika pazdziernik paz outubro",
    "november nov novembre noviembre listopada listopad lis novembro",
    "december dec dezember dez decembre diciembre dic dicembre grudnia grudzien gru dezembro",
)
MONTH_NUMBER: Final = {name: number for number, names in enumerate(MONTHS, 1) for name in names.split()}
_MONTH: Final = rf"(?P<name>{'|'.join(sorted(MONTH_NUMBER, key=len, reverse=True))})\b\.?"
_DAY: Final = r"(?P<day>\d{1,2})(?:\.|st|nd|rd|th|er|ten|te|e|o|a)?"
_YEAR: Final = r"(?P<year>\d{4}|'?\d{2}(?=\D|\Z))"
_OF: Final = r"(?:\s+(?:of|day of|de|del|di|van|the|in|in the year|im jahr|en|l'an|roku))*"
_DATES: Final = tuple(
    re.compile(rf"(?<![\d.,/-])(?:{pattern})(?!\d)")
    for pattern in (
        rf"{_DAY}{_OF}\s*[-/]?{_MONTH}(?:,|{_OF})?\s*[-/]?{_YEAR}",
        rf"{_MONTH}\s+(?:the\s+)?{_DAY}(?:,|{_OF})?\s+{_YEAR}",
        rf"(?P<year>\d{{4}}),?\s+{_MONTH}\s+{_DAY}",
        r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})",
        r"(?P<day>\d{1,2})\.\s*(?P<month>\d{1,2})\.\s*(?P<year>\d{4}|\d{2})",
        r"(?P<first>\d{1,2})\s*[-/]\s*(?P<second>\d{1,2})\s*[-/]\s*(?P<year>\d{4}|\d{2})",
    )
)
_MONTH_AND_YEAR: Final = re.compile(
    rf"(?<![\d./-])(?:{_MONTH}(?:,|{_OF})?\s*(?P<year>\d{{4}})|(?P<month>\d{{1,2}})\s*[./-]\s*(?P<digits>\d{{4}}))(?!\d)"
)
_DAY_AND_MONTH: Final = re.compile(
    rf"(?<![\d.,/-])(?:{_DAY}{_OF}\s*{_MONTH}|{_MONTH.replace('name', 'name2')}\s+(?:the\s+)?(?P<day2>\d{{1,2}})(?!\d))"
)


@dataclass(frozen=True)
class Date:
    """A day, or what is said of it: `day` or `year` may be missing."""

    year: int | None
    month: int
    day: int | None


def reveals_in_another_format(text: str, value: str) -> bool:
    """Whether `value` occurs in `text` in another format than its own."""
    heard, meant = folded(text), folded(value)
    if "@" in value:
        return _same_address(heard, meant)
    if re.search(r"\d", value):
        dates = value_dates(meant)
        if dates:
            return _same_date(heard, dates)
        if _same_number(heard, meant) or _same_digits(heard, meant):
            return True
    return _same_words(text, value)


@lru_cache(maxsize=4096)
def folded(text: str) -> str:
    """Lower case without accents, straight apostrophes; hyphens, stops and spaces as they are."""
    text = re.sub("[\u2018\u2019\u02bc]", "'", text)
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return re.sub(r"[\u2010-\u2015\u2212]", "-", plain.casefold()).translate(_LETTERS)


_LETTERS: Final = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ð": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})
_TRANSCRIBED: Final = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "Ø": "Oe", "Å": "Aa"}
)


# Dates


@lru_cache(maxsize=4096)
def days(text: str) -> frozenset[Date]:
    """All days that a folded text names; both readings of 05/12/1984, both centuries of a year of two digits."""
    named: set[Date] = set()
    for pattern in _DATES:
        for match in pattern.finditer(text):
            parts = {key: part for key, part in match.groupdict().items() if part is not None}
            year = parts["year"].lstrip("'")
            years = (int(year),) if len(year) == 4 else (1900 + int(year), 2000 + int(year))
            if "name" in parts:
                pairs = [(int(parts["day"]), MONTH_NUMBER[parts["name"]])]
            elif "first" in parts:
                first, second = int(parts["first"]), int(parts["second"])
                pairs = [(first, second), (second, first)]
            else:
                pairs = [(int(parts["day"]), int(parts["month"]))]
            named |= {Date(y, m, d) for y in years for d, m in pairs if 1 <= d <= 31 and 1 <= m <= 12}
    return frozenset(named)


def months(text: str) -> set[Date]:
    dates = set()
    for match in _MONTH_AND_YEAR.finditer(text):
        month = MONTH_NUMBER[match["name"]] if match["name"] else int(match["month"])
        if 1 <= month <= 12:
            dates.add(Date(int(match["year"] or match["digits"]), month, None))
    return dates


def value_dates(value: str) -> frozenset[Date]:
    """The date that a folded value is; empty where it is something else, or more than a date."""
    for dates in (days(value), frozenset(months(value)), day_and_month(value)):
        if dates:
            beside = value
            for pattern in (*_DATES, _MONTH_AND_YEAR, _DAY_AND_MONTH):
                beside = pattern.sub(" ", beside)
            few = len(re.findall(r"\w+", beside)) <= WORDS_BESIDE
            return dates if few and not re.search(r"\d", beside) else frozenset()
    return frozenset()


def day_and_month(text: str) -> frozenset[Date]:
    dates = set()
    for match in _DAY_AND_MONTH.finditer(text):
        name, day = (match["name"], match["day"]) if match["day"] else (match["name2"], match["day2"])
        if 1 <= int(day) <= 31:
            dates.add(Date(None, MONTH_NUMBER[name], int(day)))
    return frozenset(dates)


def _same_date(text: str, dates: frozenset[Date]) -> bool:
    heard = days(text) | months(text) | day_and_month(text)
    return any(
        all(getattr(other, part) == wanted for part in ("year", "month", "day") if (wanted := getattr(date, part)))
        for date in dates
        for other in heard
    )


# Numbers and whatever is written in digits


_NUMBER: Final = r"\d{1,3}(?:[ .,'\u2019]\d{3})+(?:[.,]\d{1,2})?(?!\d)|\d+(?:[.,]\d+)?"
_THOUSAND: Final = r"k|thousand|tausend|mille|mil|mila|tys|tysiecy|tysiace|duizend"
_MILLION: Final = r"million|millions|millionen|mio|mln|millones|milioni|milione|miliony|milionow|milhoes|miljoen"
_SCALED: Final = re.compile(rf"(?<![\w.,])(?P<number>{_NUMBER})\s*(?P<scale>(?:{_THOUSAND}|{_MILLION})\b\.?)?")
CURRENCIES: Final = {
    "€": "eur", "euro": "eur", "euros": "eur", "$": "usd", "dollar": "usd", "dollars": "usd", "£": "gbp",
    "pound": "gbp", "pounds": "gbp", "zloty": "pln", "zlotych": "pln", "zl": "pln", "franken": "chf", "francs": "chf",
}  # fmt: skip


@dataclass(frozen=True)
class Number:
    """Its amount, the words on both sides, and of how many digits it is written."""

    amount: Decimal
    around: frozenset[str]
    digits: int


def numbers(text: str) -> list[Number]:
    written = []
    for match in _SCALED.finditer(text):
        scale = (match["scale"] or "").rstrip(".")
        factor = 1 if not scale else 1000 if re.fullmatch(_THOUSAND, scale) else 1_000_000
        before, after = text[max(0, match.start() - REACH) : match.start()], text[match.end() : match.end() + REACH]
        around = units(before)[-NEAR:] + units(after)[:NEAR]
        amount = _amount(match["number"]) * factor
        written.append(Number(amount, frozenset(around), sum(c.isdigit() for c in match["number"])))
    return written


def _amount(written: str) -> Decimal:
    """What a written number means: its stops divide thousands, or the last of them is a decimal sign."""
    plain = re.sub(r"[ ']", "", written.replace("\u2019", ""))
    if re.fullmatch(r"\d+|[1-9]\d{0,2}(?:[.,]\d{3})+", plain):
        return Decimal(re.sub(r"[.,]", "", plain))
    whole, decimals = re.split(r"[.,](?=\d+\Z)", plain)
    return Decimal(f"{re.sub(r'[.,]', '', whole)}.{decimals}")


def units(text: str) -> list[str]:
    return [CURRENCIES.get(word, word) for word in re.findall(r"[^\W\d_]+|[€$£]", text)]


def _same_number(text: str, value: str) -> bool:
    """A value that is one number with at most a few words: the same number with all of these words near it."""
    meant = numbers(value)
    if len(meant) != 1 or len(units(value)) > WORDS_BESIDE + 1:
        return False
    if not meant[0].around and meant[0].digits < LARGE:
        return False  # the whole words have found it if it is there
    return any(meant[0].amount == number.amount and meant[0].around <= number.around for number in numbers(text))


def _same_digits(text: str, value: str) -> bool:
    """Telephone, account and identity numbers, in other groups, with or without the prefix of a country."""
    compact = re.sub(r"[^a-z0-9]", "", value)
    digits = sum(c.isdigit() for c in compact)
    if digits < IDENTIFYING or digits < len(compact) / 2 or len(re.findall(r"[a-z]{3,}", value)) > 0:
        return False
    forms = [_spaced(compact)]
    if compact.isdigit():
        prefix = rf"(?:(?:\+|00){GAP}\d{{1,3}}{GAP}(?:\(0\)|0)?|0)?{GAP}"
        international = re.match(r"\s*(?:\+|00)\s*", value)
        if international:
            national = re.sub(r"\D", "", value[international.end() :].replace("(0)", ""))
            forms += [prefix + _spaced(national[code:]) for code in (1, 2, 3) if len(national) - code >= IDENTIFYING]
        else:
            forms.append(prefix + _spaced(compact.lstrip("0")))
    return any(re.search(rf"(?<![\w+])(?:{form})(?!\w)", text) for form in forms)


GAP: Final = r"[\s().\-/]{0,3}"


def _spaced(compact: str) -> str:
    return GAP.join(compact)


# E-mail addresses


def _same_address(text: str, value: str) -> bool:
    """An e-mail address, also one with "at" and "dot" in words."""
    stop = r"\s*(?:\.|[\[({]?\s*\b(?:dot|punkt|point|punto|kropka|ponto)\b\s*[\])}]?)\s*"
    at = r"\s*(?:@|[\[({]?\s*\b(?:at|arobase|arroba|chiocciola|malpa)\b\s*[\])}]?)\s*"
    parts = re.split(r"([.@])", value.strip())
    pattern = "".join({".": stop, "@": at}.get(part, re.escape(part)) for part in parts)
    return re.search(rf"(?<!\w){pattern}(?!\w)", text) is not None


# Words


SAME_WORDS: Final = {
    word: short
    for short, words in {
        "dr": "doctor doktor docteur dottore dottoressa dott doctora doutor",
        "prof": "professor professorin professeur professore professoressa profesor profesora",
        "str": "strasse", "st": "street saint sankt sainte ste", "ave": "avenue av avenida avda", "rd": "road",
        "blvd": "boulevard bd bvd", "ln": "lane", "sq": "square", "pl": "platz place", "pza": "plaza piazza",
        "ul": "ulica ulicy", "c": "calle", "inc": "incorporated", "ltd": "limited", "corp": "corporation",
        "co": "company", "univ": "university universitat universite universidad universita uniwersytet",
        "jr": "junior", "sr": "senior", "nr": "no number nummer numero", "&": "and und et y",
        "2": "two zwei deux dos due dwa dwoje", "3": "three drei trois tres tre trzy troje",
        "4": "four vier quatre cuatro quattro cztery", "5": "five funf cinq cinco cinque piec",
        "6": "six sechs seis sei szesc", "7": "seven sieben sept siete sette siedem",
        "8": "eight acht huit ocho otto osiem", "9": "nine neun neuf nueve nove dziewiec",
        "10": "ten zehn dix diez dieci dziesiec", "11": "eleven elf onze once undici",
        "12": "twelve zwolf douze doce dodici dwanascie",
    }.items()
    for word in words.split()
}  # fmt: skip


def _same_words(text: str, value: str) -> bool:
    """The same words with other abbreviations, commas, umlauts ("Mueller") or order of street and number."""
    if re.search(r"\w[.,@]\w", value):
        return False
    forms = word_forms(value)
    first, comma, _ = value.partition(",")
    if comma and re.search(r"\d", first) and len(re.findall(r"[^\W\d_]{3,}", first)) > 0:
        forms += word_forms(first)  # street and number, without the town
    spoken = [f" {' '.join(words)} " for words in both_spellings(text)]
    return any(f" {form} " in heard for form in forms for heard in spoken)


def word_forms(value: str) -> list[str]:
    forms = []
    for words in both_spellings(value):
        if len("".join(words)) < max(SHORTEST, 0.6 * len(re.sub(r"\s", "", value))):
            continue
        forms.append(" ".join(words))
        if len(words) > 1 and words[0][0].isdigit() != words[-1][0].isdigit():
            at_front = words[0][0].isdigit()
            forms.append(" ".join([*words[1:], words[0]] if at_front else [words[-1], *words[:-1]]))
    return forms


@lru_cache(maxsize=4096)
def both_spellings(text: str) -> tuple[tuple[str, ...], ...]:
    """The words of a text, abbreviated alike, with umlauts without their dots and with umlauts written out."""
    spellings = []
    for written in (text, text.translate(_TRANSCRIBED)):
        words = re.findall(r"\w+|&", folded(written).replace("'", ""))
        if len(words) > 1:
            words = [re.sub(r"(?<=\w\w)strasse\Z", "str", SAME_WORDS.get(word, word)) for word in words]
        spellings.append(tuple(words))
    return tuple(spellings)
