"""Webhooks over HTTP: add (the secret is shown once), list, rotate the secret, try, switch off, see deliveries."""

import uuid
from datetime import timedelta
from typing import Any, Final

from fastapi import APIRouter, Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import MutationDep, MutationResult
from services.request.context import AppContext
from services.request.webhooks import client
from services.request.webhooks.schemas import WebhookCreate
from services.request.webhooks.service import enqueue
from shared.core.clock import utc_now
from shared.db.models.webhooks import Webhook, WebhookDelivery
from shared.db.repositories import audit_log
from shared.db.session import transaction
from shared.errors import Conflict, NotFound

router = APIRouter(tags=["webhooks"])
SECRET: Final = frozenset({"secret"})
OLD_FOR: Final = timedelta(hours=24)  # both secrets sign for a day after a rotation


@router.post("/v1/webhooks", status_code=201)
def create_webhook(body: WebhookCreate, mutation: MutationDep) -> JSONResponse:
    """Be told of what happens to tickets. The secret is in this answer and nowhere else."""
    context = mutation.context
    client.check_url(body.url, context.webhook_hosts, allow_loopback=context.webhook_loopback)
    secret = client.draw_secret()

    def work(session: Session) -> MutationResult:
        hook_id = uuid.uuid4()
        sealed = context.keys.seal(secret, f"webhook/{hook_id}")
        made = Webhook(
            id=hook_id,
            tenant_id=mutation.principal.tenant_id,
            url=body.url,
            events=list(body.events),
            secret=sealed.blob,
            secret_key=sealed.wrapped_key,
            created_by=mutation.principal.owner,
            created_at=utc_now(),
        )
        session.add(made)
        audit_log.append_leaf(session, mutation.principal.owner, "webhook.created", str(hook_id), {})
        return MutationResult(_view(made) | {"secret": client.shown_secret(secret)}, 201, _etag(made), _place(made))

    return mutation.run_once(work, hide=SECRET)


@router.get("/v1/webhooks")
def list_webhooks(context: ContextDep, principal: PrincipalDep) -> dict[str, Any]:
    """Newest first."""
    with transaction(context.database) as session:
        found = (
            select(Webhook)
            .where(Webhook.tenant_id == principal.tenant_id)
            .order_by(Webhook.created_at.desc())
            .limit(200)
        )
        return {"items": [_view(one) for one in session.scalars(found)]}


@router.get("/v1/webhooks/{webhook_id}")
def show_webhook(
    webhook_id: uuid.UUID, context: ContextDep, principal: PrincipalDep, response: Response
) -> dict[str, Any]:
    """One webhook, without its secret."""
    with transaction(context.database) as session:
        one = _get(session, principal.tenant_id, webhook_id)
        response.headers["ETag"] = _etag(one)
        return _view(one)


@router.get("/v1/webhooks/{webhook_id}/deliveries")
def list_deliveries(webhook_id: uuid.UUID, context: ContextDep, principal: PrincipalDep) -> dict[str, Any]:
    """The newest 200 messages, and what became of each."""
    with transaction(context.database) as session:
        hook = _get(session, principal.tenant_id, webhook_id)
        found = (
            select(WebhookDelivery)
            .where(WebhookDelivery.webhook_id == hook.id)
            .order_by(WebhookDelivery.created_at.desc())
            .limit(200)
        )
        return {
            "items": [
                {
                    "id": f"msg_{one.id.hex}",
                    "event": one.event,
                    "state": one.state,
                    "attempts": one.attempts,
                    "status": one.status,
                    "error": one.error,
                    "created_at": one.created_at,
                    "next_at": one.next_at,
                }
                for one in session.scalars(found)
            ]
        }


@router.post("/v1/webhooks/{webhook_id}/rotate")
def rotate_webhook(webhook_id: uuid.UUID, mutation: MutationDep) -> JSONResponse:
    """A new secret; for a day messages are signed with the old one too."""
    secret = client.draw_secret()

    def do(context: AppContext, one: Webhook) -> dict[str, Any]:
        one.old_secret, one.old_secret_key, one.old_until = one.secret, one.secret_key, utc_now() + OLD_FOR
        sealed = context.keys.seal(secret, f"webhook/{one.id}")
        one.secret, one.secret_key = sealed.blob, sealed.wrapped_key
        return {"secret": client.shown_secret(secret)}

    return _change(mutation, webhook_id, "rotated", do)


@router.post("/v1/webhooks/{webhook_id}/disable")
def disable_webhook(webhook_id: uuid.UUID, mutation: MutationDep) -> JSONResponse:
    """Nothing more is sent."""

    def do(_: AppContext, one: Webhook) -> dict[str, Any]:
        one.disabled_at = utc_now()
        return {}

    return _change(mutation, webhook_id, "disabled", do)


@router.post("/v1/webhooks/{webhook_id}/test", status_code=202)
def test_webhook(webhook_id: uuid.UUID, mutation: MutationDep) -> JSONResponse:
    """Send a message of type `webhook.test`; see in the deliveries what came of it."""

    def work(session: Session) -> MutationResult:
        hook = _get(session, mutation.principal.tenant_id, webhook_id)
        if hook.disabled_at is not None:
            raise Conflict("This webhook is switched off.")
        made = enqueue(session, hook, "webhook.test", {}, utc_now().isoformat())
        return MutationResult({"id": f"msg_{made.id.hex}", "state": made.state}, 202)

    return mutation.run_once(work)


def _change(mutation: MutationDep, webhook_id: uuid.UUID, what: str, do: Any) -> JSONResponse:
    def work(session: Session) -> MutationResult:
        one = _get(session, mutation.principal.tenant_id, webhook_id, lock=True)
        mutation.require_match(_etag(one))
        if one.disabled_at is not None:
            raise Conflict("This webhook is switched off.")
        more = do(mutation.context, one)
        audit_log.append_leaf(session, mutation.principal.owner, f"webhook.{what}", str(one.id), {})
        return MutationResult(_view(one) | more, etag=_etag(one))

    return mutation.run_once(work, hide=SECRET)


def _get(session: Session, tenant: str, webhook_id: uuid.UUID, *, lock: bool = False) -> Webhook:
    query = select(Webhook).where(Webhook.tenant_id == tenant, Webhook.id == webhook_id)
    found = session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise NotFound("There is no such webhook.")
    return found


def _etag(one: Webhook) -> str:
    rotated = int(one.old_until.timestamp()) if one.old_until else 0
    return f'"{rotated}-{"off" if one.disabled_at else "on"}"'


def _place(one: Webhook) -> str:
    return f"/v1/webhooks/{one.id}"


def _view(one: Webhook) -> dict[str, Any]:
    return {
        "id": one.id,
        "url": one.url,
        "events": one.events,
        "created_by": one.created_by,
        "created_at": one.created_at,
        "disabled_at": one.disabled_at,
        "old_secret_until": one.old_until,
    }
