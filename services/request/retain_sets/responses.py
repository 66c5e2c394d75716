"""Response models: retain sets, which of them is in use, and the report on the rows of a set that was sent."""

from datetime import datetime
from typing import Any

from pydantic import Field

from services.request.api.responses import AccountName, ItemList, ResponseModel, Sha256, TicketId
from shared.db.models.retain_sets import RetainSet
from shared.domain.splits import Split


class SplitCounts(ResponseModel):
    """How much one split of a retain set holds."""

    identities: int = Field(examples=[13])
    people: int = Field(examples=[12])
    prompts: int = Field(examples=[1])


SPLIT_COUNTS_EXAMPLE: dict[str, Any] = {
    split: {"identities": 13, "people": 12, "prompts": 1} for split in ("fit", "calibration", "held_out")
}


class RetainSetResponse(ResponseModel):
    """A retain set without its people."""

    number: int = Field(examples=[1])
    in_use: bool
    digest: str = Field(description="A keyed digest of the content.", examples=["5f0c1d6e..."])
    sha256: Sha256
    seed: int
    counts: dict[str, SplitCounts] = Field(description="By split.", examples=[SPLIT_COUNTS_EXAMPLE])
    added_by: AccountName
    added_at: datetime


class RetainSetInUse(ResponseModel):
    """Which retain set the next refit uses."""

    active: int | None = Field(description="null for the reference people alone", examples=[1])
    waits_for_refit: bool = Field(description="The newest version was made with another retain set.")


class RetainSetList(ItemList[RetainSetResponse], RetainSetInUse):
    """Retain sets, the newest first."""


class ForgottenMatch(ResponseModel):
    """A ticket whose person a row speaks of."""

    ticket: TicketId
    by: str = Field(description="name or picture", examples=["name"])


class RowReport(ResponseModel):
    """What was read in one row. Names nobody."""

    row: int = Field(examples=[14])
    kind: str | None = Field(description="person or prompt; null where the row cannot be read", examples=["person"])
    split: Split | None = Field(examples=["fit"])
    problems: list[str] = Field(examples=[["a row needs names (a person) or a prompt"]])
    forgotten: list[ForgottenMatch] = Field(examples=[[]])


class RetainSetReport(ResponseModel):
    """The report on a set that was sent: row by row, and on the set as a whole."""

    rows: list[RowReport]
    problems: list[str] = Field(description="of the set as a whole", examples=[[]])
    counts: dict[str, SplitCounts] = Field(description="By split.", examples=[SPLIT_COUNTS_EXAMPLE])
    tickets_without_pictures_to_compare: int


class AddedRetainSetResponse(RetainSetResponse, RetainSetInUse):
    """A set that was added and put to use; `new` is false where the same content was added before."""

    new: bool
    report: RetainSetReport


class DryRunResponse(ResponseModel):
    """What adding the set would report."""

    dry_run: bool = Field(examples=[True])
    usable: bool = Field(examples=[True])
    report: RetainSetReport


def retain_set_response(retain_set: RetainSet, active: int | None) -> RetainSetResponse:
    """A retain set; `active` is the number of the one in use."""
    return RetainSetResponse(
        number=retain_set.number,
        in_use=retain_set.number == active,
        digest=retain_set.digest,
        sha256=retain_set.sha256,
        seed=retain_set.seed,
        counts={split: SplitCounts(**counts) for split, counts in retain_set.counts.items()},
        added_by=retain_set.added_by,
        added_at=retain_set.added_at,
    )
