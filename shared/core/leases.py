"""Keep a lease alive while long work runs: a thread calls a function every few seconds."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)


@contextmanager
def keep_alive(renew: Callable[[], None], every_s: float = 10.0) -> Iterator[None]:
    """Call `renew()` every `every_s` seconds until the block ends.

    A renewal that fails is only logged: the fenced write at the end of the work shows whether the lease was lost.
    """
    done = threading.Event()

    def run() -> None:
        while not done.wait(every_s):
            try:
                renew()
            except Exception as exc:  # noqa: BLE001 - an outage must not end the work; the lease decides
                logger.warning("a lease could not be renewed: %s", exc)

    thread = threading.Thread(target=run, name="lease renewal", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(timeout=every_s)
