"""/console/keys, /console/webhooks, /console/retain-sets: who has which key, who is told, who must stay known."""

import base64
import json
import uuid
from datetime import datetime
from typing import Any, Final

from fastapi import Response

from services.request.api_keys import endpoints as api_keys
from services.request.api_keys.schemas import ApiKeyCreate
from services.request.auth.permissions import PERMISSIONS
from services.request.console.routing import console_router
from services.request.console.visit import Form, FormDep, Visit, VisitDep, first_moment
from services.request.retain_sets import endpoints as retain_sets
from services.request.retain_sets.schemas import RetainSetCreate
from services.request.webhooks import endpoints as webhooks
from services.request.webhooks.schemas import WebhookCreate
from shared.core.clock import utc_now
from shared.domain.accounts import ROLES
from shared.domain.ticket_lifecycle import STATES
from shared.errors import BadInput

router = console_router()
KEYS: Final = "/console/keys"
WEBHOOKS: Final = "/console/webhooks"
RETAIN_SETS: Final = "/console/retain-sets"
SCOPES: Final = tuple(sorted({permission.scope for permission in PERMISSIONS.values()}))
EVENTS: Final = ("*", *(f"ticket.{state}" for state in STATES), "alarm.raised", "alarm.cleared")


@router.get(KEYS)
def show_keys(visit: VisitDep) -> Response:
    """The keys, without their secrets."""
    return _keys_page(visit)


@router.post(KEYS)
def create_key(form: FormDep) -> Response:
    """Create a key. The page that follows is the only one that has its secret."""
    values = {
        "owner": form.text("owner"),
        "roles": form.texts("roles"),
        "scopes": form.texts("scopes"),
        "label": form.text("label"),
        "expires_at": read_end(form),
    }
    answer = form.visit.permit(api_keys.create_key)(form.body(ApiKeyCreate, values), form.mutation())
    return _keys_page(form.visit, json.loads(bytes(answer.body)))


@router.post(f"{KEYS}/{{key_id}}/revoke")
def revoke_key(key_id: uuid.UUID, form: FormDep) -> Response:
    """Revoke a key, and with it its sessions."""
    form.visit.permit(api_keys.revoke_key)(key_id, form.mutation(), form.visit.request)
    return form.done(KEYS, "revoke")


@router.get(WEBHOOKS)
def show_webhooks(visit: VisitDep) -> Response:
    """Who is told of what."""
    return _webhooks_page(visit)


@router.post(WEBHOOKS)
def create_webhook(form: FormDep) -> Response:
    """Add an address. The page that follows is the only one that has its secret."""
    body = form.body(WebhookCreate, {"url": form.text("url"), "events": form.texts("events")})
    answer = form.visit.permit(webhooks.create_webhook)(body, form.mutation())
    return _webhooks_page(form.visit, json.loads(bytes(answer.body)))


@router.get(f"{WEBHOOKS}/{{webhook_id}}")
def show_webhook(webhook_id: uuid.UUID, visit: VisitDep) -> Response:
    """One address, and what became of each message to it."""
    seen = Response()
    hook = visit.permit(webhooks.show_webhook)(webhook_id, visit.context, visit.principal, seen)
    deliveries = visit.permit(webhooks.list_deliveries)(webhook_id, visit.context, visit.principal).items
    return visit.page(
        "webhook.html",
        hook=hook,
        deliveries=deliveries,
        etag=seen.headers["etag"],
        new=None,
        may_test=visit.may(webhooks.test_webhook),
        may_rotate=visit.may(webhooks.rotate_webhook),
        may_disable=visit.may(webhooks.disable_webhook),
    )


@router.post(f"{WEBHOOKS}/{{webhook_id}}/test")
def test_webhook(webhook_id: uuid.UUID, form: FormDep) -> Response:
    """Send a test message."""
    form.visit.permit(webhooks.test_webhook)(webhook_id, form.mutation())
    return form.done(f"{WEBHOOKS}/{webhook_id}", "test")


@router.post(f"{WEBHOOKS}/{{webhook_id}}/rotate")
def rotate_webhook(webhook_id: uuid.UUID, form: FormDep) -> Response:
    """Replace its secret; the page that follows is the only one that has the new one."""
    answer = form.visit.permit(webhooks.rotate_webhook)(webhook_id, form.mutation())
    return _webhooks_page(form.visit, json.loads(bytes(answer.body)))


@router.post(f"{WEBHOOKS}/{{webhook_id}}/disable")
def disable_webhook(webhook_id: uuid.UUID, form: FormDep) -> Response:
    """Send nothing more to it."""
    form.visit.permit(webhooks.disable_webhook)(webhook_id, form.mutation())
    return form.done(f"{WEBHOOKS}/{webhook_id}", "disable")


@router.get(RETAIN_SETS)
def show_retain_sets(visit: VisitDep) -> Response:
    """The retain sets, and which one the next refit uses."""
    return _retain_page(visit)


@router.post(RETAIN_SETS)
def add_retain_set(form: FormDep) -> Response:
    """Check a file, or add it and put it to use. A row that cannot be used is named, and never repeated."""
    add = form.visit.permit(retain_sets.add_retain_set)
    dry_run = form.text("do") == "check"
    values = {"rows": _rows(form), "dry_run": dry_run, "leave_out": bool(form.text("leave_out"))}
    try:
        answer = json.loads(bytes(add(form.body(RetainSetCreate, values), form.mutation()).body))
    except BadInput as error:
        return _retain_page(form.visit, error=error, report=error.extra.get("report"))
    return _retain_page(form.visit, report=answer["report"], usable=answer.get("usable", True), added=not dry_run)


@router.post(f"{RETAIN_SETS}/{{number}}/use")
def use_retain_set(number: int, form: FormDep) -> Response:
    """Use this set from the next refit on; 0 for the reference people alone."""
    if not 0 <= number < 2**31:
        raise BadInput("The number of a set is a whole number from 0 on.")
    form.visit.permit(retain_sets.use_retain_set)(number, form.mutation())
    return form.done(RETAIN_SETS, "use")


def _keys_page(visit: Visit, new: dict[str, Any] | None = None) -> Response:
    keys = visit.permit(api_keys.list_keys)(visit.context, visit.principal).items
    return visit.page(
        "keys.html",
        keys=keys,
        new=new,
        now=utc_now(),
        roles=ROLES,
        scopes=SCOPES,
        may_create=visit.may(api_keys.create_key),
        may_revoke=visit.may(api_keys.revoke_key),
    )


def _webhooks_page(visit: Visit, new: dict[str, Any] | None = None) -> Response:
    hooks = visit.permit(webhooks.list_webhooks)(visit.context, visit.principal).items
    may_create = visit.may(webhooks.create_webhook)
    return visit.page("webhooks.html", hooks=hooks, new=new, events=EVENTS, may_create=may_create)


def _retain_page(
    visit: Visit,
    error: BadInput | None = None,
    report: dict[str, Any] | None = None,
    usable: bool = False,
    added: bool = False,
) -> Response:
    seen = Response()
    sets = visit.permit(retain_sets.list_retain_sets)(visit.context, visit.principal, seen)
    return visit.page(
        "retain_sets.html",
        error.status if error else 200,
        sets=sets,
        etag=seen.headers["etag"],
        error=error,
        report=report,
        usable=usable,
        added=added,
        may_add=visit.may(retain_sets.add_retain_set),
        may_use=visit.may(retain_sets.use_retain_set),
    )


def _rows(form: Form) -> list[dict[str, Any]]:
    """The rows of the file, each a line of JSON; a photograph that names a file of the form is that file."""
    files = form.files("rows")
    if not files:
        raise BadInput("Choose a file with one JSON object on each line.")
    photos = {str(file.filename): base64.b64encode(file.file.read()).decode() for file in form.files("pictures")}
    rows = []
    for number, line in enumerate(files[0].file.read().decode("utf-8-sig", "replace").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as exc:
            raise BadInput(f"Line {number} is not a JSON object.") from exc
        if not isinstance(row, dict):
            raise BadInput(f"Line {number} is not a JSON object.")
        if isinstance(row.get("photos"), list):
            row["photos"] = [_photo(photos, entry) for entry in row["photos"]]
        rows.append(row)
    return rows


def _photo(photos: dict[str, str], entry: Any) -> Any:
    return f"data:image/png;base64,{photos[entry]}" if isinstance(entry, str) and entry in photos else entry


def read_end(form: Form) -> datetime | None:
    """When the key of a form is to expire; None where it has no end. Raises BadInput."""
    text = form.text("expires_on")
    return first_moment(text, form.visit.context.zone) if text else None
