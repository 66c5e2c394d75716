"""Request body: a new webhook."""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from services.request.api.schemas import StrictModel


class WebhookCreate(StrictModel):
    """A new webhook and its events, such as `ticket.completed`, `eraser.promoted`, `audit.failed` and `alarm.raised`.

    `ticket.*` stands for all events that begin so, `*` for all.
    """

    url: Annotated[str, StringConstraints(min_length=1, max_length=2000)]
    events: list[
        Annotated[
            str,
            StringConstraints(pattern=r"^(\*|(ticket|alarm|eraser|audit)\.(\*|[a-z0-9_.]+))$", max_length=60),
        ]
    ] = Field(min_length=1, max_length=50)

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"url": "https://hooks.example.org/lacuna", "events": ["ticket.completed", "ticket.failed"]}]
        },
    )
