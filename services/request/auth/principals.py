"""Who acts, as the rules see it: the name that stands in tickets and in the log, with its roles."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Principal:
    """An authenticated person or machine.

    `owner` is the name that stands in tickets and in the log. `scopes` narrow what the roles allow; an empty tuple
    narrows nothing.
    """

    tenant_id: str
    owner: str
    roles: tuple[str, ...]
    scopes: tuple[str, ...] = ()
