"""The table of permissions: which roles may call each operation. The application does not start with one missing.

The name of an operation is that of its endpoint function; it is the operationId of the OpenAPI document too. A scope
narrows an API key further: a key that was given scopes may do only what they name. The body of an operation is small
unless its permission says otherwise.
"""

from dataclasses import dataclass
from typing import Final

from services.request.auth.principals import Principal
from shared.core.admission import MB, SMALL, BodyBound
from shared.core.http import require_role
from shared.domain.accounts import MODEL_SCOPE, Role
from shared.errors import Forbidden, InsufficientScope

READ: Final[tuple[Role, ...]] = ("requester", "officer", "approver", "auditor", "operator", "admin")
FILE: Final[tuple[Role, ...]] = ("requester", "officer", "admin")
DECIDE: Final[tuple[Role, ...]] = ("approver", "admin")
MANAGE: Final[tuple[Role, ...]] = ("officer", "approver", "admin")
OPERATE: Final[tuple[Role, ...]] = ("operator", "officer", "admin")
PROMOTE: Final[tuple[Role, ...]] = ("operator", "admin")
AUDIT: Final[tuple[Role, ...]] = ("auditor", "officer", "approver", "operator", "admin")
EVIDENCE: Final[tuple[Role, ...]] = ("auditor", "admin")
REGISTER: Final[tuple[Role, ...]] = ("auditor", "officer", "approver", "admin")
TICKET: Final = BodyBound(64 * MB, members=20_000)  # ten photographs and a hundred facts
RETAIN_SET: Final = BodyBound(64 * MB, members=1_000_000)  # twenty thousand rows
TICKET_FILE: Final = BodyBound(64 * MB, members=None)


@dataclass(frozen=True)
class Permission:
    """Any of `roles` is enough; a key that has scopes must have `scope`. `body`: how much may be sent.

    What concerns all tenants (`operating`) is for people of the tenant that operates the installation.
    """

    roles: tuple[Role, ...]
    scope: str
    body: BodyBound = SMALL
    operating: bool = False


PERMISSIONS: Final[dict[str, Permission]] = {
    # tickets
    "submit": Permission(FILE, "tickets:write", TICKET),
    "list_tickets": Permission(READ, "tickets:read"),
    "show_ticket": Permission(READ, "tickets:read"),
    "search_tickets": Permission(("officer", "approver", "admin"), "tickets:read"),
    "approve": Permission(DECIDE, "tickets:write"),
    "show_material": Permission(DECIDE, "material:read"),
    "show_contact": Permission(MANAGE, "contacts:read"),
    "reject": Permission(MANAGE, "tickets:write"),
    "withdraw": Permission(MANAGE, "tickets:write"),
    # case work
    "edit_ticket": Permission(MANAGE, "tickets:write", TICKET),
    "identify_ticket": Permission(MANAGE, "tickets:write"),
    "extend_ticket": Permission(MANAGE, "tickets:write"),
    "hold_ticket": Permission(MANAGE, "tickets:write"),
    "release_ticket": Permission(MANAGE, "tickets:write"),
    "distinguish_ticket": Permission(MANAGE, "tickets:write"),
    "assign_ticket": Permission(MANAGE, "tickets:write"),
    "list_assignees": Permission(READ, "tickets:read"),
    "list_views": Permission(READ, "tickets:read"),
    "show_view": Permission(READ, "tickets:read"),
    "save_view": Permission(READ, "tickets:read"),
    "end_view": Permission(READ, "tickets:read"),
    "ticket_clock": Permission(READ, "tickets:read"),
    "ticket_letter": Permission(READ, "tickets:read"),
    "list_letters": Permission(READ, "tickets:read"),
    "draft_letter": Permission(REGISTER, "tickets:read"),
    "show_letter": Permission(REGISTER, "letters:read"),
    "record_letter": Permission(MANAGE, "tickets:write"),
    "list_escalations": Permission(READ, "tickets:read"),
    # break-glass
    "ask_break_glass": Permission(("admin",), "erasers:write"),
    "confirm_break_glass": Permission(("admin",), "erasers:write"),
    "end_break_glass": Permission(PROMOTE, "erasers:write"),
    "list_break_glass": Permission(READ, "erasers:read"),
    "show_break_glass": Permission(READ, "erasers:read"),
    # restores
    "ask_restore": Permission(("admin",), "erasers:write", operating=True),
    "confirm_restore": Permission(("admin",), "erasers:write", operating=True),
    "list_restores": Permission(("admin", "auditor", "operator"), "erasers:read"),
    # sealed audit kits: the auditor who requests access opens the kit, another person allows it; operators do neither
    "ask_kit": Permission(("auditor",), "kits:read"),
    "allow_kit": Permission(("approver", "admin"), "kits:allow"),
    "open_kit": Permission(("auditor",), "kits:read"),
    "end_kit": Permission(("auditor", "approver", "admin"), "kits:allow"),
    "list_kits": Permission(("auditor", "approver", "admin"), "kits:read"),
    "show_kit": Permission(("auditor", "approver", "admin"), "kits:read"),
    # refits and erasers
    "order_refit": Permission(OPERATE, "refits:write"),
    "list_refits": Permission(READ, "refits:read"),
    "list_erasers": Permission(READ, "erasers:read"),
    "show_eraser": Permission(READ, "erasers:read"),
    "show_audit": Permission(AUDIT, "erasers:read"),
    "show_nightly_audit": Permission(AUDIT, "erasers:read"),
    "order_nightly_audit": Permission(OPERATE, "refits:write"),
    "eraser_report": Permission(AUDIT, "erasers:read"),
    "promote": Permission(PROMOTE, "erasers:write"),
    "rollback": Permission(PROMOTE, "erasers:write"),
    "forward_eraser": Permission(PROMOTE, "erasers:write"),
    # people, and what two administrators give them
    "ask_person": Permission(("admin",), "people:write"),
    "ask_roles": Permission(("admin",), "people:write"),
    "ask_subject": Permission(("admin",), "people:write"),
    "disable_person": Permission(("admin",), "people:write"),
    "list_people": Permission(("admin", "auditor"), "people:read"),
    "show_person": Permission(("admin", "auditor"), "people:read"),
    "list_grants": Permission(("admin", "auditor"), "people:read"),
    "show_grant": Permission(("admin", "auditor"), "people:read"),
    "confirm_grant": Permission(("admin",), "people:write"),
    "end_grant": Permission(("admin",), "people:write"),
    # keys
    "create_key": Permission(("admin",), "keys:write"),
    "list_keys": Permission(("admin", "auditor"), "keys:read"),
    "show_key": Permission(("admin", "auditor"), "keys:read"),
    "revoke_key": Permission(("admin",), "keys:write"),
    "order_rewrap": Permission(("admin",), "keys:write", operating=True),
    "list_rewraps": Permission(("admin", "auditor", "operator"), "keys:read", operating=True),
    "show_rewrap": Permission(("admin", "auditor", "operator"), "keys:read", operating=True),
    # tenants
    "ask_tenant": Permission(("admin",), "tenants:write", operating=True),
    "list_tenants": Permission(("admin", "auditor"), "tenants:read", operating=True),
    "list_tenant_requests": Permission(("admin", "auditor"), "tenants:read", operating=True),
    "show_tenant_request": Permission(("admin", "auditor"), "tenants:read", operating=True),
    "confirm_tenant": Permission(("admin",), "tenants:write", operating=True),
    "end_tenant_request": Permission(("admin",), "tenants:write", operating=True),
    # retain sets
    "add_retain_set": Permission(("officer", "operator", "admin"), "retain:write", RETAIN_SET),
    "list_retain_sets": Permission(READ, "retain:read"),
    "show_retain_set": Permission(READ, "retain:read"),
    "use_retain_set": Permission(("officer", "operator", "admin"), "retain:write"),
    # bulk import
    "create_import": Permission(("officer", "admin"), "imports:write", TICKET_FILE),
    "show_import": Permission(("officer", "approver", "auditor", "admin"), "imports:read"),
    "list_import_rows": Permission(("officer", "approver", "auditor", "admin"), "imports:read"),
    # deletion lists of California's DROP
    "create_drop_list": Permission(("officer", "admin"), "drop:write", TICKET_FILE),
    "list_drop_lists": Permission(("officer", "approver", "auditor", "admin"), "drop:read"),
    "show_drop_list": Permission(("officer", "approver", "auditor", "admin"), "drop:read"),
    "list_drop_matches": Permission(("officer", "approver", "auditor", "admin"), "drop:read"),
    "report_drop_list": Permission(("officer", "admin"), "drop:read", TICKET_FILE),
    # webhooks
    "create_webhook": Permission(("admin",), "webhooks:write"),
    "list_webhooks": Permission(("admin", "auditor", "operator"), "webhooks:read"),
    "show_webhook": Permission(("admin", "auditor", "operator"), "webhooks:read"),
    "list_deliveries": Permission(("admin", "auditor", "operator"), "webhooks:read"),
    "rotate_webhook": Permission(("admin",), "webhooks:write"),
    "disable_webhook": Permission(("admin", "operator"), "webhooks:write"),
    "test_webhook": Permission(("admin", "operator"), "webhooks:write"),
    # the audit log, certificates and registers
    "log_checkpoint": Permission(EVIDENCE, "log:read"),
    "log_checkpoints": Permission(EVIDENCE, "log:read"),
    "log_timestamps": Permission(EVIDENCE, "log:read"),
    "log_leaves": Permission(EVIDENCE, "log:read"),
    "log_proof": Permission(EVIDENCE, "log:read"),
    "certificate": Permission(READ, "tickets:read"),
    "register_requests": Permission(REGISTER, "registers:read"),
    "register_kpis": Permission(REGISTER, "registers:read"),
    "status": Permission(READ, "status:read"),
}
SCOPES: Final = frozenset(permission.scope for permission in PERMISSIONS.values()) | {MODEL_SCOPE}
# Answered to everybody: they tell nothing about anybody.
OPEN: Final = frozenset({"healthz", "readyz", "sign_in", "list_problems", "show_problem"})


def require_permission(principal: Principal, operation: str) -> None:
    """Raise Forbidden without a role, InsufficientScope without the scope, that `operation` of the table needs."""
    permission = PERMISSIONS[operation]
    require_role(principal.roles, permission.roles)
    if permission.operating and not principal.operates:
        raise Forbidden("This concerns all tenants: the people of the tenant that operates the installation do it.")
    if principal.scopes and permission.scope not in principal.scopes:
        raise InsufficientScope(f"This key was not given the scope {permission.scope}.")
