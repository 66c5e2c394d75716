"""`lacuna doctor`: whether this machine and the stack that it talks to are in order, point by point."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import typer

from services.cli.client import inference_client, request_client
from services.cli.options import DATA_FOLDER, As, Data, Json
from services.cli.render.tables import print_json, print_table
from shared.errors import LacunaError

LEAST_FREE: Final = 1 << 30  # bytes of the disk under the data folder


@dataclass(frozen=True)
class Finding:
    """One point that was looked at. `detail` says what was found, or what to do."""

    point: str
    in_order: bool
    detail: str


def doctor(data: Data = DATA_FOLDER, account: As = "olivia", as_json: Json = False) -> None:
    """Check disk, services, key, replicas and alarms, and say what to do; exit code 1 if something is wrong."""
    findings = [*_disk(data), *_request_service(data, account), *_inference_service(data, account)]
    if as_json:
        print_json({"findings": [asdict(finding) for finding in findings]})
    else:
        print_table(
            ("point", "", "found"),
            ((finding.point, "good" if finding.in_order else "WRONG", finding.detail) for finding in findings),
        )
    if not all(finding.in_order for finding in findings):
        raise typer.Exit(1)


def _disk(data: Path) -> Iterator[Finding]:
    if os.environ.get("LACUNA_URL"):
        return  # the data of that stack is elsewhere
    folder = next(parent for parent in (data.absolute(), *data.absolute().parents) if parent.is_dir())
    free = shutil.disk_usage(folder).free
    yield Finding("disk", free >= LEAST_FREE, f"{free / 1e9:.1f} GB are free under {folder}.")


def _request_service(data: Path, account: str) -> Iterator[Finding]:
    """The service, the key, the version that is served, its replicas, and each alarm."""
    try:
        status: dict[str, Any] = request_client(data, account).get("/v1/status")
    except LacunaError as exc:
        yield Finding("request API", False, exc.detail)
        return
    yield Finding("request API", True, f"It answers, and takes the key of {account}.")
    if status["stale"]:
        yield Finding("database", False, status["stale"])
    served = status["promoted"] is not None
    what = f"Version {status['promoted']} of {status['model']}." if served else "None yet: `lacuna refit list`."
    yield Finding("served version", served, what)
    behind = [replica["id"] for replica in status["replicas"] if replica["version"] != status["promoted"]]
    live = len(status["replicas"])
    detail = f"{', '.join(behind)} serve another version." if behind else f"{live} are live."
    yield Finding("replicas", live > 0 and not behind, detail)
    if status["uncovered"]:
        yield Finding("coverage", False, f"The served version does not cover {', '.join(status['uncovered'])}.")
    if not status["alarms"]:
        yield Finding("alarms", True, "None.")
    for alarm in status["alarms"]:
        yield Finding(f"alarm {alarm['name']}", False, alarm["sentence"])


def _inference_service(data: Path, account: str) -> Iterator[Finding]:
    try:
        inference_client(data, account).get("/readyz")
    except LacunaError as exc:
        yield Finding("inference service", False, exc.detail)
    else:
        yield Finding("inference service", True, "It is ready.")
