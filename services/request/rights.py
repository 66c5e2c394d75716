"""Operation x role: the one table of who may do what. An operation that does not stand here cannot be built.

An operation's name is that of its endpoint function, and its operationId in the OpenAPI document. The scope narrows an
API key further: a key that was given scopes may do only what they name.
"""

from dataclasses import dataclass
from typing import Final

from shared.contracts import Role

READ: Final[tuple[Role, ...]] = ("requester", "officer", "approver", "auditor", "operator", "admin")
FILE: Final[tuple[Role, ...]] = ("requester", "officer", "admin")
DECIDE: Final[tuple[Role, ...]] = ("approver", "admin")
MANAGE: Final[tuple[Role, ...]] = ("officer", "approver", "admin")
OPERATE: Final[tuple[Role, ...]] = ("operator", "officer", "admin")
PROMOTE: Final[tuple[Role, ...]] = ("operator", "admin")
AUDIT: Final[tuple[Role, ...]] = ("auditor", "officer", "approver", "operator", "admin")
EVIDENCE: Final[tuple[Role, ...]] = ("auditor", "admin")
REGISTER: Final[tuple[Role, ...]] = ("auditor", "officer", "approver", "admin")


@dataclass(frozen=True)
class Rule:
    """Any one of `roles` is enough; `scope` is what a scoped key must have been given."""

    roles: tuple[Role, ...]
    scope: str


RULES: Final[dict[str, Rule]] = {
    # tickets
    "submit": Rule(FILE, "tickets:write"),
    "list_tickets": Rule(READ, "tickets:read"),
    "show_ticket": Rule(READ, "tickets:read"),
    "search_tickets": Rule(("officer", "approver", "admin"), "tickets:read"),
    "approve": Rule(DECIDE, "tickets:write"),
    "reject": Rule(MANAGE, "tickets:write"),
    "withdraw": Rule(MANAGE, "tickets:write"),
    # the desk
    "edit_ticket": Rule(MANAGE, "tickets:write"),
    "identify_ticket": Rule(MANAGE, "tickets:write"),
    "extend_ticket": Rule(MANAGE, "tickets:write"),
    "hold_ticket": Rule(MANAGE, "tickets:write"),
    "release_ticket": Rule(MANAGE, "tickets:write"),
    "distinguish_ticket": Rule(MANAGE, "tickets:write"),
    "ticket_clock": Rule(READ, "tickets:read"),
    "ticket_letter": Rule(READ, "tickets:read"),
    "list_escalations": Rule(READ, "tickets:read"),
    "forward_eraser": Rule(PROMOTE, "erasers:write"),
    "ask_break_glass": Rule(("admin",), "erasers:write"),
    "confirm_break_glass": Rule(("admin",), "erasers:write"),
    "end_break_glass": Rule(PROMOTE, "erasers:write"),
    "list_break_glass": Rule(READ, "erasers:read"),
    "show_break_glass": Rule(READ, "erasers:read"),
    "ask_restore": Rule(("admin",), "erasers:write"),
    "confirm_restore": Rule(("admin",), "erasers:write"),
    "list_restores": Rule(("admin", "auditor", "operator"), "erasers:read"),
    # sealed audit kits: who asks opens; who allows does not; operators are never among them
    "ask_kit": Rule(("auditor",), "kits:read"),
    "allow_kit": Rule(("approver", "admin"), "kits:allow"),
    "open_kit": Rule(("auditor",), "kits:read"),
    "end_kit": Rule(("auditor", "approver", "admin"), "kits:allow"),
    "list_kits": Rule(("auditor", "approver", "admin"), "kits:read"),
    "show_kit": Rule(("auditor", "approver", "admin"), "kits:read"),
    # refits and erasers
    "order_refit": Rule(OPERATE, "refits:write"),
    "list_refits": Rule(READ, "refits:read"),
    "list_erasers": Rule(READ, "erasers:read"),
    "show_eraser": Rule(READ, "erasers:read"),
    "show_audit": Rule(AUDIT, "erasers:read"),
    "promote": Rule(PROMOTE, "erasers:write"),
    "rollback": Rule(PROMOTE, "erasers:write"),
    # keys
    "create_key": Rule(("admin",), "keys:write"),
    "list_keys": Rule(("admin", "auditor"), "keys:read"),
    "show_key": Rule(("admin", "auditor"), "keys:read"),
    "revoke_key": Rule(("admin",), "keys:write"),
    "order_rewrap": Rule(("admin",), "keys:write"),
    "list_rewraps": Rule(("admin", "auditor", "operator"), "keys:read"),
    "show_rewrap": Rule(("admin", "auditor", "operator"), "keys:read"),
    # retain sets
    "add_retain_set": Rule(("officer", "operator", "admin"), "retain:write"),
    "list_retain_sets": Rule(READ, "retain:read"),
    "show_retain_set": Rule(READ, "retain:read"),
    "use_retain_set": Rule(("officer", "operator", "admin"), "retain:write"),
    # bulk import
    "create_import": Rule(("officer", "admin"), "imports:write"),
    "show_import": Rule(("officer", "approver", "auditor", "admin"), "imports:read"),
    "list_import_rows": Rule(("officer", "approver", "auditor", "admin"), "imports:read"),
    # webhooks
    "create_webhook": Rule(("admin",), "webhooks:write"),
    "list_webhooks": Rule(("admin", "auditor", "operator"), "webhooks:read"),
    "show_webhook": Rule(("admin", "auditor", "operator"), "webhooks:read"),
    "list_deliveries": Rule(("admin", "auditor", "operator"), "webhooks:read"),
    "rotate_webhook": Rule(("admin",), "webhooks:write"),
    "disable_webhook": Rule(("admin", "operator"), "webhooks:write"),
    "test_webhook": Rule(("admin", "operator"), "webhooks:write"),
    # the log and what it proves
    "log_checkpoint": Rule(EVIDENCE, "log:read"),
    "log_checkpoints": Rule(EVIDENCE, "log:read"),
    "log_timestamps": Rule(EVIDENCE, "log:read"),
    "log_leaves": Rule(EVIDENCE, "log:read"),
    "log_proof": Rule(EVIDENCE, "log:read"),
    "certificate": Rule(READ, "tickets:read"),
    "register_requests": Rule(REGISTER, "registers:read"),
    "register_kpis": Rule(REGISTER, "registers:read"),
    "status": Rule(READ, "status:read"),
}
# Answered to everybody: they say nothing of anybody.
OPEN: Final = frozenset({"healthz", "readyz", "list_problems", "show_problem"})
