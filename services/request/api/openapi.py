"""The OpenAPI 3.1 document: what FastAPI derives, with every problem that can be answered, roles, scopes, examples."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from services.request.auth.permissions import OPEN, PERMISSIONS
from shared.core.http import PROBLEM
from shared.errors import PROBLEM_BASE

EVERY: Final = {404: "No such thing", 422: "It cannot be used as it is", 500: "Our mistake", 503: "A part is away"}
KNOWN: Final = {401: "No valid key or token", 403: "Not with these roles or scopes", 429: "Too many requests"}
LISTS: Final = {400: "The cursor cannot be used here, or the request cannot be read"}
POSTS: Final = {
    400: "The request cannot be read",
    409: "The state does not allow it",
    411: "No Content-Length",
    412: "It was changed in the meantime",
    413: "Too large",
    415: "Not the media type",
    428: "If-Match is missing",
}
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "a URI that leads to what it means"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {"type": "string", "description": "give it to the operator"},
    },
    "examples": [
        {
            "type": PROBLEM_BASE + "four-eyes",
            "title": "A second person has to do this",
            "status": 403,
            "detail": "T-QZF9ZWQQ was filed by olivia: somebody else has to approve it.",
            "request_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        }
    ],
}
TICKET: Final[dict[str, Any]] = {
    "id": "T-QZF9ZWQQ",
    "state": "under_review",
    "urgent": True,
    "submitted_by": "olivia",
    "submitted_at": "2026-11-24T09:30:00Z",
    "version": 2,
}
HOOK: Final[dict[str, Any]] = {
    "id": "6f1c4a52-0f2e-4d0a-9d3f-5a0c7b9f1e11",
    "url": "https://hooks.example.org/lacuna",
    "events": ["ticket.completed"],
}
JOB: Final[dict[str, Any]] = {"id": "6f1c4a52-0f2e-4d0a-9d3f-5a0c7b9f1e11", "status": "waiting", "rows": 2, "done": 0}
GLASS: Final[dict[str, Any]] = {
    "id": "6f1c4a52-0f2e-4d0a-9d3f-5a0c7b9f1e11",
    "state": "asked",
    "version": 3,
    "asked_by": "rosa",
    "minutes": 30,
}
RESTORE: Final[dict[str, Any]] = {
    "id": "6f1c4a52-0f2e-4d0a-9d3f-5a0c7b9f1e11",
    "state": "asked",
    "mark": {"generation": 9, "version": 8, "log_size": 4120},
    "present": {"generation": 7, "version": 6, "log_size": 3900},
    "asked_by": "rosa",
}
KIT: Final[dict[str, Any]] = {
    "id": "6f1c4a52-0f2e-4d0a-9d3f-5a0c7b9f1e11",
    "ticket": "T-QZF9ZWQQ",
    "state": "asked",
    "asked_by": "ada",
    "minutes": 60,
}
REWRAP: Final[dict[str, Any]] = {
    "id": "6f1c4a52-0f2e-4d0a-9d3f-5a0c7b9f1e11",
    "state": "running",
    "key": "vault:v2",
    "done": 300,
    "total": 1240,
}
ANSWERS: Final[dict[str, Any]] = {
    "submit": TICKET,
    "show_ticket": TICKET,
    "approve": TICKET | {"state": "approved", "version": 3},
    "reject": TICKET | {"state": "rejected", "version": 3},
    "withdraw": TICKET | {"state": "withdrawn", "version": 3},
    "list_tickets": {"items": [TICKET], "next": None},
    "search_tickets": {"items": [TICKET], "next": None},
    "edit_ticket": TICKET | {"version": 3},
    "identify_ticket": TICKET | {"identity": "verified"},
    "extend_ticket": TICKET | {"letter": "We need two more months, because ..."},
    "hold_ticket": TICKET | {"hold": {"reason": "A court asked for it.", "set_by": "olivia"}},
    "release_ticket": TICKET | {"hold": None},
    "distinguish_ticket": TICKET | {"duplicate_of": None},
    "ticket_clock": {"regime": "gdpr", "state": "running", "due": "2026-12-24", "used_percent": 12.5},
    "ticket_letter": {"ticket": "T-QZF9ZWQQ", "code": "no_match", "letter": "..."},
    "list_escalations": {"items": [TICKET | {"escalation": 75}]},
    "ask_restore": RESTORE,
    "confirm_restore": RESTORE | {"state": "accepted", "confirmed_by": "viktor"},
    "list_restores": {"items": [RESTORE], "mark": {"mark": "{...}", "signature": "..."}},
    "ask_kit": KIT,
    "allow_kit": KIT | {"state": "allowed", "allowed_by": "rosa"},
    "open_kit": KIT | {"state": "allowed", "names": ["..."], "facts": [], "photos": [], "openings": 1},
    "end_kit": KIT | {"state": "ended", "ended_by": "rosa"},
    "list_kits": {"items": [KIT]},
    "show_kit": KIT,
    "forward_eraser": {"id": "0b8e6f5e-6a7c-4b5e-9d53-0a8f1a6f7a11", "status": "ordered", "like": 3},
    "ask_break_glass": GLASS,
    "confirm_break_glass": GLASS | {"state": "open", "confirmed_by": "viktor"},
    "end_break_glass": GLASS | {"state": "ended"},
    "list_break_glass": {"items": [GLASS]},
    "show_break_glass": GLASS,
    "order_refit": {"id": "0b8e6f5e-6a7c-4b5e-9d53-0a8f1a6f7a11", "status": "ordered"},
    "list_refits": {"items": [{"kind": "urgent", "status": "succeeded", "attempt": 1}]},
    "list_erasers": {"items": [{"number": 1, "audit": "passed", "promoted": True}]},
    "show_eraser": {"number": 1, "audit": "passed", "promoted": True},
    "show_audit": {"number": 1, "verdict": "passed", "reasons": []},
    "promote": {"number": 1, "promoted": True},
    "rollback": {"number": 0, "promoted": True},
    "create_key": {"id": "6f1c4a52-0f2e-4d0a-9d3f-5a0c7b9f1e11", "owner": "web-form", "key": "lk_..."},
    "show_key": {"id": "6f1c4a52-0f2e-4d0a-9d3f-5a0c7b9f1e11", "owner": "web-form"},
    "revoke_key": {"id": "6f1c4a52-0f2e-4d0a-9d3f-5a0c7b9f1e11", "revoked_at": "2026-11-24T09:30:00Z"},
    "order_rewrap": REWRAP | {"state": "waiting", "key": None},
    "list_rewraps": {"items": [REWRAP]},
    "show_rewrap": REWRAP | {"state": "finished", "in_use": {"vault:v2": 1240}, "no_longer_used": ["vault:v1"]},
    "list_keys": {"items": [{"owner": "web-form", "roles": ["requester"]}]},
    "log_checkpoint": {"size": 1234, "at": "2026-11-24T09:30:00Z", "note": "lacuna.log\n1234\n...\n", "stored": None},
    "log_checkpoints": {"items": [{"size": 1234, "note": "lacuna.log\n1234\n...\n"}], "next": None},
    "log_timestamps": {
        "items": [{"size": 1234, "attested_at": "2026-11-24T09:30:00Z", "token": "MII..."}],
        "next": None,
    },
    "log_leaves": {"items": [{"position": 0, "line": '{"kind":"ticket.received",...}'}], "next": None},
    "log_proof": {"kind": "inclusion", "position": 0, "size": 2, "path": ["..."]},
    "certificate": {"payloadType": "application/vnd.in-toto+json", "payload": "...", "signatures": [{"sig": "..."}]},
    "register_requests": {"items": [TICKET], "next": None},
    "register_kpis": {"received": 12, "granted": 10, "refused": 1, "median_days_to_completion": 1.4},
    "status": {"model": "demo-vlm", "tickets": {"completed": 3}, "promoted": 1},
    "add_retain_set": {"number": 1, "new": True},
    "list_retain_sets": {"items": [{"number": 1}], "active": 1, "waits_for_refit": False},
    "show_retain_set": {"number": 1},
    "use_retain_set": {"number": 1},
    "create_import": JOB,
    "show_import": JOB | {"status": "succeeded", "done": 2, "accepted": 1, "refused": 1},
    "list_import_rows": {"items": [{"row": 1, "ticket": None, "problem": "facts: is empty."}], "next": None},
    "create_webhook": HOOK | {"secret": "whsec_..."},
    "list_webhooks": {"items": [HOOK]},
    "show_webhook": HOOK,
    "rotate_webhook": HOOK | {"secret": "whsec_..."},
    "disable_webhook": HOOK | {"disabled_at": "2026-11-24T09:30:00Z"},
    "test_webhook": {"id": "msg_6f1c4a520f2e4d0a9d3f5a0c7b9f1e11", "state": "waiting"},
    "list_deliveries": {"items": [{"event": "ticket.completed", "state": "delivered", "attempts": 1, "status": 204}]},
    "list_problems": {"items": [{"type": PROBLEM_BASE + "four-eyes", "status": 403}]},
    "show_problem": {"type": PROBLEM_BASE + "four-eyes", "status": 403},
    "healthz": {"status": "alive"},
    "readyz": {"status": "ready"},
}


def describe(app: FastAPI) -> None:
    """Give `app` its document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    made = get_openapi(title=app.title, version=app.version, openapi_version="3.1.0", routes=app.routes)
    parts = made.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    schemas["Problem"] = SCHEMA
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    parts["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "an API key, or a token of the OpenID provider"}
    }
    for path in made["paths"].values():
        for method, operation in path.items():
            _complete(method, operation)
    return made


def _complete(method: str, operation: dict[str, Any]) -> None:
    name = operation["operationId"]
    may_answer = dict(EVERY)
    if name not in OPEN:
        may_answer |= KNOWN
        operation["security"] = [{"key": []}]
        rule = PERMISSIONS[name]
        operation["x-roles"], operation["x-scope"] = list(rule.roles), rule.scope
        operation["description"] = (
            f"{operation.get('description', '')}\n\nRoles: {', '.join(rule.roles)}. Scope: `{rule.scope}`.".strip()
        )
    may_answer |= POSTS if method in ("post", "patch") else LISTS
    for status, why in may_answer.items():
        operation["responses"][str(status)] = {
            "description": why,
            "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    for status, answer in operation["responses"].items():
        if status.startswith("2") and name in ANSWERS:
            content = answer.setdefault("content", {}).setdefault("application/json", {"schema": {"type": "object"}})
            content["example"] = ANSWERS[name]
