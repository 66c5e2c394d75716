"""Injects pauses into a process of a chaos stack: wraps the functions of `steps.py` as their modules are imported.

A wrapped function behaves as before, unless the harness has put a file `armed/<step>` into the folder that CHAOS_FOLDER
names. The first process to arrive renames that file to `reached/<step>`, so that exactly one process takes the step,
once. It then waits until the harness removes the file, for two minutes at most. This module kills nothing.
It is loaded by `inject/sitecustomize.py`, which only the harness puts on the path: nothing in services or shared
imports it.
"""

import contextlib
import functools
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from benchmarks.chaos.steps import STEPS, Step
from benchmarks.chaos.stubs import STUBS

ARMED, REACHED = "armed", "reached"
MAX_PAUSE_S: Final = 120.0
_predecessor_called: set[str] = set()  # steps whose `follows` was called since they were last passed


def install(folder: Path) -> None:
    """Inject the steps into every module that is imported from now on."""
    sys.meta_path.insert(0, _InjectingFinder(folder))


def pause(folder: Path, step: Step) -> None:
    """Wait here if the harness armed this step and no other process has taken it."""
    armed, reached = folder / ARMED / step.name, folder / REACHED / step.name
    if not armed.exists():
        return
    with contextlib.suppress(FileNotFoundError):
        armed.rename(reached)
        until = time.monotonic() + MAX_PAUSE_S
        while reached.exists() and time.monotonic() < until:
            time.sleep(0.005)


def wrap(folder: Path, steps: Sequence[Step], followers: Sequence[Step], function: Callable[..., Any]) -> Any:
    """Wrap `function`: it pauses at `steps`, and its calls make the `followers` due."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        matching = [step for step in steps if _matches(step, args)]
        for step in matching:
            if step.place == "before" and _is_due(step):
                pause(folder, step)
        result = function(*args, **kwargs)
        _predecessor_called.update(step.name for step in followers)
        for step in matching:
            if step.place == "after" and _is_due(step):
                pause(folder, step)
        return result

    return wrapper


def _matches(step: Step, args: Sequence[Any]) -> bool:
    """Whether the call's arguments are those that the step asks for: an object key, a word."""
    words = [value for value in args if isinstance(value, str)]
    key_fits = not step.key or any(word.startswith(step.key) and not word.endswith(".key") for word in words)
    return key_fits and (not step.word or step.word in words)


def _is_due(step: Step) -> bool:
    """Whether the step may be taken now; a step with `follows` is due once after each call of that function."""
    if not step.follows:
        return True
    due = step.name in _predecessor_called
    _predecessor_called.discard(step.name)
    return due


def resolve(module: ModuleType, path: str) -> tuple[Any, str]:
    """Owner and attribute name of `path` (`Class.method` or `function`) in `module`; raises AttributeError."""
    *owners, name = path.split(".")
    owner: Any = module
    for attribute in owners:
        owner = getattr(owner, attribute)
    getattr(owner, name)
    return owner, name


def inject(module: ModuleType, folder: Path) -> None:
    """Wrap the functions of `module` that are in the table, and apply the module's stub, if there is one."""
    steps, followers = defaultdict[str, list[Step]](list), defaultdict[str, list[Step]](list)
    for step in STEPS:
        steps[step.target].append(step)
        if step.follows:
            followers[step.follows].append(step)
    for target in {*steps, *followers}:
        name, _, path = target.partition(":")
        if name == module.__name__:
            owner, attribute = resolve(module, path)
            setattr(owner, attribute, wrap(folder, steps[target], followers[target], getattr(owner, attribute)))
    if module.__name__ in STUBS:
        STUBS[module.__name__](module, folder)


class _InjectingFinder(importlib.abc.MetaPathFinder):
    """Finds modules as the other finders do, and calls `inject` when such a module has been executed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        targets = {target for step in STEPS for target in (step.target, step.follows) if target}
        self._pending = {target.partition(":")[0] for target in targets} | set(STUBS)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """See importlib."""
        if fullname not in self._pending:
            return None
        self._pending.discard(fullname)
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return None
        folder, execute = self._folder, spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            inject(module, folder)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
