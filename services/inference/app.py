"""The OpenAI-compatible service. Start: `uvicorn services.inference.app:create --factory`.

Every answer is made with the version in the slot and names it. Nothing in a request reaches the eraser.
"""

import asyncio
import importlib
import json
import logging
import os
import signal
import threading
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from sqlalchemy import Engine as Database
from starlette.responses import Response

from services.inference.active_eraser import ActiveEraser, Served
from services.inference.batcher import Batcher, Sampling
from services.inference.openai import HEADER_ERASER, ChatCompletionRequest, chunk, to_prompt
from shared.core.config import Settings, load_settings
from shared.core.http import bearer_token, install_error_handlers, require_role
from shared.db.models.tenancy import ApiKey
from shared.db.repositories import api_keys
from shared.db.session import make_engine, transaction
from shared.errors import LacunaError, NotFound, NotReady, Unauthorized
from shared.vlm.generation import Answer

logger = logging.getLogger(__name__)
KEY_MEMORY_S = 5.0


@dataclass
class Serving:
    """What the endpoints use. `batcher` comes when the model is loaded."""

    active_eraser: ActiveEraser
    database: Database
    model_id: str
    step_grace_s: float = 15.0
    batcher: Batcher | None = None
    keys: dict[str, tuple[ApiKey, float]] = field(default_factory=dict)

    def ready(self) -> tuple[Batcher, Served]:
        """Engine and version; raises NotReady."""
        if self.batcher is None:
            raise NotReady("The model is being loaded.")
        return self.batcher, self.active_eraser.current()

    def check_progress(self) -> None:
        """Raise NotReady where the engine has work and has not finished a step for longer than `step_grace_s`."""
        stalled = self.batcher.stalled_s() if self.batcher is not None else 0.0
        if stalled > self.step_grace_s:
            raise NotReady(f"The engine has work and has not finished a step for {stalled:.0f} s.")

    def who(self, key: str) -> ApiKey:
        """Whose key this is, remembered for a few seconds; raises Unauthorized."""
        known = self.keys.get(key)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        with transaction(self.database) as session:
            found = api_keys.find_api_key(session, key)
        if found is None:
            raise Unauthorized("This key is not known, or was revoked.")
        if len(self.keys) > 1000:
            self.keys.clear()
        self.keys[key] = (found, time.monotonic() + KEY_MEMORY_S)
        return found


def create(settings: Settings | None = None) -> FastAPI:
    """The application, from the environment where no settings are given; the model is loaded in the background."""
    chosen = settings or load_settings()
    chosen.need("database_url", "kek", "verify_keys")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    database = make_engine(chosen.database_url, chosen.database_idle_s)
    serving = Serving(ActiveEraser(chosen.grace_s), database, chosen.model_id, chosen.step_grace_s)
    done = threading.Event()

    def work() -> None:
        try:
            replica = importlib.import_module("services.inference.replica")  # torch: the door must not wait for it
            serving.batcher = replica.open_batcher(chosen)
            replica.watch(serving.batcher, serving.active_eraser, database, chosen, done)
        except Exception:
            logger.exception("the model cannot be served")
            os.kill(os.getpid(), signal.SIGTERM)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        thread = threading.Thread(target=work, name="watcher", daemon=True)
        thread.start()
        yield
        done.set()
        thread.join(timeout=5)

    return build(serving, lifespan)


def build(serving: Serving, lifespan: Any = None) -> FastAPI:
    """The application over `serving`."""
    app = FastAPI(title="Lacuna: inference", version="1", openapi_url="/v1/openapi.json", lifespan=lifespan)
    install_error_handlers(app, extend=_openai_error)

    @app.middleware("http")
    async def name_the_version(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        if HEADER_ERASER not in response.headers:
            served = serving.active_eraser.current_or_none()
            response.headers[HEADER_ERASER] = str(served.number) if served else "none"
        return response

    def client(request: Request) -> ApiKey:
        found = serving.who(bearer_token(request))
        require_role(found.roles, ("client", "admin"))
        return found

    Who = Annotated[ApiKey, Depends(client)]

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz")
    async def readyz() -> dict[str, Any]:
        """Needs no thread of the pool: those may all be waiting for the engine."""
        _, served = serving.ready()
        serving.check_progress()
        return {"status": "ready", "eraser": served.number}

    @app.get("/v1/models")
    def models(_: Who) -> dict[str, Any]:
        one = {"id": serving.model_id, "object": "model", "created": 0, "owned_by": "lacuna"}
        return {"object": "list", "data": [one]}

    @app.post("/v1/chat/completions", response_model=None)
    async def chat(body: ChatCompletionRequest, _: Who) -> Response:
        batcher, served = serving.ready()
        if body.model != serving.model_id:
            raise NotFound(f"There is no model {body.model}; this is {serving.model_id}.")
        prompt = await asyncio.to_thread(to_prompt, body)
        sampling = Sampling(body.most, body.temperature, body.seed, body.stops)
        head = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": serving.model_id,
            "system_fingerprint": served.fingerprint,
        }
        headers = {HEADER_ERASER: str(served.number)}
        if body.stream:
            pieces = batcher.stream(prompt, sampling, served)
            return StreamingResponse(_events(pieces, head), media_type="text/event-stream", headers=headers)
        answer = await asyncio.wrap_future(batcher.ask(prompt, sampling, served))
        return JSONResponse(_completion(head, answer), headers=headers)

    return app


def _completion(head: dict[str, Any], answer: "Answer") -> dict[str, Any]:
    """The answer's words and counts; which gate fired, and whether one did, is nobody's business."""
    made = len(answer.tokens)
    return head | {
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": answer.text},
                "finish_reason": answer.finish_reason,
            }
        ],
        "usage": {
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": made,
            "total_tokens": answer.prompt_tokens + made,
        },
    }


def _events(pieces: Iterator["str | Answer"], head: dict[str, Any]) -> Iterator[str]:
    """Server-sent events, as OpenAI sends them; an error after the first byte becomes an event of its own."""
    yield f"data: {json.dumps(chunk(head, {'role': 'assistant', 'content': ''}))}\n\n"
    begun = False
    try:
        for piece in pieces:
            if isinstance(piece, str):
                yield f"data: {json.dumps(chunk(head, {'content': piece if begun else piece.lstrip()}))}\n\n"
                begun = True
            else:
                yield f"data: {json.dumps(chunk(head, {}, piece.finish_reason))}\n\n"
    except LacunaError as exc:
        yield f"data: {json.dumps(exc.problem() | _openai_error(exc))}\n\n"
    yield "data: [DONE]\n\n"


def _openai_error(error: LacunaError) -> dict[str, Any]:
    """The member that OpenAI's clients read."""
    return {"error": {"message": error.detail, "type": error.code, "code": error.code, "param": None}}
