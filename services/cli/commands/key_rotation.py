"""`lacuna keys ...`: wrapping data keys anew after a rotation. (`lacuna key ...` is about API keys.)"""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.client import request_client
from services.cli.render import tables

app = typer.Typer(no_args_is_help=True, help="The wrapping of data keys, for administrators.")
FOLDER = Path(".lacuna")
Json = Annotated[bool, typer.Option("--json", help="JSON instead of sentences.")]
Data = Annotated[Path, typer.Option("--data", envvar="LACUNA_DATA", help="The folder of the stack.")]
Who = Annotated[str, typer.Option("--as", help="Whose key of keys.json is used.")]


@app.command()
def rewrap(
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end.")] = True,
    data: Data = FOLDER,
    who: Who = "rosa",
    json: Json = False,
) -> None:
    """Wrap every data key anew under the newest key-encryption key, or Vault's; payloads are not touched."""
    from rich.progress import Progress  # noqa: PLC0415 - only here

    client = request_client(data, who)
    job = client.post("/v1/rewraps", {})
    if wait:
        with Progress(console=tables.console, disable=json, transient=True) as progress:
            bar = progress.add_task("rewrapping", total=None)
            while job["state"] != "finished":
                time.sleep(0.3)
                job = client.get(f"/v1/rewraps/{job['id']}")
                progress.update(bar, completed=job["done"], total=job["total"] or None)
    tables.as_json(job) if json else _say(job)


@app.command()
def status(data: Data = FOLDER, who: Who = "rosa", json: Json = False) -> None:
    """The newest rewrap: how far it is, and which keys are still needed."""
    found = request_client(data, who).get("/v1/rewraps")["items"]
    if json:
        tables.as_json(found)
    elif found:
        _say(found[0])
    else:
        tables.console.print("Nothing was ever wrapped anew.")


def _say(job: Any) -> None:
    if job["state"] != "finished":
        tables.console.print(f"Rewrap {job['id']} is {job['state']}: {job['done']} of {job['total']}.")
        return
    used = ", ".join(f"{name} ({count})" for name, count in sorted(job["in_use"].items())) or "none"
    gone = ", ".join(job["no_longer_used"]) or "none"
    tables.console.print(f"{job['rewrapped']} data keys are wrapped anew under {job['key']}.", markup=False)
    tables.console.print(f"Wrapping keys in use: {used}. No longer used: {gone}.", markup=False)
    if job["unreadable"]:
        tables.console.print(
            f"{len(job['unreadable'])} cannot be opened by any key that is known: {job['unreadable'][0]} ..."
        )
