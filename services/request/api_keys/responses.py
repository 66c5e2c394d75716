"""Response models: an API key, the list of keys, and a new key with its secret."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from services.request.api.responses import AccountName, ItemList, ResponseModel
from shared.domain.accounts import Role


class ApiKeyResponse(ResponseModel):
    """An API key without its secret."""

    id: UUID
    owner: str = Field(examples=["web-form"])
    roles: list[Role] = Field(examples=[["requester"]])
    scopes: list[str] = Field(examples=[["tickets:write"]])
    label: str = Field(examples=["the form on our web site"])
    created_at: datetime
    created_by: AccountName | None
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class ApiKeyList(ItemList[ApiKeyResponse]):
    """API keys, the newest first."""


class NewApiKeyResponse(ApiKeyResponse):
    """A new API key."""

    key: str | None = Field(description="The secret. A replay of the request has null here.", examples=["lk_..."])
