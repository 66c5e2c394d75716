"""How a child process is run."""

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Command:
    """How to run a child.

    `ready` is asked until it is true, for `patience_s` at most. An `unprivileged` child does not run as root. A
    `backend` is stopped after all other children, because they use it.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    ready: Callable[[], bool] | None = None
    cwd: Path | None = None
    unprivileged: bool = False
    backend: bool = False
    stop_signal: signal.Signals = signal.SIGTERM
    patience_s: float = 30.0
