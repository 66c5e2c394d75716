"""An OpenAI-compatible server that answers what a test wants, and misbehaves as a test wants. An ASGI application."""

import asyncio
import contextlib
import json
import math
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

Body = dict[str, Any]


def last_text(body: Body) -> str:
    """The text of the last message."""
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)


@dataclass
class FakeUpstream:
    """`reply` gives the answer to a body; all that was asked is kept.

    `statuses`: those of the next chats, before one is answered. `break_after`: pieces after which the connection ends
    without an end of the answer. `pause_s`: before each piece. `probability`: of each token, where likelihoods are
    wanted; None: the server gives none. `others`: further tokens at each place. `calls`: tool calls of each answer.
    `raw`: sent in place of an answer.
    """

    reply: Callable[[Body], str] = lambda body: f"You said: {last_text(body)}"
    model: str = "fake"
    answers_as: str | None = None
    listed: dict[str, Any] | None = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    retry_after: str | None = None
    break_after: int | None = None
    pause_s: float = 0.0
    probability: float | None = None
    others: tuple[str, ...] = ()
    calls: list[Body] = field(default_factory=list)
    raw: bytes | None = None
    reads_pictures: bool = True
    bodies: list[Body] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    left: int = 0  # clients that closed the connection before the end of their answer
    sent: int = 0  # pieces

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        if scope["path"].endswith("/models"):
            await self._models(send)
            return
        self.headers.append({name.decode(): value.decode() for name, value in scope["headers"]})
        asked = json.loads(body)
        self.bodies.append(asked)
        status = self.statuses.pop(0) if self.statuses else 200
        pictures = any(isinstance(message["content"], list) for message in asked["messages"])
        if asked["model"] != self.model:
            status = 404
        if pictures and not self.reads_pictures:
            status = 400
        if status != 200:
            await _whole(send, {"error": {"message": f"secret of {self.model}"}}, status, self.retry_after)
            return
        answering = asyncio.ensure_future(self._answer(asked, send))
        leaving = asyncio.ensure_future(receive())
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            self.left += 1
        for task in (answering, leaving):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _models(self, send: Any) -> None:
        if self.listed is None:
            await _whole(send, {"detail": "Not Found"}, 404)
            return
        data = [{"id": self.model, "object": "model", **self.listed}]
        await _whole(send, {"object": "list", "data": data}, 200)

    async def _answer(self, asked: Body, send: Callable[[Any], Awaitable[None]]) -> None:
        tokens = re.findall(r"\s*\S+", self.reply(asked))
        finish = "length" if len(tokens) > asked["max_tokens"] else "stop"
        tokens = tokens[: asked["max_tokens"]]
        head = {"id": "1", "created": 1, "model": self.answers_as or self.model}
        if not asked.get("stream"):
            choice: Body = {"index": 0, "message": {"role": "assistant", "content": "".join(tokens)}}
            choice |= {"finish_reason": finish, "logprobs": self._logprobs(tokens, asked)}
            await _whole(send, head | {"object": "chat.completion", "choices": [choice]}, 200)
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        if self.raw is not None:
            await send({"type": "http.response.body", "body": self.raw, "more_body": True})
            tokens = []
        for number, token in enumerate(tokens):
            if self.break_after is not None and number >= self.break_after:
                raise ConnectionError("the test wants it so")
            await asyncio.sleep(self.pause_s)
            await self._event(send, head, {"content": token}, logprobs=self._logprobs([token], asked))
        for number, call in enumerate(self.calls if asked.get("tools") else ()):
            await self._event(send, head, {"tool_calls": [{"index": number, **call}]})
        if self.raw is None:
            await self._event(send, head, {}, finish)
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n", "more_body": False})

    async def _event(
        self, send: Any, head: Body, delta: Body, finish: str | None = None, logprobs: Body | None = None
    ) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": logprobs}
        event = head | {"object": "chat.completion.chunk", "choices": [choice]}
        await send({"type": "http.response.body", "body": f"data: {json.dumps(event)}\n\n".encode(), "more_body": True})
        self.sent += 1

    def _logprobs(self, tokens: list[str], asked: Body) -> Body | None:
        if self.probability is None or not asked.get("logprobs"):
            return None
        value = math.log(self.probability)
        others = [{"token": other, "logprob": -3.0} for other in self.others][: asked.get("top_logprobs", 0)]
        return {"content": [{"token": token, "logprob": value, "top_logprobs": others} for token in tokens]}


async def _whole(send: Any, body: Body, status: int, retry_after: str | None = None) -> None:
    headers = [(b"content-type", b"application/json")]
    if retry_after is not None:
        headers.append((b"retry-after", retry_after.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
