"""`lacuna key-rotation ...`: wrap the data keys again after a rotation. (`lacuna key ...` is about API keys.)"""

import time
from typing import Annotated, Any

import typer

from services.cli.client import request_client
from services.cli.options import DATA_FOLDER, As, Data, Json
from services.cli.render.tables import console, print_answer, print_json, print_sentence

app = typer.Typer(no_args_is_help=True, help="Wrap the data keys again after a key rotation.")


@app.command()
def rewrap(
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until every key is wrapped.")] = True,
    data: Data = DATA_FOLDER,
    account: As = "rosa",
    as_json: Json = False,
) -> None:
    """Wrap every data key under the newest key-encryption key, or Vault's; what they encrypt is not touched."""
    from rich.progress import Progress  # noqa: PLC0415 - only needed here

    client = request_client(data, account)
    job = client.post("/v1/rewraps", {})
    if wait:
        with Progress(console=console, disable=as_json, transient=True) as progress:
            bar = progress.add_task("rewrapping", total=None)
            while job["state"] != "finished":
                time.sleep(0.3)
                job = client.get(f"/v1/rewraps/{job['id']}")
                progress.update(bar, completed=job["done"], total=job["total"] or None)
    print_answer(job, as_json, _print_job)


@app.command()
def status(data: Data = DATA_FOLDER, account: As = "rosa", as_json: Json = False) -> None:
    """Show how far the newest rewrap is, and which wrapping keys are still needed."""
    jobs = request_client(data, account).get("/v1/rewraps")["items"]
    if as_json:
        print_json(jobs)
    elif jobs:
        _print_job(jobs[0])
    else:
        console.print("The data keys were never wrapped again.")


def _print_job(job: Any) -> None:
    if job["state"] != "finished":
        console.print(f"Rewrap {job['id']} is {job['state']}: {job['done']} of {job['total']} data keys.")
        return
    in_use = ", ".join(f"{name} ({count})" for name, count in sorted(job["in_use"].items())) or "none"
    print_sentence(f"{job['rewrapped']} data keys are now wrapped under {job['key']}.")
    print_sentence(f"Wrapping keys in use: {in_use}. No longer used: {', '.join(job['no_longer_used']) or 'none'}.")
    if unreadable := job["unreadable"]:
        print_sentence(f"{len(unreadable)} data keys cannot be opened by any known key: {unreadable[0]} ...")
