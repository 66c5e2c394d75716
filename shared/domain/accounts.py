"""Accounts: the roles and which exclude each other, the first tenant and its accounts, and the actor of the system."""

from typing import Final, Literal

# The control loop as an actor of tickets and as the role that it acts under. The value is in signed log leaves.
SYSTEM_ACTOR: Final = "clerk"

Role = Literal["requester", "officer", "approver", "auditor", "operator", "admin", "client"]
ROLES: Final[tuple[Role, ...]] = ("requester", "officer", "approver", "auditor", "operator", "admin", "client")

# An auditor does nothing else. An operator of the machines never has a role that reads what officers read.
EXCLUSIVE_ROLES: Final[dict[Role, frozenset[Role]]] = {
    "auditor": frozenset({"auditor"}),
    "operator": frozenset({"operator", "client"}),
}

MODEL_SCOPE: Final = "model:read"  # what a key that has scopes needs in order to ask the model

# The first tenant. Its administrators also do what concerns the whole installation: tenants, key rotations, restores.
OPERATING_TENANT: Final = "default"
# The people of the first set-up, each of whom gets a key. Nobody approves what they filed, whatever their roles.
INITIAL_ACCOUNTS: Final[dict[str, tuple[Role, ...]]] = {
    "olivia": ("officer", "requester", "approver"),
    "adam": ("approver",),
    "oscar": ("operator",),
    "ada": ("auditor",),
    "rosa": ("admin",),
    "viktor": ("admin",),
    "casey": ("client",),
}
