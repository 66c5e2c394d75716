"""Sends server-sent events: the source is closed however the stream ends, and a client that does not read loses it."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.inference.protocol.answering import cancelled, left
from services.inference.protocol.errors import problem_with_error
from shared.errors import LacunaError, NotReady

logger = logging.getLogger(__name__)
SEND_S: Final = 30.0  # in which a client has to read what is waiting for it
LAST_EVENT: Final = "data: [DONE]\n\n"


def event(body: Mapping[str, Any]) -> str:
    """One server-sent event."""
    return f"data: {json.dumps(body)}\n\n"


def shutting_down() -> str:
    """The last events of a stream that the service ends."""
    return event(problem_with_error(NotReady("The service is shutting down."))) + LAST_EVENT


def error_event(error: LacunaError) -> str:
    """An error after the first byte."""
    return event(problem_with_error(error))


async def guarded(
    events: AsyncGenerator[str, None], last: str = "", render: Callable[[LacunaError], str] = error_event
) -> AsyncGenerator[str, None]:
    """`events` and then `last`; an error after the first byte becomes an event of its own."""
    async with aclosing(events):
        try:
            async for each in events:
                yield each
        except LacunaError as exc:
            yield render(exc)
        except Exception:
            logger.exception("a stream broke off")
            yield render(LacunaError("Something went wrong on the server. Its log has the details."))
    if last:
        yield last


class EventStream(Response):
    """A streamed answer. `goodbye` is sent where the service ends before the stream does."""

    media_type = "text/event-stream"

    def __init__(
        self,
        events: AsyncGenerator[str, None],
        headers: Mapping[str, str],
        goodbye: Callable[[], str],
        send_s: float = SEND_S,
    ) -> None:
        super().__init__(None, headers=dict(headers))
        del self.headers["content-length"]
        self.headers["cache-control"] = "no-store"
        self.events, self.goodbye, self.send_s = events, goodbye, send_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending, leaving = asyncio.ensure_future(self._send_all(send)), asyncio.ensure_future(left(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        except asyncio.CancelledError:  # the time for a graceful shutdown is over
            await cancelled(sending)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await send({"type": "http.response.body", "body": self.goodbye().encode(), "more_body": False})
            raise
        finally:
            await cancelled(sending, leaving)

    async def _send_all(self, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for event in self.events:
                async with asyncio.timeout(self.send_s):
                    await send({"type": "http.response.body", "body": event.encode(), "more_body": True})
            async with asyncio.timeout(self.send_s):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            logger.warning("a client did not read its stream for %.0f s: the stream is ended", self.send_s)
        finally:
            await self.events.aclose()
