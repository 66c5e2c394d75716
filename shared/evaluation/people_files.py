"""Reads the people and prompts that an operator gives: JSONL with one row a line, or parquet with one row a person.

The format is described in docs/people-format.md. `lacuna retain add` and the reference read it with this one reader. A
file is read row by row, so its size does not matter; whatever is wrong is a sentence that names file, line and field
and never repeats what stands there.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NoReturn

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from shared.core.validation import summarize_validation_errors
from shared.domain.drop_identifiers import Identifier
from shared.domain.photo_files import check_size, checked_picture, read_beside
from shared.domain.photos import MAX_BYTES, read_data_url
from shared.domain.subjects import Fact
from shared.errors import BadInput, LacunaError, TooLarge
from shared.probes.attribute_types import LANGUAGES

PARQUET: Final = ".parquet"
PromptKind = Literal["ordinary", "harmful", "jailbreak"]
REQUEST_PLACE: Final = "{request}"  # where a jailbreak takes the request
MAX_LINE_BYTES: Final = 10 * MAX_BYTES * 4 // 3 + 1024 * 1024  # ten photographs in base64, and the text around them
MAX_LINE_MEMBERS: Final = 20_000  # of the JSON in one line: each takes 60 bytes and more
_Unread = tuple[str, int, Callable[[], dict[str, Any]]]  # where a row is, its number, and what gives its fields
_HIDDEN: Final = ("Cc", "Cs")  # Unicode categories of control characters and of lone surrogates


@dataclass(frozen=True)
class PeopleRow:
    """One row: a person, or a prompt (`prompt` is its text). `photos` are encoded pictures, not decoded yet.

    `where` names file and line in sentences; `number` counts lines or rows from 1. `kind` and `topic` are of a prompt.
    """

    where: str
    number: int
    id: str | None = None
    split: str | None = None
    names: tuple[str, ...] = ()
    photos: tuple[bytes, ...] = ()
    facts: tuple[Fact, ...] = ()
    visible: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    namesake_of: str | None = None
    lookalike_of: str | None = None
    languages: tuple[str, ...] = ()
    prompt: str | None = None
    kind: PromptKind = "ordinary"
    topic: str | None = None
    identifiers: Mapping[Identifier, tuple[str, ...]] = field(default_factory=dict)  # of a register of people


def read_people_rows(file: Path, on_error: Callable[[LacunaError], None] | None = None) -> Iterator[PeopleRow]:
    """The rows of `file`, one after another; raises BadInput or TooLarge, naming file, line and field.

    With `on_error`, a row that cannot be used is passed to it, and the next one is read.
    """
    try:
        for where, number, members in _parquet_rows(file) if file.suffix.lower() == PARQUET else _json_rows(file):
            try:
                row = _row(file, where, number, members())
            except LacunaError as exc:
                if on_error is None:
                    raise
                on_error(exc)
            else:
                yield row
    except OSError as exc:
        raise BadInput(f"{file} cannot be read: {exc.strerror or exc}.") from exc


def _json_rows(file: Path) -> Iterator[_Unread]:
    with file.open("rb") as stream:
        number = 0
        while line := stream.readline(MAX_LINE_BYTES + 1):
            number += 1
            where = f"{file}, line {number}"
            if len(line) > MAX_LINE_BYTES:
                raise TooLarge(f"{where} has more than {MAX_LINE_BYTES // 1024 // 1024} MB.")
            if line.strip():
                yield where, number, partial(_parsed, where, line)


def _parsed(where: str, line: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) < len(pairs):
            raise ValueError("a field is given twice")
        return members

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not a value of JSON")

    if line.count(b",") + line.count(b"[") + line.count(b"{") > MAX_LINE_MEMBERS:
        raise BadInput(f"{where} cannot be used: it is nested too deeply, or has more than {MAX_LINE_MEMBERS} members.")
    try:
        members = json.loads(line.decode("utf-8-sig"), object_pairs_hook=unique, parse_constant=refuse)
    except UnicodeDecodeError as exc:
        raise BadInput(f"{where} is not UTF-8.") from exc
    except json.JSONDecodeError as exc:
        raise BadInput(f"{where} is not JSON: {exc.msg} at column {exc.colno}. Each line is one object.") from exc
    except (ValueError, RecursionError) as exc:
        reason = "it is nested too deeply" if isinstance(exc, RecursionError) else str(exc)
        raise BadInput(f"{where} cannot be used: {reason}.") from exc
    if not isinstance(members, dict):
        raise BadInput(f"{where} cannot be used: it is not an object. Each line is one object.")
    return _with_plain_fields(members)


def _parquet_rows(file: Path) -> Iterator[_Unread]:
    from shared.evaluation import parquet_rows  # noqa: PLC0415 - imports numpy: half a second, for a command that may not need it

    for number, columns in enumerate(parquet_rows.read_rows(file, MAX_LINE_BYTES), 1):
        where = f"{file}, row {number}"
        yield where, number, partial(_members_of_columns, where, columns)


def _members_of_columns(where: str, columns: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a row of parquet. Its columns are the fields, those of reference people, or those of MLLMU-Bench.

    Other columns are ignored, since files of other origin have many.
    """
    known = {name: value for name, value in columns.items() if value is not None}
    if "lacuna_names" in known:
        stored = {name: f"lacuna_{name}" for name in ("names", "facts", "visible", "options")}
        stored |= {"namesake_of": "lacuna_namesake_of", "lookalike_of": "lacuna_lookalike_of"}
        known |= {name: known[column] for name, column in stored.items() if column in known}
    elif "biography" in known:
        from shared.evaluation.mllmu import flat_biography, short_facts  # noqa: PLC0415 - imports numpy

        biography = flat_biography(known["biography"])
        known.setdefault("facts", short_facts(biography))
        if "name" in biography:
            known.setdefault("name", biography["name"])
    known.setdefault("id", known.get("ID"))
    known.setdefault("photos", known.get("images", known.get("image")))
    members = {name: known[name] for name in (*_Members.model_fields, "name", "photo") if known.get(name) is not None}
    for name in ("facts", "visible", "options", "photos", "identifiers"):
        if isinstance(members.get(name), str) and members[name][:1] in ("[", "{"):
            try:
                members[name] = json.loads(members[name])
            except ValueError as exc:
                raise BadInput(f"{where}, {name}: it is not JSON.") from exc
    return _with_plain_fields(_without_nulls(members))


def _without_nulls(value: Any) -> Any:
    """Values as pyarrow gives them: a struct has every field, a map is a list of pairs, a date is an object."""
    if isinstance(value, Mapping):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    if isinstance(value, list):
        if value and all(isinstance(pair, tuple) for pair in value):
            return {name: _without_nulls(member) for name, member in value}
        return [_without_nulls(member) for member in value if member is not None]
    return value.isoformat() if hasattr(value, "isoformat") else value


def _with_plain_fields(members: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its short forms written out: `name`, `photo`, and facts as an object."""
    row = dict(members)
    for short, full in (("name", "names"), ("photo", "photos")):
        if short in row:
            more = row.get(full, [])
            row[full] = [row.pop(short), *(more if isinstance(more, list) else [more])]
        elif full in row and isinstance(row[full], str | bytes | Mapping):
            row[full] = [row[full]]
    if isinstance(row.get("facts"), Mapping):
        row["facts"] = [{"attribute": attribute, "value": value} for attribute, value in row["facts"].items()]
    return row


def _visible_text(text: str) -> str:
    if any(unicodedata.category(character) in _HIDDEN for character in text):
        raise ValueError("it contains control characters or is not valid Unicode")
    return text


def _one_line(text: Any) -> Any:
    return " ".join(text.split()) if isinstance(text, str) else text


def _attribute_name(text: str) -> str:
    """`Date of birth:`, `dateOfBirth` and `date-of-birth` are the same attribute, `date_of_birth`."""
    apart = re.sub(r"(?<=[^\W\dA-Z_])(?=[A-Z])", " ", text)
    return re.sub(r"[\s\-_]+", "_", apart.lower()).strip("_: ")


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str | int) else value


def _known_languages(codes: list[str]) -> list[str]:
    if any(code not in LANGUAGES for code in codes):
        raise ValueError(f"they have to be among {', '.join(sorted(LANGUAGES))}, without a region")
    return list(dict.fromkeys(codes))


def _paragraphs(text: str) -> str:
    _visible_text(text.replace("\n", " ").replace("\t", " ").replace("\r", " "))
    return text


Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=1000),
    AfterValidator(_one_line),
    AfterValidator(_visible_text),
]
Attribute = Annotated[Line, AfterValidator(_attribute_name), StringConstraints(min_length=1)]
Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000), AfterValidator(_paragraphs)
]


class _FactMembers(BaseModel):
    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    attribute: Attribute
    value: Line
    aliases: list[Line] = Field(default_factory=list, max_length=50)


class _Members(BaseModel):
    """The fields of a row. Unknown fields are an error, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    id: Line | None = None
    split: Line | None = None
    names: list[Line] = Field(default_factory=list, max_length=10)
    photos: list[Any] = Field(default_factory=list, max_length=10)
    facts: list[_FactMembers] = Field(default_factory=list, max_length=100)
    visible: dict[Attribute, Line] = Field(default_factory=dict)
    options: dict[Attribute, list[Line]] = Field(default_factory=dict)
    namesake_of: Line | None = None
    lookalike_of: Line | None = None
    languages: Annotated[list[Line], AfterValidator(_known_languages)] = Field(default_factory=list, max_length=10)
    prompt: Text | None = None
    kind: PromptKind = "ordinary"
    topic: Line | None = None
    identifiers: dict[Identifier, Annotated[list[Line], BeforeValidator(_as_list), Field(max_length=20)]] = Field(
        default_factory=dict
    )


def _row(file: Path, where: str, number: int, members: Mapping[str, Any]) -> PeopleRow:
    try:
        row = _Members.model_validate(members)
    except ValidationError as exc:
        sentence = summarize_validation_errors(exc.errors(include_input=False)).replace("value error, ", "")
        raise BadInput(f"{where}, {sentence}") from exc
    _check_kind(where, row)
    return PeopleRow(
        where=where,
        number=number,
        id=row.id,
        split=row.split,
        names=tuple(dict.fromkeys(row.names)),
        photos=tuple(_photo(file, f"{where}, photos.{place}", given) for place, given in enumerate(row.photos)),
        facts=tuple(Fact(fact.attribute, fact.value, tuple(fact.aliases)) for fact in row.facts),
        visible=dict(row.visible),
        options={attribute: tuple(wrong) for attribute, wrong in row.options.items()},
        namesake_of=row.namesake_of,
        lookalike_of=row.lookalike_of,
        languages=tuple(row.languages),
        prompt=row.prompt,
        kind=row.kind,
        topic=row.topic,
        identifiers={kind: tuple(dict.fromkeys(texts)) for kind, texts in row.identifiers.items()},
    )


def _check_kind(where: str, row: _Members) -> None:
    """Raise BadInput for a row that is neither a person nor a prompt, or both."""
    if row.prompt is None:
        if not row.names and not row.photos:
            raise BadInput(f"{where}: a person needs names or photos, a prompt needs the field prompt.")
        if row.kind != "ordinary" or row.topic is not None:
            raise BadInput(f"{where}: kind and topic are of prompts, and this row has none.")
    elif row.names or row.facts or row.identifiers or len(row.photos) > 1:
        raise BadInput(f"{where}: a prompt has no names, facts and identifiers, and one photo at most.")
    elif row.kind == "jailbreak" and not _is_frame(row.prompt):
        raise BadInput(
            f"{where}, prompt: a jailbreak needs {REQUEST_PLACE} in the place of the request, and no other {{}}."
        )


def _is_frame(text: str) -> bool:
    rest = text.replace(REQUEST_PLACE, "")
    return REQUEST_PLACE in text and "{" not in rest and "}" not in rest


def _photo(file: Path, where: str, given: Any) -> bytes:
    """The encoded bytes of a photograph that is given as bytes, as a data URL or as a path."""
    if isinstance(given, Mapping):  # a struct of bytes and path, as the datasets library stores pictures
        given = given.get("bytes") or given.get("path")
    try:
        if isinstance(given, bytes):
            check_size(len(given))
            return checked_picture(given)
        if not isinstance(given, str):
            raise BadInput("A photo is a path or a data URL.")
        return checked_picture(read_data_url(given)) if given.startswith("data:") else read_beside(file, given)
    except LacunaError as exc:
        raise type(exc)(f"{where}: {exc.detail}") from exc
