"""Principal: the authenticated caller, as the rules see it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.domain.accounts import OPERATING_TENANT


@dataclass(frozen=True)
class Principal:
    """An authenticated person or machine.

    `owner` is the person's name, which is written to tickets and to the audit log. `scopes` narrow what the roles
    allow; an empty tuple does not narrow it. `expires_at` is when the key ends, and what it gives with it. `model_id`
    is the model that the tenant has in use: whatever is said of erasers, refits and retain sets is about that one.
    """

    tenant_id: str
    owner: str
    roles: tuple[str, ...]
    scopes: tuple[str, ...] = ()
    person_id: UUID | None = None  # None: an import that goes on under its owner's name
    expires_at: datetime | None = None
    model_id: str = ""

    @property
    def operates(self) -> bool:
        """Whether the person belongs to the tenant that operates the installation."""
        return self.tenant_id == OPERATING_TENANT
