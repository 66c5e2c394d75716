"""Lacuna up, demo, secrets."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.options import FOLDER, Data
from services.cli.render import tables


def up(data: Data = FOLDER) -> None:
    """Start everything on this machine and keep it running."""
    from services.cli.foreground import run_in_foreground  # noqa: PLC0415 - the parts of a stack: two thirds of a second
    from shared.core.config import load_settings  # noqa: PLC0415 - a quarter of a second

    run_in_foreground(data, load_settings())


def demo(
    json: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
    data: Annotated[Path | None, typer.Option(help="The folder of the stack; a fresh one by default.")] = None,
    page: Annotated[Path, typer.Option(help="Where the page with the pictures goes.")] = Path("build/demo.html"),
) -> None:
    """Forget one person, and show it."""
    from services.cli.demo.run import demo as run_demo  # noqa: PLC0415 - scorers and pictures: more than a second

    run_demo(json, data, page)


def secrets(folder: Path = Path("k8s/base/secrets")) -> None:
    """Draw the secrets of a deployment, once: an env file for each container, keys.json for people."""
    from shared.devstack.secrets import write_secrets  # noqa: PLC0415 - likewise

    files = write_secrets(folder)
    tables.console.print(f"{len(files)} env files and keys.json are in {folder}; nobody else may read them.")
