"""Parts of a page that the server sends whenever they change (server-sent events, WHATWG HTML, section 9.2).

A stream costs a connection and one look a second at most, which all streams of a tenant share. It ends when the service
shuts down, after LONGEST_S, and when its reader's session does: the session is looked at before anything is sent. The
browser then connects again by itself. Whoever gets no stream asks for the part every few seconds instead.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Hashable
from dataclasses import dataclass, field
from typing import Final

from fastapi.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from shared.core.connections import closing_of
from shared.errors import LacunaError, NotReady, TooManyRequests

MOST_STREAMS: Final = 64  # of a process
MOST_OF_PERSON: Final = 6  # tabs of one person: a browser opens no more connections to a host
LOOK_S: Final = 1.0
CHECK_S: Final = 10.0  # the session is looked at, and proxies see that the connection is alive
LONGEST_S: Final = 600.0
RETRY_MS: Final = 3000  # after which a browser connects again
HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # the latter for nginx, which would wait


@dataclass
class Streams:
    """The streams that are open in this process, and what was seen last of each subject that they are about."""

    most: int = MOST_STREAMS
    most_of_person: int = MOST_OF_PERSON
    _open: Counter[str] = field(default_factory=Counter)
    _seen: dict[Hashable, tuple[float, Hashable]] = field(default_factory=dict)
    _looking: dict[Hashable, asyncio.Lock] = field(default_factory=dict)

    @property
    def open(self) -> int:
        """How many there are."""
        return self._open.total()

    def take(self, person: str) -> None:
        """Count one more stream. Raises NotReady where the process, TooManyRequests where the person has enough."""
        if self.open >= self.most:
            raise NotReady("Too many pages are followed at this moment. This one asks again every few seconds.")
        if self._open[person] >= self.most_of_person:
            raise TooManyRequests(f"{person} follows {self.most_of_person} pages already.")
        self._open[person] += 1

    def give_back(self, person: str) -> None:
        """The stream has ended."""
        self._open[person] -= 1
        if not self._open[person]:
            del self._open[person]

    async def look(self, subject: Hashable, read: Callable[[], Hashable]) -> Hashable:
        """What `read` says of the subject, at most LOOK_S ago: all streams about it share one look."""
        async with self._looking.setdefault(subject, asyncio.Lock()):
            now = asyncio.get_running_loop().time()
            at, seen = self._seen.get(subject, (-LOOK_S, None))
            if now - at >= LOOK_S:
                seen = await run_in_threadpool(read)
                self._seen[subject] = (asyncio.get_running_loop().time(), seen)
            return seen


@dataclass(frozen=True)
class Part:
    """What is sent: `read` says cheaply whether `subject` has changed, `render` makes the text for its reader.

    `render` raises a LacunaError where the reader may not see it any more.
    """

    person: str
    subject: Hashable
    read: Callable[[], Hashable]
    render: Callable[[], str]


class StreamResponse(StreamingResponse):
    """A stream of `part`, which was taken from `streams` and is given back at the end, whatever ends it."""

    def __init__(self, streams: Streams, part: Part, closing: asyncio.Event) -> None:
        super().__init__(_events(streams, part, closing), media_type="text/event-stream", headers=HEADERS)
        self._streams, self._person = streams, part.person

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the stream ends or the reader leaves."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.give_back(self._person)


def open_stream(scope: Scope, streams: Streams, part: Part) -> StreamResponse:
    """A stream of `part`. Raises what `Streams.take` raises."""
    streams.take(part.person)
    return StreamResponse(streams, part, closing_of(scope))


async def _events(streams: Streams, part: Part, closing: asyncio.Event) -> AsyncIterator[str]:
    clock = asyncio.get_running_loop().time
    ends, checked, state, shown = clock() + LONGEST_S, -CHECK_S, None, None
    yield f"retry: {RETRY_MS}\n\n"
    while not closing.is_set() and clock() < ends:
        try:
            now_state = await streams.look(part.subject, part.read)
            if now_state != state or clock() - checked >= CHECK_S:
                text = await run_in_threadpool(part.render)
                state, checked = now_state, clock()
                yield _event(text) if text != shown else ": nothing new\n\n"
                shown = text
        except LacunaError:
            return  # the session is over, or the database is away: the browser connects again, or is refused
        try:
            await asyncio.wait_for(closing.wait(), LOOK_S)
        except TimeoutError:
            continue


def _event(text: str) -> str:
    return "".join(f"data: {line}\n" for line in text.splitlines()) + "\n"
