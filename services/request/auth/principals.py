"""Whoever acts, as the rules see them: a name that stands in tickets and in the log, and roles."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Actor(Protocol):
    """An API key's row, or a person with a token."""

    @property
    def tenant_id(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def roles(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class Principal:
    """`owner` is the name that stands in tickets and in the log; `scopes` narrow what the roles allow, empty do not."""

    tenant_id: str
    owner: str
    roles: tuple[str, ...]
    scopes: tuple[str, ...] = ()
