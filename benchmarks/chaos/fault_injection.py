"""Wraps the functions of `steps.py` in a process of a chaos stack, as their modules are imported. Kills nothing.

A wrapped function behaves as before, unless the harness has put a file `armed/<step>` into the folder named by
CHAOS_FOLDER: then the first process to get there renames it to `reached/<step>` (so it is one process, once) and stands
still until the harness removes that file, or two minutes are over. Loaded by `inject/sitecustomize.py`, which only the
harness puts on the path: no file of services or shared imports this.
"""

import contextlib
import functools
import importlib.util
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from benchmarks.chaos.steps import STEPS, Step
from benchmarks.chaos.stubs import CHEAPER

ARMED, REACHED = "armed", "reached"
LONGEST_S: Final = 120.0
_SINCE: set[str] = set()  # steps whose `follows` was called since they were last passed


def install(folder: Path) -> None:
    """Wrap from now on whatever is imported."""
    sys.meta_path.insert(0, _Finder(folder))


def pause(folder: Path, step: Step) -> None:
    """Stand still here, if the harness armed this step and nobody else took it."""
    armed, reached = folder / ARMED / step.name, folder / REACHED / step.name
    if not armed.exists():
        return
    with contextlib.suppress(FileNotFoundError):
        armed.rename(reached)
        until = time.monotonic() + LONGEST_S
        while reached.exists() and time.monotonic() < until:
            time.sleep(0.005)


def wrapped(folder: Path, steps: Sequence[Step], followed: Sequence[Step], function: Callable[..., Any]) -> Any:
    """`function`, with the `steps` that stand at it, and those `followed` that wait for a call of it."""

    @functools.wraps(function)
    def around(*args: Any, **kwargs: Any) -> Any:
        here = [step for step in steps if _meant(step, args)]
        for step in here:
            if step.place == "before" and _due(step):
                pause(folder, step)
        result = function(*args, **kwargs)
        _SINCE.update(step.name for step in followed)
        for step in here:
            if step.place == "after" and _due(step):
                pause(folder, step)
        return result

    return around


def _meant(step: Step, args: Sequence[Any]) -> bool:
    words = [one for one in args if isinstance(one, str)]
    key_fits = not step.key or any(one.startswith(step.key) and not one.endswith(".key") for one in words)
    return key_fits and (not step.word or step.word in words)


def _due(step: Step) -> bool:
    if not step.follows:
        return True
    due = step.name in _SINCE
    _SINCE.discard(step.name)
    return due


def place_of(module: ModuleType, path: str) -> tuple[Any, str]:
    """Owner and name of `path` (`Class.method` or `function`) in `module`; raises AttributeError."""
    *owners, name = path.split(".")
    owner: Any = module
    for one in owners:
        owner = getattr(owner, one)
    getattr(owner, name)
    return owner, name


def weave(module: ModuleType, folder: Path) -> None:
    """Wrap what `module` holds of the table, once, and make it cheaper where `cheap.py` says so."""
    steps, followed = defaultdict[str, list[Step]](list), defaultdict[str, list[Step]](list)
    for step in STEPS:
        steps[step.target].append(step)
        if step.follows:
            followed[step.follows].append(step)
    for target in {*steps, *followed}:
        name, _, path = target.partition(":")
        if name == module.__name__:
            owner, attribute = place_of(module, path)
            setattr(owner, attribute, wrapped(folder, steps[target], followed[target], getattr(owner, attribute)))
    if module.__name__ in CHEAPER:
        CHEAPER[module.__name__](module, folder)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds what the others find, and weaves it when it has been executed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        targets = {target for step in STEPS for target in (step.target, step.follows) if target}
        self._wanted = {target.partition(":")[0] for target in targets} | set(CHEAPER)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """See importlib."""
        if fullname not in self._wanted:
            return None
        self._wanted.discard(fullname)
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return None
        folder, execute = self._folder, spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            weave(module, folder)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
