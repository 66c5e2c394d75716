"""A few threads that parse large bodies and decode pictures, which takes long and needs no model."""

import asyncio
import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from shared.errors import NotReady

THREADS: Final = 2  # each may hold a picture of 16 megapixels, unpacked
MOST_WAITING: Final = 128
RETRY_AFTER_S: Final = 1

Value = TypeVar("Value")


class Workers:
    """Threads with a bounded queue. Belongs to one event loop."""

    def __init__(self, name: str = "worker", threads: int = THREADS, most_waiting: int = MOST_WAITING) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._places = threading.BoundedSemaphore(threads + most_waiting)

    async def run(self, function: Callable[..., Value], *arguments: Any) -> Value:
        """`function(*arguments)` in a thread. Raises NotReady where too many are waiting."""
        if not self._places.acquire(blocking=False):
            raise NotReady("Too many requests are waiting; try again in a moment.", retry_after_s=RETRY_AFTER_S)
        future = self._pool.submit(functools.partial(function, *arguments))
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Take no more work, and drop what waits."""
        self._pool.shutdown(wait=False, cancel_futures=True)
