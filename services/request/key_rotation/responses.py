"""Response models: a key rotation, and how far it is."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from services.request.api.responses import AccountName, ItemList, ResponseModel
from shared.db.models.operations import KeyRotation

MOST_UNREADABLE = 100  # of the keys that cannot be opened, in an answer


class KeyRotationResponse(ResponseModel):
    """An order to wrap all data keys anew. `in_use` and `no_longer_used` are known at the end."""

    id: UUID
    state: Literal["waiting", "running", "finished"]
    asked_by: AccountName = Field(examples=["rosa"])
    asked_at: datetime
    finished_at: datetime | None
    key: str | None = Field(description="The wrapping key under which data keys are wrapped.", examples=["vault:v2"])
    passes: int
    done: int = Field(examples=[300])
    total: int = Field(examples=[1240])
    rewrapped: int
    before: dict[str, int] = Field(description="Data keys by wrapping key, in the first pass.")
    in_use: dict[str, int] | None = Field(description="Data keys by wrapping key, in the last pass.")
    no_longer_used: list[str] | None = Field(description="Wrapping keys that may be destroyed.")
    unreadable: list[str] = Field(description="Data keys that could not be opened: table and place.")


class KeyRotationList(ItemList[KeyRotationResponse]):
    """Key rotations, the newest first."""


def key_rotation_response(rotation: KeyRotation) -> KeyRotationResponse:
    """One key rotation."""
    finished = rotation.finished_at is not None
    return KeyRotationResponse(
        id=rotation.id,
        state="finished" if finished else "running" if rotation.target else "waiting",
        asked_by=rotation.asked_by,
        asked_at=rotation.asked_at,
        finished_at=rotation.finished_at,
        key=rotation.target,
        passes=rotation.passes,
        done=rotation.done,
        total=rotation.total,
        rewrapped=rotation.rewrapped,
        before=rotation.before or rotation.seen,
        in_use=rotation.seen if finished else None,
        no_longer_used=sorted(set(rotation.before) - set(rotation.seen)) if finished else None,
        unreadable=rotation.unreadable[:MOST_UNREADABLE],
    )
