"""Request body: a new tenant."""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from services.request.api.schemas import Line, StrictModel

TenantName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"),
    Field(description="Small letters, digits and hyphens; it stands in names of objects.", examples=["acme"]),
]
ModelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class TenantCreate(StrictModel):
    """A new tenant, the name under which its model is served, and its first administrators."""

    name: TenantName
    model: ModelName | None = Field(
        default=None, description="By default the name of the operating tenant's model, a full stop, and the tenant's."
    )
    administrators: list[Line] = Field(
        min_length=2, max_length=7, description="Their names; each gets a key, half of it from each of two people."
    )

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "acme", "administrators": ["anna", "boris"]}]}
    )
