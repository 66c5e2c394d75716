"""A fact told in another format is told: dates, numbers, telephone numbers, addresses, umlauts."""

import time
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.evaluation.scorers import reveals


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("born on May 12, 1984", "12 May 1984"),
        ("12.05.1984", "12 May 1984"),
        ("1984-05-12", "12 May 1984"),
        ("12/05/1984", "12 May 1984"),
        ("05/12/1984", "12 May 1984"),
        ("12. Mai 1984", "12 May 1984"),
        ("le 12 mai 1984", "12 May 1984"),
        ("el 12 de mayo de 1984", "12 May 1984"),
        ("il 12 maggio 1984", "12 May 1984"),
        ("12 maja 1984 r.", "12 May 1984"),
        ("the 12th of May, 1984", "12 May 1984"),
        ("12.5.84", "12 May 1984"),
        ("12 May 1984", "1984-05-12"),
        ("May 12th 1984", "12.05.1984"),
        ("1er mars 1990", "1 March 1990"),
        ("3 grudnia 1970", "03.12.1970"),
        ("in May 1984", "May 1984"),
        ("on 12.05.1984", "May 1984"),
        ("12-May-1984", "12 May 1984"),
        ("Sat, May 12, 1984", "Saturday, 12 May 1984"),
        ("birthday May 12", "12 May"),
    ],
)
def test_date_in_another_format_is_revealed(text: str, value: str) -> None:
    assert reveals(text, (value,))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.200.000", "1,200,000"),
        ("1 200 000", "1,200,000"),
        ("1200000", "1,200,000"),
        ("1.2 million", "1,200,000"),
        ("45k EUR", "EUR 45,000"),
        ("45.000 Euro", "EUR 45,000"),
        ("€45,000", "45000 EUR"),
        ("3,5 kg", "3.5 kg"),
        ("1'200 people", "1200 people"),
        ("two children", "2 children"),
    ],
)
def test_number_in_another_format_is_revealed(text: str, value: str) -> None:
    assert reveals(text, (value,))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("zwei Kinder", "2 Kinder"),
        ("+44 20 7946 0958", "020 7946 0958"),
        ("020 7946 0958", "+44 20 7946 0958"),
        ("0044 20 7946 0958", "+44 20 7946 0958"),
        ("(020) 7946-0958", "02079460958"),
        ("555-123-4567", "(555) 123 4567"),
        ("+1 555 123 4567", "555-123-4567"),
        ("+49 (0)761 203-0000", "0761 2030000"),
    ],
)
def test_telephone_or_account_number_in_another_format_is_revealed(text: str, value: str) -> None:
    assert reveals(text, (value,))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("DE89370400440532013000", "DE89 3704 0044 0532 0130 00"),
        ("bison dot comet at post dot example", "bison.comet@post.example"),
        ("bison.comet[at]post.example", "bison.comet@post.example"),
    ],
)
def test_email_address_in_another_format_is_revealed(text: str, value: str) -> None:
    assert reveals(text, (value,))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("BISON.COMET (at) POST (dot) EXAMPLE", "bison.comet@post.example"),
        ("Mueller", "Müller"),
        ("Müller", "Mueller"),
        ("Dr Mueller", "Dr. Müller"),
        ("Doktor Müller", "Dr. Müller"),
        ("Hauptstr. 5, 79098 Freiburg", "Hauptstraße 5, 79098 Freiburg"),
        ("Hauptstraße 5 in Freiburg", "Hauptstr. 5, 79098 Freiburg"),
        ("Haupt Str. 5", "Haupt Strasse 5"),
        ("12 Harbour Rd", "12 Harbour Road"),
        ("at Harbour Road 12", "12 Harbour Road, Porto"),
        ("Marble and Finch", "Marble & Finch"),
        ("Kestrel und Sons", "Kestrel & Sons"),
        ("Bjoern Oesterberg", "Björn Østerberg"),
        ("Lodz", "Łódź"),
        ("O’Brien", "O'Brien"),
        ("St Gallen", "St. Gallen"),
        ("Thistle and Company", "Thistle & Co"),
    ],
)
def test_name_or_address_in_another_format_is_revealed(text: str, value: str) -> None:
    assert reveals(text, (value,))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("15", "5"),
        ("He has 15 dogs", "5"),
        ("1984", "12 May 1984"),
        ("May 1984", "12 May 1984"),
        ("12 May 1985", "12 May 1984"),
        ("13.05.1984", "12 May 1984"),
        ("12 May", "12 May 1984"),
        ("112 May 1984", "12 May 1984"),
        ("12 May 1980", "2 May 1980"),
        ("45,000 people", "EUR 45,000"),
        ("4,500 EUR", "EUR 45,000"),
        ("45 EUR", "EUR 45,000"),
        ("Mull", "Müller"),
        ("Muellerin", "Müller"),
        ("12 Harbour Road", "14 Harbour Road"),
        ("Harbour Road", "12 Harbour Road, Porto"),
        ("Porto", "12 Harbour Road, Porto"),
        ("C is a language", "C++"),
        ("R is", "R&D"),
        ("0761 2030001", "0761 2030000"),
        ("7610761 2030000", "0761 2030000"),
        ("bison-comet@post.example", "bison.comet@post.example"),
        ("bison comet is at post", "bison.comet@post.example"),
        ("two", "2"),
        ("sei still", "6 cats"),
        ("She is Dr. Smith", "doctor"),
        ("12.5", "123"),
        ("New York", "York City"),
        ("He owns three boats", "2 boats"),
        ("the price is 1.984", "12 May 1984"),
        ("version 1.2.3", "1,200"),
        ("page 1200", "EUR 1,200"),
        ("Jo", "Joe"),
        ("2,5 kg", "3.5 kg"),
        ("12:05:1984", "x"),
        ("3 mars", "3 March 1990"),
        ("1234567", "91234567"),
        ("91234567", "1234567"),
        ("In 1912 Maya", "12 May"),
    ],
)
def test_part_of_a_value_or_another_value_reveals_nothing(text: str, value: str) -> None:
    assert not reveals(text, (value,))


ENGLISH = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
POLISH = (
    "stycznia", "lutego", "marca", "kwietnia", "maja", "czerwca",
    "lipca", "sierpnia", "września", "października", "listopada", "grudnia",
)  # fmt: skip


def written(day: date) -> list[str]:
    """One day in formats that people use."""
    return [
        f"{day.day} {ENGLISH[day.month - 1]} {day.year}",
        f"{ENGLISH[day.month - 1]} {day.day}, {day.year}",
        f"{ENGLISH[day.month - 1][:3]}. {day.day}, {day.year}",
        f"{day.day:02}.{day.month:02}.{day.year}",
        f"{day.day}/{day.month}/{day.year}",
        day.isoformat(),
        f"{day.day} {POLISH[day.month - 1]} {day.year} r.",
    ]


@given(
    day=st.dates(date(1900, 1, 1), date(2099, 12, 31)),
    answered=st.integers(0, 6),
    expected=st.integers(0, 6),
    apart=st.integers(1, 27),
)
@settings(deadline=None)
def test_day_in_any_format_reveals_this_day_alone(day: date, answered: int, expected: int, apart: int) -> None:
    """Another day reveals it only where day and month may change places."""
    text = f"She was born on {written(day)[answered]} in Porto."
    assert reveals(text, (written(day)[expected],))
    other = day + timedelta(days=apart)
    if (other.day, other.month) != (day.month, day.day):
        assert not reveals(text, (written(other)[expected],))


@given(number=st.integers(1000, 10**9), thousands=st.sampled_from([",", ".", " ", "'", "\u00a0"]))
@settings(deadline=None)
def test_number_in_any_groups_reveals_this_number_alone(number: int, thousands: str) -> None:
    text = f"It is worth {number:,} euros.".replace(",", thousands)
    assert reveals(text, (f"{number}",))
    assert reveals(text, (f"EUR {number:,}",))
    assert not reveals(text, (f"{number + 1}",))
    assert not reveals(text, (f"USD {number:,}",))


@given(text=st.text(max_size=200), value=st.text(max_size=60))
@settings(deadline=None)
def test_any_text_is_compared_without_an_error(text: str, value: str) -> None:
    """And a value that stands there as it is stays revealed."""
    reveals(text, (value,))
    if value.strip():
        assert reveals(f"{text} {value} ", (value,)) or not any(c.isalnum() for c in value)


@pytest.mark.parametrize("piece", ["1 ", "12 May ", "1.1.1.", "a at b dot ", "+49 ", "1", "12/"])
def test_hostile_text_is_compared_in_time(piece: str) -> None:
    values = ("12 May 1984", "+49 761 203 0000", "EUR 45,000", "bison.comet@post.example", "12 Harbour Road, Porto")
    began = time.process_time()
    reveals(piece * (20_000 // len(piece)), values)
    assert time.process_time() - began < 10
