"""The stack over a kept folder, which several files use one after the other.

They run in one process (`KEPT_STACK` in tests/conftest.py).
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.kept_stack import Stack, lacuna_up, restore


class KeptStacks:
    """Starts the stack that is asked for, unless it runs already; one runs at a time."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._kept: Path | None = None
        self._stack: Stack | None = None
        self._running = ExitStack()

    def running(self, kept: Path) -> Stack:
        """The stack over the data of `kept`, with what tests have done to it so far. It serves a version."""
        if self._stack is None or self._kept != kept:
            self.stop()
            data = self._factory.mktemp("kept") / "data"
            restore(kept, data)
            stack = self._running.enter_context(lacuna_up(data, {"LACUNA_WEBHOOK_ALLOW_LOOPBACK": "true"}))
            stack.wait_until_served(400)
            self._kept, self._stack = kept, stack
        return self._stack

    def stop(self) -> None:
        """Stop what runs."""
        self._kept = self._stack = None
        self._running.close()


@pytest.fixture(scope="session")
def kept_stacks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeptStacks]:
    """Running stacks over kept folders."""
    stacks = KeptStacks(tmp_path_factory)
    yield stacks
    stacks.stop()
