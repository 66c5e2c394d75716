"""Roles, roles that exclude each other, first accounts, the system actor."""

from typing import Final, Literal

ACTOR = "clerk"

Role = Literal["requester", "officer", "approver", "auditor", "operator", "admin", "client"]
ROLES: Final[tuple[Role, ...]] = ("requester", "officer", "approver", "auditor", "operator", "admin", "client")

# Who audits does nothing else; who operates the machines never has a role that reads what officers read.
EXCLUSIVE_ROLES: Final[dict[Role, frozenset[Role]]] = {
    "auditor": frozenset({"auditor"}),
    "operator": frozenset({"operator", "client"}),
}

DEFAULT_TENANT: Final = "default"
# Who has a key at the start. Nobody approves what they filed, whatever their roles.
INITIAL_ACCOUNTS: Final[dict[str, tuple[Role, ...]]] = {
    "olivia": ("officer", "requester", "approver"),
    "adam": ("approver",),
    "oscar": ("operator",),
    "ada": ("auditor",),
    "rosa": ("admin",),
    "viktor": ("admin",),
    "casey": ("client",),
}
