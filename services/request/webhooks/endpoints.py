"""/v1/webhooks: add a webhook (its secret is shown once), list, rotate the secret, test, disable, see deliveries."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from fastapi import APIRouter, Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import Mutation, MutationDep, MutationResult
from services.request.api.preconditions import etag
from services.request.webhooks import client
from services.request.webhooks.responses import (
    DeliveryList,
    WebhookList,
    WebhookResponse,
    WebhookTestResponse,
    WebhookWithSecretResponse,
    delivery_response,
    message_id,
    webhook_response,
)
from services.request.webhooks.schemas import WebhookCreate
from services.request.webhooks.service import enqueue
from shared.core.clock import utc_now
from shared.db.models.webhooks import Webhook, WebhookDelivery
from shared.db.repositories import audit_log
from shared.db.session import transaction
from shared.errors import Conflict, NotFound

router = APIRouter(tags=["webhooks"])
SECRET: Final = frozenset({"secret"})
OLD_SECRET_VALID: Final = timedelta(hours=24)  # both secrets sign for a day after a rotation
MOST_LISTED: Final = 200


@router.post("/v1/webhooks", status_code=201, response_model=WebhookWithSecretResponse)
def create_webhook(body: WebhookCreate, mutation: MutationDep) -> JSONResponse:
    """Receive messages about tickets. The secret is in this answer and nowhere else."""
    context = mutation.context
    client.check_url(body.url, context.webhook_hosts, allow_loopback=context.webhook_loopback)
    secret = client.draw_secret()

    def create(session: Session) -> MutationResult:
        hook_id = uuid.uuid4()
        sealed = context.keys.seal(secret, f"webhook/{hook_id}")
        hook = Webhook(
            id=hook_id,
            tenant_id=mutation.principal.tenant_id,
            url=body.url,
            events=list(body.events),
            secret=sealed.blob,
            secret_key=sealed.wrapped_key,
            created_by=mutation.principal.owner,
            created_at=utc_now(),
        )
        session.add(hook)
        audit_log.append_leaf(session, mutation.principal.owner, "webhook.created", str(hook_id), {})
        return MutationResult(_with_secret(hook, secret), 201, _etag(hook), f"/v1/webhooks/{hook_id}")

    return mutation.run_once(create, hide=SECRET)


@router.get("/v1/webhooks")
def list_webhooks(context: ContextDep, principal: PrincipalDep) -> WebhookList:
    """Newest first."""
    with transaction(context.database) as session:
        hooks = session.scalars(
            select(Webhook)
            .where(Webhook.tenant_id == principal.tenant_id)
            .order_by(Webhook.created_at.desc())
            .limit(MOST_LISTED)
        )
        return WebhookList(items=[webhook_response(hook) for hook in hooks])


@router.get("/v1/webhooks/{webhook_id}")
def show_webhook(
    webhook_id: uuid.UUID, context: ContextDep, principal: PrincipalDep, response: Response
) -> WebhookResponse:
    """One webhook, without its secret."""
    with transaction(context.database) as session:
        hook = _get_webhook(session, principal.tenant_id, webhook_id)
        response.headers["ETag"] = _etag(hook)
        return webhook_response(hook)


@router.get("/v1/webhooks/{webhook_id}/deliveries")
def list_deliveries(webhook_id: uuid.UUID, context: ContextDep, principal: PrincipalDep) -> DeliveryList:
    """The newest 200 messages, and what became of each."""
    with transaction(context.database) as session:
        hook = _get_webhook(session, principal.tenant_id, webhook_id)
        deliveries = session.scalars(
            select(WebhookDelivery)
            .where(WebhookDelivery.webhook_id == hook.id)
            .order_by(WebhookDelivery.created_at.desc())
            .limit(MOST_LISTED)
        )
        return DeliveryList(items=[delivery_response(delivery) for delivery in deliveries])


@router.post("/v1/webhooks/{webhook_id}/rotate", response_model=WebhookWithSecretResponse)
def rotate_webhook(webhook_id: uuid.UUID, mutation: MutationDep) -> JSONResponse:
    """Replace the secret; for a day messages are signed with the old one too."""
    secret = client.draw_secret()

    def rotate(hook: Webhook) -> WebhookResponse:
        hook.old_secret, hook.old_secret_key = hook.secret, hook.secret_key
        hook.old_until = utc_now() + OLD_SECRET_VALID
        sealed = mutation.context.keys.seal(secret, f"webhook/{hook.id}")
        hook.secret, hook.secret_key = sealed.blob, sealed.wrapped_key
        return _with_secret(hook, secret)

    return _change(mutation, webhook_id, "rotated", rotate)


@router.post("/v1/webhooks/{webhook_id}/disable", response_model=WebhookResponse)
def disable_webhook(webhook_id: uuid.UUID, mutation: MutationDep) -> JSONResponse:
    """Send nothing more to it."""

    def disable(hook: Webhook) -> WebhookResponse:
        hook.disabled_at = utc_now()
        return webhook_response(hook)

    return _change(mutation, webhook_id, "disabled", disable)


@router.post("/v1/webhooks/{webhook_id}/test", status_code=202, response_model=WebhookTestResponse)
def test_webhook(webhook_id: uuid.UUID, mutation: MutationDep) -> JSONResponse:
    """Send a message of type `webhook.test`; the deliveries show what became of it."""

    def send_test(session: Session) -> MutationResult:
        hook = _get_webhook(session, mutation.principal.tenant_id, webhook_id)
        _require_enabled(hook)
        delivery = enqueue(session, hook, "webhook.test", {}, utc_now().isoformat())
        return MutationResult(WebhookTestResponse(id=message_id(delivery), state=delivery.state), 202)

    return mutation.run_once(send_test)


def _change(
    mutation: Mutation, webhook_id: uuid.UUID, leaf: str, change: Callable[[Webhook], WebhookResponse]
) -> JSONResponse:
    """Change a webhook that is not disabled, and append the leaf `webhook.<leaf>` to the audit log."""

    def change_and_log(session: Session, hook: Webhook) -> WebhookResponse:
        _require_enabled(hook)
        answer = change(hook)
        audit_log.append_leaf(session, mutation.principal.owner, f"webhook.{leaf}", str(hook.id), {})
        return answer

    return mutation.change_once(
        lambda session: _get_webhook(session, mutation.principal.tenant_id, webhook_id, lock=True),
        _etag,
        change_and_log,
        hide=SECRET,
    )


def _require_enabled(hook: Webhook) -> None:
    if hook.disabled_at is not None:
        raise Conflict("This webhook is disabled.")


def _get_webhook(session: Session, tenant: str, webhook_id: uuid.UUID, *, lock: bool = False) -> Webhook:
    query = select(Webhook).where(Webhook.tenant_id == tenant, Webhook.id == webhook_id)
    hook = session.scalar(query.with_for_update() if lock else query)
    if hook is None:
        raise NotFound("There is no such webhook.")
    return hook


def _etag(hook: Webhook) -> str:
    rotated = int(hook.old_until.timestamp()) if hook.old_until else 0
    return etag(f"{rotated}-{'off' if hook.disabled_at else 'on'}")


def _with_secret(hook: Webhook, secret: bytes) -> WebhookWithSecretResponse:
    return WebhookWithSecretResponse(**dict(webhook_response(hook)), secret=client.encode_secret(secret))
