"""The Data Rights Protocol at `/drp`, for the agents of a registry: set up a token, send, follow and revoke requests.

The protocol has forms of its own for who asks and for what went wrong, so these paths are in no OpenAPI document and
outside `/v1`. `/drp` is the `api_base` that the directory of businesses names.
"""

import logging
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from limits import RateLimitItem, parse
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from services.request.context import AppContext
from services.request.drp import service
from services.request.drp.messages import Agent, Message, check_claims, open_message, read_registry
from shared.core.access_log import route_template
from shared.core.client_addresses import client_address
from shared.core.clock import utc_now
from shared.core.config import DrpSettings
from shared.core.http import bearer_token_of
from shared.db.repositories.models import model_in_use
from shared.db.session import transaction
from shared.errors import BadInput, Forbidden, LacunaError, TooManyRequests, Unauthorized

logger = logging.getLogger(__name__)
BASE: Final = "/drp"
HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True)
class Network:
    """The agents that may send requests, and who we are to them."""

    agents: dict[str, Agent]
    business: str
    tenant: str
    rate: RateLimitItem
    most_waiting: int


class DrpRoute(APIRoute):
    """Answers errors in the form of the protocol (section 3.06)."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of the framework, with these answers to errors."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except LacunaError as error:
                return _error(error.status, error.detail, error)
            except HTTPException as error:
                return _error(error.status_code, str(error.detail))
            except Exception as error:  # the last handler: the log has what the answer does not say
                logger.error("unexpected error at %s %s", request.method, route_template(request.scope), exc_info=error)
                return _error(500, "Something went wrong on the server.")

        return answer


router = APIRouter(prefix=BASE, route_class=DrpRoute, include_in_schema=False)


def install_drp(app: FastAPI, settings: DrpSettings) -> None:
    """Add the protocol where there is a registry. Raises BadInput for a setting that cannot be used."""
    if settings.agents is None:
        return
    if not settings.business:
        raise BadInput("LACUNA_DRP_BUSINESS must be set where LACUNA_DRP_AGENTS is: our id in the directory.")
    try:
        rate = parse(settings.rate)
    except ValueError as exc:
        raise BadInput("LACUNA_DRP_RATE is written as 600/hour.") from exc
    app.state.drp = Network(
        read_registry(settings.agents), settings.business, settings.tenant, rate, settings.most_waiting
    )
    app.include_router(router)


@router.post("/v1/agent/{agent_id}")
async def set_up_agent(agent_id: str, request: Request) -> Response:
    """A new token for an agent. Whatever is wrong, the answer is 403 without a body."""
    network, raw = _network(request), await request.body()
    try:
        token = await run_in_threadpool(_set_up, request, network, agent_id, raw)
    except TooManyRequests:
        raise
    except (Forbidden, BadInput) as exc:
        logger.info("a token for an agent was refused: %s", exc.detail)
        return Response(status_code=403, headers=HEADERS)
    return JSONResponse({"agent-id": agent_id, "token": token}, headers=HEADERS)


@router.get("/v1/agent/{agent_id}")
def show_agent(agent_id: str, request: Request) -> Response:
    """Whether the token is valid."""
    if _agent(request).id != agent_id:
        raise Forbidden("The token is that of another agent.")
    return JSONResponse({}, headers=HEADERS)


@router.post("/v1/data-rights-request")
@router.post("/v1/data-rights-request/")
async def exercise(request: Request) -> Response:
    """Take a request in."""
    agent = await run_in_threadpool(_agent, request)  # before the body is read
    return await run_in_threadpool(_exercise, request, agent, await request.body())


@router.get("/v1/data-rights-request/{request_id}")
def show_request(request_id: str, request: Request) -> Response:
    """How far a request is."""
    agent, network = _agent(request), _network(request)
    return _answer(service.show(_context(request), network.tenant, agent, _number(request_id)))


@router.delete("/v1/data-rights-request/{request_id}")
async def revoke(request_id: str, request: Request) -> Response:
    """Take a request back."""
    agent = await run_in_threadpool(_agent, request)
    return await run_in_threadpool(_revoke, request, agent, request_id, await request.body())


def _set_up(request: Request, network: Network, agent_id: str, raw: bytes) -> str:
    state, address = request.app.state, client_address(request.scope)
    state.rate_limiter.check_failures(address)
    try:
        agent = network.agents.get(agent_id)
        if agent is None:
            raise Forbidden("The agent is not in the registry.")
        message = open_message(raw, agent)
        expires = check_claims(message, agent, network.business, utc_now())
        state.rate_limiter.count(network.rate, agent.id, "requests of an agent")
        return service.set_up(_context(request), network.tenant, agent, message, expires)
    except (Forbidden, BadInput):
        state.rate_limiter.count_failure(address)
        raise


def _exercise(request: Request, agent: Agent, raw: bytes) -> Response:
    network = _network(request)
    message = open_message(raw, agent)
    expires = check_claims(message, agent, network.business, utc_now())
    context = _context(request)
    return _answer(service.exercise(context, network.tenant, agent, message, expires, network.most_waiting))


def _revoke(request: Request, agent: Agent, request_id: str, raw: bytes) -> Response:
    network = _network(request)
    message = _revocation(open_message(raw, agent), agent, network)
    return _answer(service.revoke(_context(request), network.tenant, agent, message, _number(request_id)))


def _revocation(message: Message, agent: Agent, network: Network) -> Message:
    """The protocol asks for a reason alone; claims that are there have to hold."""
    if {"agent-id", "business-id", "issued-at", "expires-at"} & message.members.keys():
        check_claims(message, agent, network.business, utc_now())
    return message


def _agent(request: Request) -> Agent:
    """Whose token the request carries, counted. Raises Unauthorized or TooManyRequests."""
    state, network, address = request.app.state, _network(request), client_address(request.scope)
    state.rate_limiter.check_failures(address)
    try:
        token = bearer_token_of(request.headers)
        agent = service.agent_of_token(_context(request), network.tenant, network.agents, token)
    except Unauthorized:
        state.rate_limiter.count_failure(address)
        raise
    state.rate_limiter.count(network.rate, agent.id, "requests of an agent")
    return agent


def _network(request: Request) -> Network:
    network: Network = request.app.state.drp
    return network


def _context(request: Request) -> AppContext:
    """The context of the tenant to whom agents send."""
    context, tenant = request.app.state.context, _network(request).tenant
    with transaction(context.database) as session:
        found: AppContext = context.of_tenant(tenant, model_in_use(session, tenant))
    return found


def _number(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError as exc:
        raise Forbidden(service.NOT_YOURS) from exc


def _answer(status: service.Status) -> Response:
    return JSONResponse(status.body(), headers=HEADERS)


def _error(status: int, message: str, error: LacunaError | None = None) -> Response:
    """`fatal`: the same message will never be taken."""
    sent = 400 if status == 422 else status
    body: dict[str, Any] = {"code": str(sent), "message": message}
    if isinstance(error, BadInput | Forbidden):
        body["fatal"] = True
    headers = dict(HEADERS)
    if error is not None and "retry_after_s" in error.extra:
        headers["Retry-After"] = str(error.extra["retry_after_s"])
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, sent, headers)
