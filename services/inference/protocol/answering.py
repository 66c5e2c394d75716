"""Asks the engine for one or several answers at once, and stops it when the client leaves."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from jinja2 import TemplateError

from services.inference.active_eraser import Served
from services.inference.engines.base import AnswerEngine
from services.inference.protocol.errors import ClientLeft
from shared.domain.prompts import Prompt
from shared.errors import BadInput
from shared.vlm.generation import Answer
from shared.vlm.sampling import Sampling

Asked = tuple[Prompt, Sampling]
Piece = tuple[int, str | Answer]
Value = TypeVar("Value")


async def pieces(engine: AnswerEngine, served: Served, asked: Sequence[Asked]) -> AsyncGenerator[Piece, None]:
    """The pieces of all answers as they come, each with the index of its answer; each answer ends with its Answer.

    The engine is read no faster than the caller reads. Closing this closes what is under way.
    """
    sources = [engine.stream(prompt, sampling, served) for prompt, sampling in asked]
    if len(sources) == 1:
        async with aclosing(sources[0]) as source:
            async for piece in source:
                yield 0, piece
        return
    queue: asyncio.Queue[tuple[int, str | Answer | Exception]] = asyncio.Queue(maxsize=1)
    pumps = [asyncio.ensure_future(_pump(index, source, queue)) for index, source in enumerate(sources)]
    try:
        open_answers = len(sources)
        while open_answers:
            index, item = await queue.get()
            if isinstance(item, Exception):
                raise item
            open_answers -= isinstance(item, Answer)
            yield index, item
    finally:
        await cancelled(*pumps)


async def _pump(
    index: int,
    source: AsyncGenerator[str | Answer, None],
    queue: asyncio.Queue[tuple[int, str | Answer | Exception]],
) -> None:
    async with aclosing(source):
        try:
            async for piece in source:
                await queue.put((index, piece))
        except Exception as exc:  # noqa: BLE001 (raised by whoever reads the queue)
            await queue.put((index, exc))


async def begun(source: AsyncGenerator[Piece, None]) -> AsyncGenerator[Piece, None]:
    """`source`, whose first piece is there: what keeps it from answering is raised now, before a status is sent."""
    try:
        first = await anext(source)
    except TemplateError as exc:
        raise _refused_by_template(exc) from exc

    async def all_pieces() -> AsyncGenerator[Piece, None]:
        async with aclosing(source):
            yield first
            async for piece in source:
                yield piece

    return all_pieces()


async def whole(source: AsyncGenerator[Piece, None]) -> list[Answer]:
    """All answers, in order."""
    answers = {}
    async with aclosing(source):
        try:
            async for index, piece in source:
                if isinstance(piece, Answer):
                    answers[index] = piece
        except TemplateError as exc:
            raise _refused_by_template(exc) from exc
    return [answers[index] for index in sorted(answers)]


async def while_connected(receive: Any, work: Coroutine[Any, Any, Value]) -> Value:
    """The result of `work`, which is cancelled when the client leaves. Raises ClientLeft. The body has been read."""
    task, leaving = asyncio.ensure_future(work), asyncio.ensure_future(left(receive))
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientLeft("The client closed the connection before its answer was ready.")
        return task.result()
    finally:
        await cancelled(task, leaving)


async def left(receive: Any) -> None:
    """Return when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def cancelled(*tasks: "asyncio.Future[Any]") -> None:
    """Cancel tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task


def _refused_by_template(exc: TemplateError) -> BadInput:
    return BadInput(f"The chat template of the model refuses these messages: {exc}", param="messages")
