"""Principal: the authenticated caller, as the rules see it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Principal:
    """An authenticated person or machine.

    `owner` is the name that is written to tickets and to the audit log. `scopes` narrow what the roles allow;
    an empty tuple does not narrow it.
    """

    tenant_id: str
    owner: str
    roles: tuple[str, ...]
    scopes: tuple[str, ...] = ()
