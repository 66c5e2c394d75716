"""ResponseModel and the shapes of lists: what every answer of the officer's API is made of.

The models are the description of the answers: `openapi.py` takes the example of an answer from the examples of the
fields, and tests hold every answer against its model.
"""

from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Item = TypeVar("Item")

TicketId = Annotated[str, Field(examples=["T-QZF9ZWQQ"])]
AccountName = Annotated[str, Field(examples=["olivia"])]
Sha256 = Annotated[str, Field(examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"])]


class ResponseModel(BaseModel):
    """An answer, or a part of one. Can be read from a row of the database that has the same field names."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


class ItemList(ResponseModel, Generic[Item]):
    """A list that has no further page."""

    items: list[Item]


class Page(ItemList[Item], Generic[Item]):
    """One page of a list."""

    next: str | None = Field(description="The cursor of the next page; null on the last page.")
