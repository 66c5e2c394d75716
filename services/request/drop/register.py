"""The operator's register: the people of whom the operator holds data, with the identifiers by which DROP names people.

It is a file of people (docs/people-format.md) with `identifiers`, which the operator keeps beside the training data:
whoever stands in it may be known to the model. It is read anew for every download and never stored. Its hashes are held
in memory and the list is read once beside them, so that nothing is kept of what does not match.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from services.request.drop.lists import DeletionList
from shared.domain.drop_identifiers import ListType, hashes_of
from shared.errors import BadInput, LacunaError
from shared.evaluation.people_files import PeopleRow, read_people_rows


@dataclass(frozen=True)
class MatchedItem:
    """A work item, the file in which it stands, and the rows of the register that have its hash."""

    item_id: str
    file: str
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Register:
    """The rows of the register by list and hash."""

    file: Path
    people: int
    rows: dict[ListType, dict[str, list[int]]]

    @classmethod
    def read(cls, file: Path) -> "Register":
        """Raises BadInput, naming file, line and field, where a row cannot be used: nobody may be left out unseen."""
        rows: dict[ListType, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        people = 0
        for row in read_people_rows(file):
            if row.prompt is not None:
                raise BadInput(f"{row.where}: a register has people alone.")
            people += 1
            for kind, hashes in hashes_of_row(row).items():
                for each in hashes:
                    rows[kind][each].append(row.number)
        return cls(file, people, rows)

    def match(self, lists: Iterable[DeletionList]) -> Iterator[MatchedItem]:
        """The work items whose hash somebody in the register has."""
        for deletion_list in lists:
            if deletion_list.kind is None or not (known := self.rows.get(deletion_list.kind)):
                continue
            for item in deletion_list.items():
                if numbers := known.get(item.hash):
                    yield MatchedItem(item.id, deletion_list.stem, tuple(numbers))

    def people_of(self, numbers: Collection[int]) -> Iterator[PeopleRow]:
        """The rows with these numbers, read again. Raises BadInput where the file has changed meanwhile."""
        wanted = set(numbers)
        for row in read_people_rows(self.file) if wanted else ():
            if row.number in wanted:
                wanted.discard(row.number)
                if not any(
                    row.number in self.rows[kind].get(each, ())
                    for kind, hs in hashes_of_row(row).items()
                    for each in hs
                ):
                    raise BadInput(f"{self.file} was changed while it was read.")
                yield row
        if wanted:
            raise BadInput(f"{self.file} was changed while it was read.")


def person_text(row: PeopleRow) -> str:
    """By which a row of the register is known from one reading to the next: its id, or else its names."""
    return f"id {row.id}" if row.id is not None else "names " + "\n".join(row.names)


def hashes_of_row(row: PeopleRow) -> dict[ListType, set[str]]:
    """Under which hashes a person of the register is found. Raises BadInput, naming file and line."""
    try:
        return hashes_of(row.identifiers, row.names)
    except LacunaError as exc:
        raise BadInput(f"{row.where}, {exc.detail}") from exc
