"""The client of an OpenAI-compatible server: streamed chats, retries, time limits, and what the server can do.

Its key goes to that server alone, and no error repeats what the server said. Knows no eraser.
"""

import asyncio
import contextlib
import json
import logging
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final
from weakref import WeakKeyDictionary

import httpx

from shared.core.config import EngineSettings
from shared.errors import BadInput, LacunaError, NotReady, Unavailable
from shared.vlm.sampling import TokenLogprob

logger = logging.getLogger(__name__)
BACK_OFF_S: Final = 0.25  # before the second attempt; doubled for each further one
MOST_WAIT_S: Final = 10.0  # that a server may ask for between two attempts
RETRIED: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
MOST_BYTES: Final = 64 << 20  # of one answer
MOST_LINE: Final = 8 << 20  # bytes of one event
MOST_CONNECTIONS: Final = 512
LOGGED_EVERY_S: Final = 60.0


@dataclass(frozen=True)
class Delta:
    """A piece of an answer as it comes. `calls`: parts of tool calls as they were sent; `finish`: why it ended."""

    text: str = ""
    logprobs: tuple[TokenLogprob, ...] = ()
    calls: tuple[Mapping[str, Any], ...] = ()
    finish: str | None = None


@dataclass(frozen=True)
class Whole:
    """A whole answer."""

    text: str
    logprobs: tuple[TokenLogprob, ...] = ()
    finish: str = "stop"


@dataclass(frozen=True)
class Abilities:
    """What the server was found to do. `names`: the names of the model that its answers may bear; `context`: None where
    it does not say."""

    model: str
    names: frozenset[str]
    context: int | None = None
    pictures: bool = False
    logprobs: bool = False

    def __str__(self) -> str:
        told = "not said" if self.context is None else f"{self.context} tokens"
        yes = {True: "yes", False: "no"}
        return f"model {self.model}, context {told}, pictures {yes[self.pictures]}, logprobs {yes[self.logprobs]}"


@dataclass
class Upstream:
    """One server. Every event loop has connections of its own."""

    settings: EngineSettings
    model: str
    transport: httpx.AsyncBaseTransport | None = None
    abilities: Abilities | None = None
    _clients: "WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient]" = field(
        default_factory=WeakKeyDictionary
    )

    async def chat(self, body: Mapping[str, Any]) -> AsyncGenerator[Delta, None]:
        """The pieces of one answer; the last one says why it ended. Closing this ends the computing at the server.

        Tried again only while nothing was received. Raises BadInput where the server refuses the request, NotReady
        where it has no room, and Unavailable where it fails, is slow, or answers as another model.
        """
        until = time.monotonic() + self.settings.total_s
        async with self._opened({**body, "stream": True}, until) as response:
            finished = False
            async with aclosing(_events(response)) as events:
                async for event in events:
                    if time.monotonic() > until:
                        raise Unavailable("The engine took too long over its answer.")
                    for delta in self._deltas(event):
                        finished = finished or delta.finish is not None
                        yield delta
                    if finished:
                        return
            raise Unavailable("The engine broke off its answer.")

    async def whole(self, body: Mapping[str, Any]) -> Whole:
        """One answer without its pieces."""
        text, finish = "", "stop"
        logprobs: list[TokenLogprob] = []
        async with aclosing(self.chat(body)) as deltas:
            async for delta in deltas:
                text += delta.text
                logprobs += delta.logprobs
                finish = delta.finish or finish
        return Whole(text, tuple(logprobs), finish)

    @asynccontextmanager
    async def _opened(self, body: Mapping[str, Any], until: float) -> AsyncIterator[httpx.Response]:
        """The response to a chat whose status is 200."""
        for attempt in range(1, max(1, self.settings.attempts) + 1):
            request = self._client().build_request("POST", "chat/completions", json=body)
            last = attempt >= self.settings.attempts
            try:
                response = await self._client().send(request, stream=True)
            except httpx.ConnectError as exc:
                if last:
                    raise Unavailable("The engine cannot be reached.") from _without_request(exc)
                await _pause(attempt, None, until)
                continue
            except httpx.TransportError as exc:
                if last or isinstance(exc, httpx.ReadTimeout):
                    raise Unavailable("The engine does not answer.") from _without_request(exc)
                await _pause(attempt, None, until)
                continue
            try:
                if response.status_code == 200:
                    yield response
                    return
                if last or response.status_code not in RETRIED:
                    raise await _refusal(response)
            except httpx.ReadTimeout as exc:
                raise Unavailable("The engine stopped in the middle of its answer.") from _without_request(exc)
            except httpx.TransportError as exc:
                raise Unavailable("The engine broke off its answer.") from _without_request(exc)
            finally:
                await response.aclose()
            await _pause(attempt, response.headers.get("retry-after"), until)

    def _deltas(self, event: Any) -> list[Delta]:
        """What an event says; nothing where it has no choice (counts of tokens, keep-alives)."""
        if not isinstance(event, dict):
            raise Unavailable("The engine sent what is no answer.")
        if event.get("error"):
            raise Unavailable("The engine broke off its answer with an error.")
        if self.abilities is not None and event.get("model") not in self.abilities.names:
            logger.error("the engine answers as another model than %s", self.model)
            raise Unavailable("The engine answers as another model.")
        choices = event.get("choices") or ()
        if not all(isinstance(choice, dict) for choice in choices):
            raise Unavailable("The engine sent what is no answer.")
        return [_delta(choice) for choice in choices if not choice.get("index")]

    def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            settings = self.settings
            self._clients[loop] = httpx.AsyncClient(
                base_url=settings.url.rstrip("/") + "/",
                headers={"Authorization": f"Bearer {settings.key}"} if settings.key else {},
                timeout=httpx.Timeout(settings.read_s, connect=settings.connect_s),
                limits=httpx.Limits(max_connections=MOST_CONNECTIONS, max_keepalive_connections=64),
                transport=self.transport,
                trust_env=False,  # the key and the prompts pass through no proxy that the environment names
            )
        return self._clients[loop]

    async def find_abilities(self, picture: str | None, pause_s: float = 2.0) -> Abilities:
        """Ask the server what it can do, again and again until it can be reached; `picture`: a data URL to try.

        Raises BadInput where it does not serve the model or refuses the key.
        """
        logged = 0.0
        try:
            while True:
                try:
                    return await self._try_abilities(picture)
                except (Unavailable, NotReady) as exc:
                    if not logged or time.monotonic() - logged > LOGGED_EVERY_S:
                        logger.warning("the engine is waited for: %s", exc.detail)
                        logged = time.monotonic()
                    await asyncio.sleep(pause_s)
        finally:  # the loop may be one for this alone
            await self.let_go()

    async def _try_abilities(self, picture: str | None) -> Abilities:
        listed = await self._listed()
        if listed and self.model not in listed:
            raise BadInput(
                f"The engine serves {', '.join(sorted(listed)[:5])}, and not {self.model}: set LACUNA_ENGINE_MODEL."
            )
        hello = {"model": self.model, "messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 2}
        answered = await self._post(hello)
        name = answered.get("model")
        if not isinstance(name, str) or not _is_name_of(name, self.model):
            raise BadInput("The engine answers as another model than it was asked for: set LACUNA_ENGINE_MODEL.")
        found = Abilities(self.model, frozenset({name}), listed.get(self.model))
        with contextlib.suppress(LacunaError):
            choices = (await self._post(hello | {"logprobs": True, "top_logprobs": 1})).get("choices") or [{}]
            found = replace(found, logprobs=bool(_logprobs(choices[0].get("logprobs"))))
        if picture is not None:
            content = [{"type": "image_url", "image_url": {"url": picture}}, {"type": "text", "text": "Hello!"}]
            with contextlib.suppress(LacunaError):
                await self._post(hello | {"messages": [{"role": "user", "content": content}]})
                found = replace(found, pictures=True)
        self.abilities = found
        return found

    async def _listed(self) -> dict[str, int | None]:
        """The models that the server lists, with their contexts; none where it lists nothing."""
        try:
            response = await self._client().get("models")
            data = response.json().get("data") if response.status_code == 200 else None
            return {str(each["id"]): _positive(each.get("max_model_len")) for each in data or ()}
        except httpx.TransportError as exc:
            raise Unavailable("The engine cannot be reached.") from _without_request(exc)
        except (ValueError, LookupError, AttributeError, TypeError):
            return {}

    async def _post(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            response = await self._client().post("chat/completions", json={**body, "stream": False})
            if response.status_code != 200:
                raise await _refusal(response)
            answered = response.json()
        except httpx.TransportError as exc:
            raise Unavailable("The engine cannot be reached.") from _without_request(exc)
        except ValueError as exc:
            raise Unavailable("The engine sent what is no answer.") from exc
        return answered if isinstance(answered, dict) else {}

    async def let_go(self) -> None:
        """Close the connections of this event loop."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    def close(self) -> None:
        """Let go of all connections; from any thread."""
        for loop, client in list(self._clients.items()):
            if not loop.is_closed():
                with contextlib.suppress(RuntimeError):
                    asyncio.run_coroutine_threadsafe(client.aclose(), loop)
        self._clients.clear()


async def _events(response: httpx.Response) -> AsyncGenerator[Any, None]:
    """The data of a stream of server-sent events (WHATWG HTML, section 9.2), as JSON, until `[DONE]`."""
    pending, size = b"", 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        pending += chunk
        *lines, pending = pending.replace(b"\r\n", b"\n").split(b"\n")
        if size > MOST_BYTES or len(pending) > MOST_LINE:
            raise Unavailable("The engine sent more than an answer can be.")
        for line in lines:
            if not line.startswith(b"data:"):
                continue
            data = line.removeprefix(b"data:").strip()
            if data == b"[DONE]":
                return
            try:
                yield json.loads(data)
            except (ValueError, RecursionError) as exc:
                raise Unavailable("The engine sent what is no answer.") from exc


def _delta(choice: Any) -> Delta:
    try:
        delta, finish = choice.get("delta") or {}, choice.get("finish_reason")
        text, calls = delta.get("content") or "", delta.get("tool_calls") or ()
        if not isinstance(text, str) or not isinstance(finish, str | None):
            raise TypeError
        text = text.encode(errors="replace").decode()  # lone surrogates
        return Delta(text, _logprobs(choice.get("logprobs")), tuple(dict(call) for call in calls), finish)
    except (AttributeError, LookupError, TypeError, ValueError) as exc:
        raise Unavailable("The engine sent what is no answer.") from exc


def _logprobs(given: Any) -> tuple[TokenLogprob, ...]:
    content: Sequence[Any] = (given or {}).get("content") or ()
    return tuple(
        TokenLogprob(
            str(each["token"]),
            float(each["logprob"]),
            tuple((str(other["token"]), float(other["logprob"])) for other in each.get("top_logprobs") or ()),
        )
        for each in content
    )


async def _refusal(response: httpx.Response) -> LacunaError:
    """What a status other than 200 becomes; the server's own words are not repeated, since they may hold anything."""
    status = response.status_code
    logger.warning("the engine answered with status %d", status)
    if status in (400, 413, 422):
        return BadInput(
            "The engine does not accept the request: it is too long, or asks for what the engine cannot do."
        )
    if status in (401, 403):
        return Unavailable("The engine refuses the gateway's key: check LACUNA_ENGINE_KEY.")
    if status in (429, 503):
        wait_s = _seconds(response.headers.get("retry-after"))
        return NotReady("The engine has no room for more requests.", retry_after_s=max(1, round(wait_s or 1)))
    return Unavailable("The engine failed.")


async def _pause(attempt: int, retry_after: str | None, until: float) -> None:
    """Wait before the next attempt, as long as the server asks for or longer each time, with a random part."""
    pause_s = _seconds(retry_after) or BACK_OFF_S * 2 ** (attempt - 1) * (1 + random.random())
    if pause_s > MOST_WAIT_S or time.monotonic() + pause_s > until:
        raise NotReady("The engine has no room for more requests.", retry_after_s=max(1, round(pause_s)))
    await asyncio.sleep(pause_s)


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if 0 < seconds < float("inf") else None


def _positive(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def _is_name_of(name: str, model: str) -> bool:
    """Whether a server may call the model `model` so in its answers: `transformers serve` adds the revision."""
    return name == model or name.startswith(f"{model}@")


def _without_request(exc: Exception) -> Exception:
    """The same kind of error without the request, whose headers hold the key."""
    return RuntimeError(f"{type(exc).__name__}")
