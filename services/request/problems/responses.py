"""Response models: a type of problem."""

from pydantic import Field

from services.request.api.responses import ItemList, ResponseModel


class ProblemTypeResponse(ResponseModel):
    """One type of problem that an answer may name."""

    type: str = Field(examples=["/v1/problems/four-eyes"])
    title: str = Field(examples=["A second person has to do this"])
    status: int = Field(examples=[403])
    what_to_do: str = Field(examples=["Somebody else has to do it."])


class ProblemTypeList(ItemList[ProblemTypeResponse]):
    """Every type of problem."""
