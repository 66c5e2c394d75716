"""The OpenAI-compatible service. Start: `python -m services.inference.server`.

Every answer is generated with the active eraser version and names it. No field of a request reaches the eraser.
"""

import importlib
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from starlette.middleware import Middleware
from starlette.responses import Response

from services.inference import openapi
from services.inference.active_eraser import ActiveEraser
from services.inference.admission import Admission
from services.inference.authentication import ClientKeys, WrongKeys
from services.inference.client_limits import ClientLimits
from services.inference.context import ContextDep, InferenceContext
from services.inference.protocol import chat, completions, models, responses_api
from services.inference.protocol.errors import STATUSES, error_member
from services.inference.protocol.remote_pictures import RemotePictures
from services.inference.responses import HealthResponse, ReadyResponse
from shared.core.client_addresses import TrustedProxies
from shared.core.config import Settings, load_settings
from shared.core.exits import ends_the_process
from shared.core.http import install_error_handlers
from shared.core.metrics import HTTP, INFERENCE
from shared.core.observability import observe
from shared.db.session import make_engine
from shared.errors import NotFound

__all__ = ["InferenceContext", "build", "create"]


router = APIRouter()
unknown = APIRouter()


def create(settings: Settings | None = None) -> FastAPI:
    """The application, from the environment where no settings are given; the model is loaded in the background."""
    chosen = settings or load_settings()
    chosen.need("database_url", "kek", "verify_keys")
    observe(chosen, "inference", HTTP, INFERENCE)
    database = make_engine(chosen.database.url, chosen.database.idle_s)
    context = InferenceContext(
        ActiveEraser(grace_of(chosen)),
        ClientKeys(database, chosen.model.id, wrong_keys=WrongKeys(chosen.rate.failures)),
        chosen.model.id,
        chosen.step_grace_s,
        client_limits=ClientLimits(chosen.rate.client, chosen.rate.client_at_once),
        remote_pictures=RemotePictures(chosen.picture.host_list),
    )
    done = threading.Event()

    def load_and_watch() -> None:
        with ends_the_process("the model cannot be served"):
            # imports torch, which takes seconds: the health checks must answer before
            replica = importlib.import_module("services.inference.replica")
            local = replica.open_engine(chosen)
            context.engine = replica.for_clients(local, chosen)
            replica.watch(local, context.active_eraser, database, chosen, done)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        thread = threading.Thread(target=load_and_watch, name="watcher", daemon=True)
        thread.start()
        yield
        done.set()
        context.close()
        thread.join(timeout=5)

    app = build(context, lifespan)
    app.add_middleware(TrustedProxies, proxies=chosen.proxies)
    return app


def grace_of(settings: Settings) -> float:
    """Seconds for which a replica answers without news of the database: no longer than its lease (ADR 35)."""
    return min(settings.grace_s, settings.replica_lease_s)


def build(context: InferenceContext, lifespan: Any = None) -> FastAPI:
    """The application over `context`."""
    app = FastAPI(title="Lacuna: inference", version="1", openapi_url="/v1/openapi.json", lifespan=lifespan)
    app.state.context = context
    rendered = install_error_handlers(app, extend=error_member, statuses=STATUSES)
    app.user_middleware.append(Middleware(Admission, context=context, rendered=rendered))  # inside the request's id
    for part in (router, models.router, chat.router, completions.router, responses_api.router, unknown):
        app.include_router(part)
    openapi.describe(app)
    return app


@router.get("/healthz")
async def healthz() -> HealthResponse:
    """The process answers."""
    return HealthResponse()


@router.get("/readyz")
async def readyz(context: ContextDep) -> ReadyResponse:
    """The model is loaded, a version may be served, and the engine gets on with its work.

    Runs on the event loop: all threads of the pool may be waiting for the engine.
    """
    _, served = context.ready()
    context.check_progress()
    return ReadyResponse(eraser=served.number)


@unknown.api_route("/v1/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
async def unknown_url(request: Request) -> Response:
    """What else OpenAI's API has: embeddings, audio, files and so on."""
    raise NotFound(
        f"Invalid URL ({request.method} {request.url.path}): this service answers chats, completions and responses.",
        reason="unknown_url",
    )
