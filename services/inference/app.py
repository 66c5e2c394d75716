"""The OpenAI-compatible service. Start: `uvicorn services.inference.app:create --factory`.

Every answer is generated with the active eraser version and names it. No field of a request reaches the eraser.
"""

import asyncio
import importlib
import logging
import os
import signal
import threading
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.responses import Response

from services.inference import openapi
from services.inference.active_eraser import ActiveEraser, Served
from services.inference.authentication import ClientKeys
from services.inference.engines.base import AnswerEngine
from services.inference.openai import (
    HEADER_ERASER,
    ChatCompletionRequest,
    completion,
    error_member,
    server_sent_events,
    to_prompt,
)
from services.inference.responses import (
    AnswerHead,
    ChatCompletion,
    HealthResponse,
    ModelList,
    ModelResponse,
    ReadyResponse,
)
from shared.core.config import Settings, load_settings
from shared.core.exits import NO_RESTART, end_process
from shared.core.http import bearer_token, install_error_handlers
from shared.core.metrics import HTTP, INFERENCE
from shared.core.observability import observe
from shared.db.session import make_engine
from shared.errors import BadInput, NotFound, NotReady
from shared.vlm.generation import Answer
from shared.vlm.sampling import Sampling

logger = logging.getLogger(__name__)

router = APIRouter()


class Ready(NamedTuple):
    """What a request is answered with."""

    engine: AnswerEngine
    served: Served


@dataclass
class InferenceContext:
    """What the endpoints use. `engine` is None until the model is loaded; `step_grace_s` is a setting."""

    active_eraser: ActiveEraser
    client_keys: ClientKeys
    model_id: str
    step_grace_s: float = 15.0
    engine: AnswerEngine | None = None

    def ready(self) -> Ready:
        """The engine and the version to answer with; raises NotReady."""
        if self.engine is None:
            raise NotReady("The model is being loaded.")
        return Ready(self.engine, self.active_eraser.current())

    def check_progress(self) -> None:
        """Raise NotReady where the engine has work and has not finished a step for longer than `step_grace_s`."""
        stalled_s = self.engine.stalled_s() if self.engine is not None else 0.0
        if stalled_s > self.step_grace_s:
            raise NotReady(f"The engine has work and has not finished a step for {stalled_s:.0f} s.")


def create(settings: Settings | None = None) -> FastAPI:
    """The application, from the environment where no settings are given; the model is loaded in the background."""
    chosen = settings or load_settings()
    chosen.need("database_url", "kek", "verify_keys")
    observe(chosen, "inference", HTTP, INFERENCE)
    database = make_engine(chosen.database.url, chosen.database.idle_s)
    context = InferenceContext(ActiveEraser(chosen.grace_s), ClientKeys(database), chosen.model.id, chosen.step_grace_s)
    done = threading.Event()

    def load_and_watch() -> None:
        try:
            # imports torch, which takes seconds: the health checks must answer before
            replica = importlib.import_module("services.inference.replica")
            local = replica.open_engine(chosen)
            context.engine = replica.metered(local)
            replica.watch(local, context.active_eraser, database, chosen, done)
        except BadInput as exc:  # a model that no restart repairs: its sentence says what to do
            logger.error("the model cannot be served; the process ends: %s", exc.detail)
            end_process(NO_RESTART)
        except Exception:
            logger.exception("the model cannot be served; the process ends")
            os.kill(os.getpid(), signal.SIGTERM)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        thread = threading.Thread(target=load_and_watch, name="watcher", daemon=True)
        thread.start()
        yield
        done.set()
        thread.join(timeout=5)

    return build(context, lifespan)


def build(context: InferenceContext, lifespan: Any = None) -> FastAPI:
    """The application over `context`."""
    app = FastAPI(title="Lacuna: inference", version="1", openapi_url="/v1/openapi.json", lifespan=lifespan)
    app.state.context = context
    install_error_handlers(app, extend=error_member)
    app.middleware("http")(name_version)
    app.include_router(router)
    openapi.describe(app)
    return app


async def name_version(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Middleware: every response names a version, at least the one in memory."""
    response = await call_next(request)
    if HEADER_ERASER not in response.headers:
        served = request.app.state.context.active_eraser.current_or_none()
        response.headers[HEADER_ERASER] = str(served.number) if served else "none"
    return response


async def _context(request: Request) -> InferenceContext:  # async although nothing is awaited: it needs no thread
    context: InferenceContext = request.app.state.context
    return context


ContextDep = Annotated[InferenceContext, Depends(_context)]


def _require_client(request: Request, context: ContextDep) -> None:
    """Raise Unauthorized or Forbidden where the request does not come with the API key of a client."""
    context.client_keys.check(bearer_token(request))


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


@router.get("/v1/models", dependencies=[Depends(_require_client)])
def models(context: ContextDep) -> ModelList:
    """The one model of this replica."""
    return ModelList(data=[ModelResponse(id=context.model_id)])


@router.post(
    "/v1/chat/completions",
    dependencies=[Depends(_require_client)],
    response_model=ChatCompletion,
)
async def chat(body: ChatCompletionRequest, context: ContextDep) -> Response:
    """Answer a chat, whole or as server-sent events."""
    engine, served = context.ready()
    if body.model != context.model_id:
        raise NotFound(f"There is no model {body.model}; this is {context.model_id}.")
    prompt = await asyncio.to_thread(to_prompt, body)
    sampling = Sampling(body.max_new_tokens, body.temperature, body.seed, body.stop_words)
    head = AnswerHead(
        id=f"chatcmpl-{uuid.uuid4().hex}",
        created=int(time.time()),
        model=context.model_id,
        system_fingerprint=served.fingerprint,
    )
    headers = {HEADER_ERASER: str(served.number)}
    pieces = engine.stream(prompt, sampling, served)
    if body.stream:
        return StreamingResponse(server_sent_events(pieces, head), media_type="text/event-stream", headers=headers)
    async for piece in pieces:
        answer = piece
    assert isinstance(answer, Answer)
    return JSONResponse(completion(head, answer).model_dump(), headers=headers)
