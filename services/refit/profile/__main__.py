"""`python -m services.refit.profile SOURCE`: makes the profile of a model; `lacuna model profile` runs it.

Prints progress on standard error, and the folder of the finished profile on standard output.
"""

import argparse
import logging
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from services.refit.profile.run import NAME_LENGTH, STEPS, make_profile
from shared.core.config import ModelSettings, load_settings
from shared.core.logging import LogStyle, configure_logging
from shared.errors import LacunaError
from shared.evaluation.reference import model_reference
from shared.vlm.engine import Engine
from shared.vlm.loading import load

INTERRUPTED = 130  # exit code of a command that SIGINT has ended


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Make the profile of a model.")
    parser.add_argument("source", help="a folder or the id of a model on the hub")
    parser.add_argument("--out", type=Path, required=True, help="the folder of profiles")
    parser.add_argument("--again", action="store_true", help="do not use what an earlier run has measured")
    given = parser.parse_args()
    configure_logging(logging.WARNING, LogStyle())
    console = Console(stderr=True, highlight=False)
    try:
        folder = profile(given.source, given.out, console, again=given.again)
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
        console.print("Stopped. The finished steps are kept: the same command goes on after them.")
        raise SystemExit(INTERRUPTED) from exc
    print(folder)


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


if __name__ == "__main__":
    main()
