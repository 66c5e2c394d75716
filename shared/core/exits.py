"""How a process ends that cannot do its work, so that whoever started it knows whether to start it again."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from shared.errors import BadInput, LacunaError

logger = logging.getLogger(__name__)
NO_RESTART: Final = 78  # EX_CONFIG of sysexits.h: something is configured so that it cannot work
FAILED: Final = 1


@contextmanager
def ends_the_process(what: str) -> Iterator[None]:
    """An error in the block ends the whole process at once, from whatever thread; `what` begins the log line.

    The exit status is NO_RESTART for BadInput (a setting or a model that no restart repairs), else 1. The process ends
    without clean-up: Celery and web servers would catch SystemExit, and go on or hide the status.
    """
    try:
        yield
    except BadInput as exc:
        logger.error("%s; no restart repairs this: %s", what, exc.detail)
        end_process(NO_RESTART)
    except LacunaError as exc:
        logger.error("%s: %s", what, exc.detail)
        end_process(FAILED)
    except Exception:
        logger.exception("%s", what)
        end_process(FAILED)


def end_process(status: int) -> None:
    """End the whole process at once, from whatever thread; the log is written first."""
    logging.shutdown()
    os._exit(status)
