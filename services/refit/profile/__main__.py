"""`python -m services.refit.profile SOURCE`: makes the profile of a model; `lacuna model profile` runs it.

Prints progress on standard error, and the folder of the finished profile on standard output. Ctrl-C stops it at any
moment: what it needs for its work is imported when that can be said in a sentence.
"""

import argparse
import atexit
import logging
import signal
import threading
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from shared.core.exits import end_process
from shared.core.logging import LogStyle, configure_logging
from shared.errors import LacunaError

INTERRUPTED: Final = 130  # exit code of a command that SIGINT has ended
STOPPED: Final = "Stopped. The finished steps are kept: the same command goes on after them."
PATIENCE_S: Final = 3.0  # after which an interrupt that a library has swallowed, or not reached yet, ends the process


def main() -> None:
    """The command."""
    console = Console(stderr=True, highlight=False)
    parser = argparse.ArgumentParser(description="Make the profile of a model.")
    parser.add_argument("source", help="a folder or the id of a model on the hub")
    parser.add_argument("--out", type=Path, required=True, help="the folder of profiles")
    parser.add_argument("--again", action="store_true", help="do not use what an earlier run has measured")
    given = parser.parse_args()
    configure_logging(logging.WARNING, LogStyle())
    try:
        stop_on_signals(console)
        from services.refit.profile.command import profile  # noqa: PLC0415 - takes seconds, as it needs torch

        print(profile(given.source, given.out, console, again=given.again))
    except LacunaError as exc:
        console.print(exc.detail, markup=False, soft_wrap=True)
        raise SystemExit(1) from exc
    except OSError as exc:
        console.print(
            f"The profile cannot be kept in {given.out} ({exc.strerror or exc}): make room there, or name another "
            "folder with --data. The finished steps are kept.",
            markup=False,
            soft_wrap=True,
        )
        raise SystemExit(1) from exc
    except KeyboardInterrupt as exc:
        console.print(STOPPED)
        raise SystemExit(INTERRUPTED) from exc


def stop_on_signals(console: Console) -> None:
    """Make the first SIGINT or SIGTERM a KeyboardInterrupt, and ignore the next: a terminal and a parent both send one.

    Whoever started this process may have blocked them until now.
    """
    numbers = (signal.SIGINT, signal.SIGTERM)

    def end() -> None:
        console.print(STOPPED)
        end_process(INTERRUPTED)

    def interrupt(*_: Any) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        # Else Python kills itself with SIGINT at its end where the interrupt came while a string was executed, as in
        # the definition of a dataclass, although it was caught.
        atexit.register(end_process, INTERRUPTED)
        timer = threading.Timer(PATIENCE_S, end)
        timer.daemon = True
        timer.start()
        raise KeyboardInterrupt

    for number in numbers:
        signal.signal(number, interrupt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


if __name__ == "__main__":
    main()
