"""Request body: the acceptance of an older database."""

from pydantic import ConfigDict, Field

from services.request.api.schemas import ReasonBody


class RestoreCreate(ReasonBody):
    """Why an older database is accepted, and for which tenant."""

    tenant: str | None = Field(
        default=None, max_length=40, description="For whose model; by default the operating tenant's."
    )

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "The primary and its newest backup are lost."}]}
    )
