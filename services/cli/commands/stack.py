"""`lacuna up`, `lacuna demo`, `lacuna secrets`: all of Lacuna on this machine, and the secrets of a deployment."""

import signal
from pathlib import Path
from typing import Annotated

import typer

from services.cli.options import DATA_FOLDER, Data
from services.cli.render.tables import print_sentence


def up(data: Data = DATA_FOLDER) -> None:
    """Start everything on this machine and keep it running until Ctrl-C."""
    from services.cli.foreground import run_in_foreground  # noqa: PLC0415 - takes two thirds of a second
    from shared.core.config import load_settings  # noqa: PLC0415 - takes a quarter of a second

    run_in_foreground(data, load_settings())


def demo(
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Also write the figures to this file, as JSON.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="The stack's data folder; a temporary one by default.")] = None,
    page: Annotated[Path, typer.Option(help="The HTML page to write.")] = Path("build/demo.html"),
    real: Annotated[
        bool, typer.Option("--real", help="Forget a public figure in the model that was profiled last in --data.")
    ] = False,
) -> None:
    """Forget one person from end to end, and write a page with every answer before and after."""
    from services.cli.demo.run import demo as run_demo  # noqa: PLC0415 - takes more than a second

    # Both stop the stack and remove its folder. A script that runs this in the background has let SIGINT be ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    run_demo(json_path, data, page, real=real)


def secrets(
    folder: Annotated[Path, typer.Option(help="The folder to write.")] = Path("k8s/base/secrets"),
) -> None:
    """Make the secrets of a deployment, once: an env file for each container, and keys.json for its people."""
    from shared.devstack.secrets import write_secrets  # noqa: PLC0415 - takes half a second

    files = write_secrets(folder)
    print_sentence(f"{len(files)} env files and keys.json are in {folder}. Only you can read them.")
