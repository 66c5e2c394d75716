"""Who asks: an owner of an API key, or a person with a token. Knows neither HTTP nor tables."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Caller:
    """`owner` is the name that stands in tickets and in the log; `scopes` narrow what the roles allow, empty do not."""

    tenant_id: str
    owner: str
    roles: tuple[str, ...]
    scopes: tuple[str, ...] = ()
