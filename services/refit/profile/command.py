"""Loads a model and makes its profile, with a progress bar for each step."""

import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from services.refit.profile.run import NAME_LENGTH, STEPS, make_profile
from shared.core.config import ModelSettings, load_settings
from shared.evaluation.reference import model_reference
from shared.vlm.engine import Engine
from shared.vlm.loading import load


def profile(source: str, out: Path, console: Console, *, again: bool = False) -> Path:
    """Make the profile with a progress bar for each step; returns its folder.

    Raises LacunaError, and OSError where `out` cannot be written.

    `again` removes what there is of an earlier profile of the same site.
    """
    settings = load_settings()
    settings = settings.model_copy(update={"model": ModelSettings(source=source, id=settings.model.id)})
    reference = model_reference(settings)
    columns = (TextColumn("{task.description:<12}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=not sys.stderr.isatty()) as progress:
        tasks: dict[str, TaskID] = {step: progress.add_task(step, total=1, start=False) for step in STEPS}

        def report(step: str, done: int, total: int) -> None:
            if progress.disable and not done:
                console.print(f"{step} ...")
            progress.start_task(tasks[step])
            progress.update(tasks[step], completed=done, total=total)

        console.print(f"Loading {source} ...")
        engine = Engine(load(source, device=settings.device or None))
        make_profile(engine, source, reference, out, report, maker="`lacuna model profile`", again=again)
    return out / engine.vlm.site.digest[:NAME_LENGTH]
