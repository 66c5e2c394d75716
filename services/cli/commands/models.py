"""`lacuna model ...`: look at a model before it is served: what it knows, how it declines, where it can be read."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from services.cli.options import DATA_FOLDER, Data, Json
from services.cli.render.models import print_profile
from services.cli.render.tables import print_answer, print_sentence
from shared.errors import BadInput, LacunaError
from shared.evaluation.model_profile import FILE, read_profile

app = typer.Typer(no_args_is_help=True, help="A model before it is served: its profile.")
Source = Annotated[str, typer.Argument(help="A folder, or the id of a model on the hub.")]


@app.command("profile")
def profile_model(
    source: Source,
    data: Data = DATA_FOLDER,
    again: Annotated[bool, typer.Option("--again", help="Measure everything anew, also what is finished.")] = False,
) -> None:
    """Measure a model, and choose from that how it will forget. Minutes; an interrupted run goes on where it was."""
    command = [sys.executable, "-m", "services.refit.profile", "--out", str(profiles_folder(data))]
    command += [*(["--again"] if again else []), "--", source]
    result = _run(command)
    if result.returncode < 0:
        raise LacunaError(
            f"The process that makes the profile was ended by signal {-result.returncode}, as a machine does that runs "
            "out of memory (9). The finished steps are kept: the same command goes on after them."
        )
    if result.returncode:
        raise SystemExit(result.returncode)
    show(Path(result.stdout.strip()), as_json=False)


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, also after Ctrl-C or SIGTERM: it is told to stop, and says itself what it keeps."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)  # the command unblocks them when it can take them
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        before = {number: signal.signal(number, lambda *_: process.send_signal(signal.SIGINT)) for number in numbers}
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
        try:
            output, _ = process.communicate()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
    return subprocess.CompletedProcess(command, process.returncode, output)


@app.command("show")
def show_profile(
    profile: Annotated[
        str, typer.Argument(help="The source that was profiled, the beginning of its site, or a profile's folder.")
    ] = "",
    data: Data = DATA_FOLDER,
    as_json: Json = False,
) -> None:
    """Show a finished profile; without an argument the newest."""
    show(find_folder(profiles_folder(data), profile), as_json=as_json)


def show(folder: Path, *, as_json: bool) -> None:
    """Print the profile in `folder`, and where its report is."""
    profile = read_profile(folder)
    print_answer(profile.to_json(), as_json, lambda _: print_profile(profile))
    if not as_json:
        print_sentence(f"\nThe report with its plots: {folder / 'report.html'}")


def profiles_folder(data: Path) -> Path:
    """Where the profiles of a data folder are."""
    return data / "profiles"


def find_folder(profiles: Path, wanted: str) -> Path:
    """The folder of the profile that is meant; raises BadInput where none is, or several are."""
    if wanted and (Path(wanted) / FILE).is_file():
        return Path(wanted)
    finished = sorted(profiles.glob(f"*/{FILE}"), key=lambda path: path.stat().st_mtime, reverse=True)
    folders = [path.parent for path in finished]
    if wanted:
        folders = [
            folder for folder in folders if folder.name.startswith(wanted) or _is_same(_source_of(folder), wanted)
        ]
    if not folders:
        what = f"no profile of {wanted}" if wanted else "no finished profile"
        raise BadInput(f"There is {what} in {profiles}: make one with `lacuna model profile SOURCE`.")
    return folders[0]


def _is_same(source: str | None, wanted: str) -> bool:
    """Whether both name the same model: the same words, or the same folder."""
    if source is None or source == wanted:
        return source is not None
    return Path(wanted).is_dir() and Path(source).is_dir() and Path(wanted).samefile(source)


def _source_of(folder: Path) -> str | None:
    try:
        return read_profile(folder).loading.source
    except LacunaError:
        return None
