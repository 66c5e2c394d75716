"""Retain sets at the door: every row is read and reported on, nothing is kept unless all of it can be.

A row is a person (names, photos, facts) or a prompt. Knows no HTTP; `endpoints_retain.py` does.
"""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.request.schemas import Body, FactBody, Line, Photo, Slug
from services.request.service import Office
from shared.clock import utc_now
from shared.contracts import retain_key
from shared.db import repository as rows
from shared.db import repository_retain as sets
from shared.db.models import RetainSet, Ticket
from shared.db.session import transaction
from shared.errors import BadInput, NotFound, TooLarge
from shared.lifecycle import IN_FORCE
from shared.material import open_material
from shared.payload import check_photo, open_photo, read_data_url
from shared.probes.expand import Fact, Subject
from shared.resemblance import Look, look
from shared.retained import SPLITS, LeftOut, RetainRow, Split, find_forgotten, of_split, pack, split_of
from shared.web import sentence

MOST_ROWS: Final = 20_000


class RetainRowBody(BaseModel):
    """One row: a person (`names` with `facts` or `photos`), or a `prompt`, perhaps with one of `photos`."""

    model_config = ConfigDict(extra="forbid")

    id: Line | None = None
    names: list[Line] = Field(default_factory=list, max_length=10)
    photos: list[Photo] = Field(default_factory=list, max_length=10)
    facts: list[FactBody] = Field(default_factory=list, max_length=100)
    prompt: Annotated[str, Field(min_length=1, max_length=4000)] | None = None
    visible: dict[Slug, Line] = Field(default_factory=dict)
    split: Split | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> "RetainRowBody":
        if self.prompt is None:
            if not self.names:
                raise ValueError("a row needs names (a person) or a prompt")
            if not (self.facts or self.photos):
                raise ValueError("a person needs facts or photos, else nothing can be asked")
        elif self.names or self.facts or len(self.photos) > 1:
            raise ValueError("a prompt has no names and no facts, and one photo at most")
        return self

    @property
    def identity(self) -> str:
        """Who or what the row speaks of: its id, else its first name, else its text."""
        return self.id or (" ".join(self.names[0].casefold().split()) if self.names else f"prompt {self.prompt}")


class RetainBody(Body):
    """A retain set. Rows are checked one by one, so that the report names each that cannot be used."""

    rows: list[dict[str, Any]] = Field(max_length=MOST_ROWS)
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="of the split of identities that state none")
    dry_run: bool = Field(default=False, description="report only; nothing is kept")
    leave_out: bool = Field(default=False, description="leave out rows that speak of somebody who is forgotten")


@dataclass
class Examined:
    """What was read: usable rows, problems by row (0 is the set as a whole), and who is forgotten."""

    read: list[RetainRow] = field(default_factory=list)
    problems: dict[int, list[str]] = field(default_factory=dict)
    forgotten: list[LeftOut] = field(default_factory=list)
    not_compared: int = 0

    def report(self) -> dict[str, Any]:
        """For whoever sent it; speaks of rows and tickets, never of names."""
        named: dict[int, list[LeftOut]] = {}
        for one in self.forgotten:
            named.setdefault(one.row, []).append(one)
        split = {row.number: row for row in self.read}
        numbers = sorted({*split, *self.problems, *named} - {0})
        return {
            "rows": [
                {
                    "row": number,
                    "kind": None if number not in split else "person" if split[number].text is None else "prompt",
                    "split": split[number].split if number in split else None,
                    "problems": self.problems.get(number, []),
                    "forgotten": [{"ticket": one.ticket, "by": one.how} for one in named.get(number, [])],
                }
                for number in numbers
            ],
            "problems": self.problems.get(0, []),
            "counts": counts(self.read),
            "tickets_without_pictures_to_compare": self.not_compared,
        }


def counts(found: Sequence[RetainRow]) -> dict[str, Any]:
    """Identities, rows, people and prompts of each split."""
    return {
        split: {
            "identities": len({row.identity for row in own}),
            "people": sum(row.text is None for row in own),
            "prompts": sum(row.text is not None for row in own),
        }
        for split in SPLITS
        for own in [of_split(found, split)]
    }


def add(office: Office, owner: str, body: RetainBody) -> dict[str, Any]:
    """Add a set and put it to use: its view with the report, `new` false where the same content was added before.

    Raises BadInput with the report where a row cannot be used or speaks of somebody who is forgotten; the set that is
    in use stays in use.
    """
    seen = examine(office, body)
    if body.leave_out:
        out = {one.row for one in seen.forgotten}
        seen.read = [row for row in seen.read if row.number not in out]
    _check_whole(seen, len(body.rows))
    report = seen.report()
    if body.dry_run:
        return {"dry_run": True, "usable": not (_faults(seen, body.leave_out)), "report": report}
    if faults := _faults(seen, body.leave_out):
        bad = [row for row in report["rows"] if row["problems"] or row["forgotten"]]
        raise BadInput(f"The retain set is not taken: {faults}", report=report | {"rows": bad[:200]})
    kept = _keep(office, owner, seen.read, body.seed)
    return kept | {"report": report}


def use(session: Session, owner: str, model_id: str, number: int) -> dict[str, Any]:
    """Put set `number` to use, 0 for none; the next refit reads it."""
    if number:
        sets.get_set(session, model_id, number)
    sets.choose(session, model_id, number or None, owner)
    rows.log(session, owner, "retain.used", f"{model_id}/{number}", {"number": number})
    return {"active": number or None, "waits_for_refit": sets.waits(session, model_id)}


def examine(office: Office, body: RetainBody) -> Examined:
    """Read every row; hold what can be read against the tickets in force."""
    seen = Examined()
    bodies = {n: one for n, values in enumerate(body.rows, 1) if (one := _row_body(seen, n, values)) is not None}
    splits = _splits(seen, bodies, body.seed)
    pictures: dict[str, tuple[int, str]] = {}
    for number, one in bodies.items():
        try:
            photos = [check_photo(read_data_url(text)) for text in one.photos]
        except (BadInput, TooLarge) as exc:
            seen.problems.setdefault(number, []).append(f"photo: {exc.detail}")
            continue
        for photo in photos if one.prompt is None else ():
            first, identity = pictures.setdefault(hashlib.sha256(photo).hexdigest(), (number, one.identity))
            if identity != one.identity:
                seen.problems.setdefault(number, []).append(f"shows the picture of row {first} as somebody else's")
        facts = tuple(Fact(fact.attribute, fact.value, tuple(fact.aliases)) for fact in one.facts)
        subject = Subject(tuple(one.names), tuple(open_photo(photo) for photo in photos), facts)
        seen.read.append(RetainRow(number, one.identity, splits[one.identity], subject, one.prompt, dict(one.visible)))
    seen.read = [row for row in seen.read if row.number not in seen.problems]
    with transaction(office.database) as session:
        tickets = list(
            session.scalars(select(Ticket).where(Ticket.model_id == office.model_id, Ticket.state.in_(IN_FORCE)))
        )

    def looks(ticket: Any) -> list[Look]:
        try:
            return [look(photo) for photo in open_material(office.store, office.keys, ticket).photos]
        except NotFound:
            seen.not_compared += 1
            return []

    seen.forgotten = find_forgotten(seen.read, tickets, office.keys, looks)
    return seen


def _row_body(seen: Examined, number: int, values: Mapping[str, Any]) -> RetainRowBody | None:
    try:
        return RetainRowBody.model_validate(values)
    except ValidationError as exc:
        seen.problems[number] = [sentence(exc.errors()).removesuffix(".").replace("Value error, ", "")]
        return None


def _splits(seen: Examined, bodies: Mapping[int, RetainRowBody], seed: int) -> dict[str, Split]:
    """One split for each identity: the one that a row states, else by hash."""
    stated: dict[str, tuple[int, Split]] = {}
    for number, one in bodies.items():
        if one.split is not None:
            first, split = stated.setdefault(one.identity, (number, one.split))
            if split != one.split:
                said = f"says {one.split}, row {first} says {split} of the same identity"
                seen.problems.setdefault(number, []).append(said)
    return {
        one.identity: stated[one.identity][1] if one.identity in stated else split_of(one.identity, seed)
        for one in bodies.values()
    }


def _check_whole(seen: Examined, sent: int) -> None:
    fit = {row.identity for row in of_split(seen.read, "fit")}
    if sent == 0 or not seen.read:
        seen.problems.setdefault(0, []).append("it is empty: no row can be used")
    elif not fit:
        seen.problems.setdefault(0, []).append("nobody is in the fit split")
    elif len(fit) == 1:
        seen.problems.setdefault(0, []).append("its fit split has one identity: nothing tells what people share")


def _faults(seen: Examined, leave_out: bool) -> str:
    """What speaks against the set, in a sentence; empty where nothing does."""
    said = []
    if 0 in seen.problems:
        said.append("; ".join(seen.problems[0]))
    bad = sorted(set(seen.problems) - {0})
    if bad:
        first = seen.problems[bad[0]][0]
        said.append(f"{_rows(len(bad))} cannot be read (row {bad[0]}: {first})")
    if seen.forgotten and not leave_out:
        told = ", ".join(f"row {one.row} is the person of {one.ticket} by {one.how}" for one in seen.forgotten[:5])
        more = f" and {len(seen.forgotten) - 5} more" if len(seen.forgotten) > 5 else ""
        said.append(f"it contains people who are forgotten ({told}{more})")
    return "; ".join(said) + "." if said else ""


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _keep(office: Office, owner: str, found: Sequence[RetainRow], seed: int) -> dict[str, Any]:
    """Object first, row second, in use third; the same content is one set."""
    blob = pack(found, seed)
    digest = office.keys.blind_index(hashlib.sha256(blob).hexdigest())
    with transaction(office.database) as session:
        known = sets.set_by_digest(session, office.model_id, digest)
        number = known.number if known else sets.next_number(session, office.model_id)
        if known is None:
            key = retain_key(office.model_id, number, digest, uuid.uuid4().hex[:8])
            sealed = office.keys.seal(blob, key)
            office.store.put(key, sealed.blob)
            session.add(
                RetainSet(
                    model_id=office.model_id,
                    number=number,
                    digest=digest,
                    object_key=key,
                    sha256=hashlib.sha256(sealed.blob).hexdigest(),
                    wrapped_key=sealed.wrapped_key,
                    seed=seed,
                    counts=counts(found),
                    added_by=owner,
                    added_at=utc_now(),
                )
            )
            session.flush()
            rows.log(session, owner, "retain.added", f"{office.model_id}/{number}", {"digest": digest})
        used = use(session, owner, office.model_id, number)
        return view(sets.get_set(session, office.model_id, number), number) | used | {"new": known is None}


def view(one: RetainSet, active: int | None) -> dict[str, Any]:
    """A set as JSON."""
    return {
        "number": one.number,
        "in_use": one.number == active,
        "digest": one.digest,
        "sha256": one.sha256,
        "seed": one.seed,
        "counts": one.counts,
        "added_by": one.added_by,
        "added_at": one.added_at,
    }
