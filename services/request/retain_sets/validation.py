"""Checks a retain set row by row and as a whole, and looks for people who are forgotten."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy import select

from services.request.context import AppContext
from services.request.retain_sets.responses import ForgottenMatch, RetainSetReport, RowReport, SplitCounts
from services.request.retain_sets.schemas import RetainSetCreate, RetainSetRow
from shared.artifacts.photo_hashes import PhotoHashes, hash_with_crops
from shared.artifacts.retain_sets import (
    EncodedPhoto,
    ExcludedRow,
    RetainRow,
    find_excluded_rows,
    rows_in_split,
)
from shared.artifacts.subject_material import open_material
from shared.core.validation import summarize_validation_errors
from shared.db.models.tickets import Ticket
from shared.db.session import transaction
from shared.domain.photos import PixelBudget, normalize_photo, read_data_url
from shared.domain.splits import SPLITS, Split, split_of
from shared.domain.subjects import Fact, Subject
from shared.domain.ticket_lifecycle import IN_FORCE
from shared.errors import BadInput, NotFound, TooLarge

WHOLE: Final = 0  # the "row" whose problems are those of the set as a whole; rows count from 1
MOST_PIXELS: Final = 400_000_000  # of all pictures of a set: 1,200 of 0.3 megapixels; some ten seconds
MOST_NAMED: Final = 5  # forgotten people in the sentence that refuses a set


@dataclass
class Validation:
    """What was read: rows that can be used, problems by row, and the rows that are about somebody who is forgotten."""

    rows: list[RetainRow] = field(default_factory=list)
    problems: dict[int, list[str]] = field(default_factory=dict)
    forgotten: list[ExcludedRow] = field(default_factory=list)
    tickets_not_compared: int = 0

    def add_problem(self, row: int, problem: str) -> None:
        """Record a problem of `row`, or of the `WHOLE`."""
        self.problems.setdefault(row, []).append(problem)

    def leave_out_forgotten(self) -> None:
        """Do not use the rows that are about somebody who is forgotten."""
        excluded = {match.row for match in self.forgotten}
        self.rows = [row for row in self.rows if row.number not in excluded]

    def check_whole(self, rows_sent: int) -> None:
        """Check what no single row can say: a fit needs at least two identities."""
        fit = {row.identity for row in rows_in_split(self.rows, "fit")}
        if rows_sent == 0 or not self.rows:
            self.add_problem(WHOLE, "it is empty: no row can be used")
        elif not fit:
            self.add_problem(WHOLE, "nobody is in the fit split")
        elif len(fit) == 1:
            self.add_problem(WHOLE, "its fit split has one identity: what people share cannot be told from it")

    def faults(self, leave_out: bool) -> str:
        """Why the set cannot be used, in a sentence; empty where it can."""
        faults = []
        if WHOLE in self.problems:
            faults.append("; ".join(self.problems[WHOLE]))
        bad = sorted(set(self.problems) - {WHOLE})
        if bad:
            faults.append(f"{_count_rows(len(bad))} cannot be read (row {bad[0]}: {self.problems[bad[0]][0]})")
        if self.forgotten and not leave_out:
            matches = ", ".join(
                f"row {match.row} is the person of {match.ticket} by {match.how}"
                for match in self.forgotten[:MOST_NAMED]
            )
            more = len(self.forgotten) - MOST_NAMED
            faults.append(f"it contains people who are forgotten ({matches}{f' and {more} more' if more > 0 else ''})")
        return "; ".join(faults) + "." if faults else ""

    def report(self) -> RetainSetReport:
        """The report to the person who sent the set: about rows and tickets, never with names."""
        forgotten: dict[int, list[ForgottenMatch]] = {}
        for match in self.forgotten:
            forgotten.setdefault(match.row, []).append(ForgottenMatch(ticket=match.ticket, by=match.how))
        by_number = {row.number: row for row in self.rows}
        return RetainSetReport(
            rows=[
                RowReport(
                    row=number,
                    kind=None if row is None else "person" if row.text is None else "prompt",
                    split=None if row is None else row.split,
                    problems=self.problems.get(number, []),
                    forgotten=forgotten.get(number, []),
                )
                for number in sorted({*by_number, *self.problems, *forgotten} - {WHOLE})
                for row in [by_number.get(number)]
            ],
            problems=self.problems.get(WHOLE, []),
            counts=split_counts(self.rows),
            tickets_without_pictures_to_compare=self.tickets_not_compared,
        )


def split_counts(rows: Sequence[RetainRow]) -> dict[str, SplitCounts]:
    """Identities, people and prompts of each split."""
    return {
        split: SplitCounts(
            identities=len({row.identity for row in in_split}),
            people=sum(row.text is None for row in in_split),
            prompts=sum(row.text is not None for row in in_split),
        )
        for split in SPLITS
        for in_split in [rows_in_split(rows, split)]
    }


def validate(context: AppContext, body: RetainSetCreate) -> Validation:
    """Read every row, and compare those that can be read with the people of the tickets in force."""
    validation = Validation()
    parsed = {
        number: row
        for number, members in enumerate(body.rows, 1)
        if (row := _parse(validation, number, members)) is not None
    }
    splits = _splits(validation, parsed, body.seed)
    pictures: dict[str, tuple[int, str]] = {}  # by digest: the first row that has the picture, and whom it is about
    budget = PixelBudget(MOST_PIXELS)
    for number, row in parsed.items():
        try:
            photos = [_normalized(text, budget) for text in row.photos]
        except (BadInput, TooLarge) as exc:
            validation.add_problem(number, f"photo: {exc.detail}")
            continue
        for photo in photos if row.prompt is None else ():
            first, identity = pictures.setdefault(hashlib.sha256(photo).hexdigest(), (number, row.identity))
            if identity != row.identity:
                validation.add_problem(number, f"shows the picture of row {first} as somebody else's")
        facts = tuple(Fact(fact.attribute, fact.value, tuple(fact.aliases)) for fact in row.facts)
        subject, encoded = Subject(tuple(row.names), (), facts), tuple(EncodedPhoto.of(photo) for photo in photos)
        validation.rows.append(
            RetainRow(number, row.identity, splits[row.identity], subject, row.prompt, dict(row.visible), encoded)
        )
    validation.rows = [row for row in validation.rows if row.number not in validation.problems]
    with transaction(context.database) as session:
        tickets = list(
            session.scalars(select(Ticket).where(Ticket.model_id == context.model_id, Ticket.state.in_(IN_FORCE)))
        )

    def photo_hashes(ticket: Any) -> list[PhotoHashes]:
        try:
            return [hash_with_crops(photo) for photo in open_material(context.store, context.keys, ticket).photos]
        except NotFound:
            validation.tickets_not_compared += 1
            return []

    validation.forgotten = find_excluded_rows(validation.rows, tickets, context.keys, photo_hashes)
    return validation


def _normalized(text: str, budget: PixelBudget) -> bytes:
    data = read_data_url(text)
    budget.take(data)
    return normalize_photo(data)


def _parse(validation: Validation, number: int, members: Mapping[str, Any]) -> RetainSetRow | None:
    try:
        return RetainSetRow.model_validate(members)
    except ValidationError as exc:
        sentence = summarize_validation_errors(exc.errors()).removesuffix(".").replace("Value error, ", "")
        validation.problems[number] = [sentence]
        return None


def _splits(validation: Validation, rows: Mapping[int, RetainSetRow], seed: int) -> dict[str, Split]:
    """One split for each identity: the one that a row states, else by hash."""
    stated: dict[str, tuple[int, Split]] = {}  # by identity: the first row that states a split, and the split
    for number, row in rows.items():
        if row.split is not None:
            first, split = stated.setdefault(row.identity, (number, row.split))
            if split != row.split:
                validation.add_problem(number, f"says {row.split}, row {first} says {split} of the same identity")
    return {
        row.identity: stated[row.identity][1] if row.identity in stated else split_of(row.identity, seed)
        for row in rows.values()
    }


def _count_rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
