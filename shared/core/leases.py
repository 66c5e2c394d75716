"""Keeps a lease alive while long work runs: calls a function every few seconds from a thread of its own.

Knows nothing of what a lease is. A beat that fails is kept and told at the end by the work's own fenced write.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)


@contextmanager
def keep_alive(beat: Callable[[], None], every_s: float = 10.0) -> Iterator[None]:
    """Call `beat()` every `every_s` seconds until the block ends."""
    done = threading.Event()

    def run() -> None:
        while not done.wait(every_s):
            try:
                beat()
            except Exception as exc:  # noqa: BLE001 - an outage must not end the work; the lease decides
                logger.warning("a heartbeat failed: %s", exc)

    thread = threading.Thread(target=run, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(timeout=every_s)
