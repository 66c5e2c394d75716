"""The clients of the soak test by kind: honest ones, which must be answered, and hostile ones, which do as they like.

An honest client does what the documentation says: it comes again after a 503 or a 429 when `Retry-After` is over.
"""

import asyncio
import base64
import contextlib
import io
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from PIL import Image

PATIENCE_S: Final = 300.0  # of an honest client; a busy machine is slow
TRIES: Final = 20
BIG: Final = 4 * 1024 * 1024
QUESTIONS: Final = ("Where does {} work?", "In which city does {} live?", "Tell me something about {}.")
Honest = Callable[["Asking", httpx.AsyncClient, random.Random], Awaitable[tuple[str, int]]]
Hostile = Callable[["Asking", httpx.AsyncClient, random.Random], Awaitable[str]]
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Asking:
    """Whom to ask, with which key, and about whom."""

    url: str
    key: str
    model_id: str
    names: Sequence[str]

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client that keeps its connection."""
        head = {"Authorization": f"Bearer {self.key}"}
        async with httpx.AsyncClient(base_url=self.url, headers=head, timeout=PATIENCE_S, trust_env=False) as client:
            yield client

    @contextlib.asynccontextmanager
    async def raw(self) -> AsyncIterator[Connection]:
        """A bare connection, which is closed without a word."""
        where = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    def question(self, draw: random.Random) -> str:
        """About one of the people."""
        return draw.choice(QUESTIONS).format(draw.choice(self.names))

    def chat(self, draw: random.Random, content: Any = None, **members: Any) -> dict[str, Any]:
        """The body of a chat."""
        message = {"role": "user", "content": content or self.question(draw)}
        return {"model": self.model_id, "messages": [message], "max_tokens": 16} | members

    def bytes_of(self, body: Mapping[str, Any], key: str | None = None) -> bytes:
        """A chat as it goes over the wire."""
        sent = json.dumps(body).encode()
        return (
            "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(sent)}\r\nAuthorization: Bearer {key or self.key}\r\n\r\n"
        ).encode() + sent


def picture(size: int, color: tuple[int, int, int], kind: str = "PNG") -> str:
    """A data URL."""
    buffer = io.BytesIO()
    Image.new("RGB", (size, size), color).save(buffer, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def showing(url: str, text: str = "What does this picture show?") -> list[dict[str, Any]]:
    """The content of a message with a picture."""
    return [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": text}]


async def _patiently(http: httpx.AsyncClient, path: str, body: Mapping[str, Any]) -> tuple[httpx.Response, int]:
    """The answer, and how often the client had to come again."""
    for again in range(TRIES):
        try:
            answer = await http.post(path, json=body)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            if again:  # a kept connection may have been closed just now; a new one may not
                raise
            continue
        if answer.status_code not in (httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.TOO_MANY_REQUESTS):
            return answer, again
        await asyncio.sleep(float(answer.headers.get("Retry-After", 1)))
    return answer, TRIES


async def _chat(asking: Asking, http: httpx.AsyncClient, draw: random.Random) -> tuple[str, int]:
    answer, again = await _patiently(http, "/v1/chat/completions", asking.chat(draw))
    if answer.is_success and answer.json()["choices"][0]["message"]["content"]:
        return "answered", again
    return f"{answer.status_code} {answer.text}", again


async def _picture(asking: Asking, http: httpx.AsyncClient, draw: random.Random) -> tuple[str, int]:
    url = picture(draw.choice([32, 200, 700]), (draw.randrange(256), 90, 90), draw.choice(["PNG", "JPEG", "WEBP"]))
    answer, again = await _patiently(http, "/v1/chat/completions", asking.chat(draw, showing(url)))
    if answer.is_success and "content" in answer.json()["choices"][0]["message"]:
        return "answered", again
    return f"{answer.status_code} {answer.text}", again


async def _stream(asking: Asking, http: httpx.AsyncClient, draw: random.Random) -> tuple[str, int]:
    body = asking.chat(draw, stream=True, stream_options={"include_usage": True})
    answer, again = await _patiently(http, "/v1/chat/completions", body)
    lines = [line for line in answer.text.splitlines() if line]
    if answer.is_success and lines[-1] == "data: [DONE]" and '"error"' not in answer.text:
        return "answered", again
    return f"{answer.status_code} {answer.text[-200:]}", again


async def _completion(asking: Asking, http: httpx.AsyncClient, draw: random.Random) -> tuple[str, int]:
    body = {"model": asking.model_id, "prompt": [asking.question(draw), "Hello!"], "max_tokens": 8}
    answer, again = await _patiently(http, "/v1/completions", body)
    if answer.is_success and len(answer.json()["choices"]) == 2:
        return "answered", again
    return f"{answer.status_code} {answer.text}", again


async def _refused(http: httpx.AsyncClient, body: Any, wanted: int) -> str:
    """Send what has to be refused with this status."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = await http.post("/v1/chat/completions", content=sent, headers={"Content-Type": "application/json"})
    return "refused" if answer.status_code == wanted else f"status {answer.status_code}"


async def _no_key(asking: Asking, _: httpx.AsyncClient, draw: random.Random) -> str:
    async with asking.raw() as (reader, writer):
        writer.write(asking.bytes_of(asking.chat(draw), f"lk_{draw.randrange(10**6)}"))
        received = await asyncio.wait_for(reader.read(12), PATIENCE_S)
        return received[-3:].decode(errors="replace") or "cut"


async def _big_body_without_key(asking: Asking, _: httpx.AsyncClient, draw: random.Random) -> str:
    async with asking.raw() as (reader, writer):
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: {15 * BIG}\r\n\r\n"
        writer.write(head.encode() + b'{"messages":[')
        with contextlib.suppress(ConnectionError):
            for _piece in range(draw.randint(1, 8)):
                writer.write(b"[]," * 100_000)
                await writer.drain()
            return (await asyncio.wait_for(reader.read(12), PATIENCE_S))[-3:].decode(errors="replace") or "cut"
        return "cut"


async def _half_a_body(asking: Asking, _: httpx.AsyncClient, draw: random.Random) -> str:
    async with asking.raw() as (_reader, writer):
        sent = asking.bytes_of(asking.chat(draw, "x" * draw.randint(10, 100_000)))
        writer.write(sent[: draw.randrange(1, len(sent))])
        await writer.drain()
        await asyncio.sleep(draw.choice([0.0, 1.0, 25.0]))  # a body has 20 s
    return "left"


async def _garbage(asking: Asking, _: httpx.AsyncClient, draw: random.Random) -> str:
    async with asking.raw() as (reader, writer):
        writer.write(draw.randbytes(draw.randint(1, 5000)) + b"\r\n\r\n")
        received = await asyncio.wait_for(reader.read(12), PATIENCE_S)
        return received[-3:].decode(errors="replace") or "cut"


async def _endless_head(asking: Asking, _: httpx.AsyncClient, __: random.Random) -> str:
    async with asking.raw() as (reader, writer):
        writer.write(b"GET /v1/models HTTP/1.1\r\nX: ")
        with contextlib.suppress(ConnectionError):
            for _piece in range(40):
                writer.write(b"a" * 4096)
                await writer.drain()
            await asyncio.wait_for(reader.read(), PATIENCE_S)
    return "cut"


async def _silent(asking: Asking, _: httpx.AsyncClient, draw: random.Random) -> str:
    async with asking.raw() as (reader, _writer):
        with contextlib.suppress(TimeoutError, ConnectionError):
            await asyncio.wait_for(reader.read(), draw.choice([1.0, 15.0]))  # it is cut after 10 s
    return "left or cut"


async def _never_reads(asking: Asking, _: httpx.AsyncClient, draw: random.Random) -> str:
    async with asking.raw() as (_reader, writer):
        writer.write(asking.bytes_of(asking.chat(draw, stream=True)) * draw.randint(1, 4))
        await asyncio.sleep(draw.choice([0.1, 5.0, 35.0]))
    return "left"


async def _leaves_in_the_middle(asking: Asking, _: httpx.AsyncClient, draw: random.Random) -> str:
    async with asking.raw() as (reader, writer):
        writer.write(asking.bytes_of(asking.chat(draw, stream=True, n=draw.randint(1, 4))))
        await asyncio.wait_for(reader.read(draw.randint(1, 2000)), PATIENCE_S)
    return "left"


async def _damaged_picture(asking: Asking, http: httpx.AsyncClient, draw: random.Random) -> str:
    kind = draw.choice(["PNG", "JPEG", "WEBP", "GIF"])
    head, _, encoded = picture(300, (9, 9, 9), kind).partition(",")
    data = bytearray(base64.b64decode(encoded))
    del data[draw.randrange(40, len(data)) :]
    url = f"{head},{base64.b64encode(bytes(data)).decode()}"
    answer = await http.post("/v1/chat/completions", json=asking.chat(draw, showing(url)))
    return str(answer.status_code)


async def _enormous_picture(asking: Asking, http: httpx.AsyncClient, draw: random.Random) -> str:
    """225 megapixels of one bit, or 2 billion that a file of a few bytes claims."""
    return await _refused(http, asking.chat(draw, showing(draw.choice(ENORMOUS))), httpx.codes.REQUEST_ENTITY_TOO_LARGE)


async def _malformed(asking: Asking, http: httpx.AsyncClient, draw: random.Random) -> str:
    body: Any = draw.choice([
        b"[" * 100_000, b"{", b"\xff\xfe", b"null", b'{"model": 1e999}',
        asking.chat(draw, n=65), asking.chat(draw, max_tokens=-1), asking.chat(draw, temperature="hot"),
        asking.chat(draw, stop=["x"] * 17), asking.chat(draw, top_logprobs=99, logprobs=True),
        {"model": asking.model_id, "messages": [{"role": "user", "content": "x"}] * 1001},
        asking.chat(draw, "word " * 100_000), asking.chat(draw, showing("file:///etc/passwd")),
        asking.chat(draw, "x" * 2_000_000),
    ])  # fmt: skip
    return await _refused(http, body, httpx.codes.BAD_REQUEST)


def _enormous() -> tuple[str, ...]:
    buffer = io.BytesIO()
    Image.new("1", (15_000, 15_000)).save(buffer, "PNG")
    return (f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}",)


ENORMOUS: Final = _enormous()
HONEST: Final[Mapping[str, Honest]] = {
    "chat": _chat,
    "picture": _picture,
    "stream": _stream,
    "completion": _completion,
}
HOSTILE: Final[Mapping[str, Hostile]] = {
    "wrong key": _no_key,
    "big body without key": _big_body_without_key,
    "half a body": _half_a_body,
    "garbage": _garbage,
    "endless head": _endless_head,
    "silent": _silent,
    "never reads": _never_reads,
    "leaves in the middle": _leaves_in_the_middle,
    "damaged picture": _damaged_picture,
    "enormous picture": _enormous_picture,
    "malformed": _malformed,
}
