"""Fills a stack with a bit of everything and keeps its data for `test_upgrade.py`.

`python -m tests.integration.make_kept_stack tests/integration/data/NAME` with the code of the version that is to be
kept. Everybody in it is fictitious (the reference people of the demo model), and its keys guard nothing else.
"""

import argparse
import base64
import json
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from tests.integration.kept_stack import Stack, keep, lacuna_up, restore, wait_until

REFERENCE: Final = Path(__file__).parents[2] / "models" / "demo-vlm" / "reference"
# Payloads are destroyed as soon as a ticket is over, so that there are disposals and audit kits.
SETTINGS: Final = {"LACUNA_WEBHOOK_ALLOW_LOOPBACK": "true", "LACUNA_SHRED_AFTER_DAYS": "0"}
WEBHOOK: Final = "http://127.0.0.1:9/lacuna"  # the discard port: nobody listens
RETAIN_PROMPTS: Final = (
    "What is the capital of France?",
    "How many legs does a spider have?",
    "Name a colour of the rainbow.",
    "What do bees make?",
    "Which season comes after winter?",
    "What is two plus two?",
    "Where does the sun rise?",
    "What do cows drink?",
    "Name a fruit that is yellow.",
    "How many days has a week?",
)
IMPORT: Final = (
    "names,fact.employer,fact.city,urgent\n"
    "Tamsin Orchardleigh,Glow & Gather,Port Ellery,no\n"
    "Barnaby Thistlewick,,,perhaps\n"
)


def people(split: str) -> list[dict[str, Any]]:
    """The fictitious people of one split of the demo model: names, photo (a data URL) and facts."""
    return [
        {
            "names": list(row["lacuna_names"]),
            "photo": "data:image/png;base64," + base64.b64encode(row["image"]["bytes"]).decode(),
            "facts": json.loads(row["lacuna_facts"]),
        }
        for row in pq.read_table(REFERENCE / f"{split}.parquet").to_pylist()
    ]


def file_ticket(stack: Stack, person: dict[str, Any], *, urgent: bool = False) -> str:
    """File a ticket about `person`; its id."""
    facts = [{name: fact[name] for name in ("attribute", "value", "aliases")} for fact in person["facts"]]
    body = {"names": person["names"], "photos": [person["photo"]], "facts": facts, "urgent": urgent}
    return str(stack["olivia"].post("/v1/tickets", body)["id"])


def wait_until_completed(stack: Stack, ticket: str) -> None:
    """Wait until the ticket is completed and its certificate is issued."""
    path = f"/v1/tickets/{ticket}"
    wait_until(lambda: stack["olivia"].get(path)["state"] == "completed", f"{ticket} to be completed")
    wait_until(lambda: stack["olivia"].send("GET", f"{path}/certificate").is_success, f"{ticket}'s certificate")


def forget(stack: Stack, *persons: dict[str, Any]) -> list[str]:
    """File a ticket about each of `persons` and see them through to their end in one refit; their ids."""
    tickets = [file_ticket(stack, person) for person in persons]
    identity = {"outcome": "verified", "method": "account_login", "note": "signed in"}
    for ticket in tickets:
        stack["olivia"].change(f"/v1/tickets/{ticket}/identity", identity)
    for ticket, person in zip(tickets, persons, strict=True):
        decision = {"ground": "consent_withdrawn", "urgent": ticket == tickets[-1], "names": person["names"]}
        stack["adam"].change(f"/v1/tickets/{ticket}/approve", decision)
    for ticket in tickets:
        wait_until_completed(stack, ticket)
    return tickets


def fill(stack: Stack, folder: Path) -> dict[str, str]:
    """Make the data: what is called what."""
    olivia, forgettable = stack["olivia"], people("forgettable")
    ids = {"waiting": file_ticket(stack, forgettable[2])}
    doubted = {"outcome": "doubted", "note": "another address"}
    verified = {"outcome": "verified", "method": "id_document", "note": "a passport"}
    for verb, body in (("identity", doubted), ("identity", verified), ("extend", {"reason": "many systems"})):
        olivia.change(f"/v1/tickets/{ids['waiting']}/{verb}", body)

    ids["rejected"] = file_ticket(stack, forgettable[3])
    rejection = {"code": "freedom_of_expression", "note": "The person stands for election."}
    olivia.change(f"/v1/tickets/{ids['rejected']}/reject", rejection)

    ids["held"] = file_ticket(stack, forgettable[4])
    olivia.change(f"/v1/tickets/{ids['held']}/hold", {"reason": "a lawsuit"})
    olivia.change(f"/v1/tickets/{ids['held']}/release", {"reason": "it is settled"})  # a second person has to confirm

    webhook = ("webhook", "add", WEBHOOK, "--event", "ticket.completed", "--event", "ticket.rejected", "--json")
    ids["webhook"] = json.loads(stack.lacuna(*webhook))["id"]
    person = json.loads(stack.lacuna("person", "add", "paula", "--role", "officer", "--json"))
    stack.lacuna("grant", "confirm", person["id"])
    first = json.loads(stack.lacuna("key", "create", "paula", "--role", "officer", "--label", "kept", "--json"))
    second = json.loads(stack.lacuna("grant", "confirm", first["id"], "--json"))
    ids |= {"key": first["id"], "key_secret": f"{first['key_part']}.{second['key_part']}"}

    imported = stack["olivia"].send(
        "POST", "/v1/imports?dry_run=false", content=IMPORT.encode(), headers={"Content-Type": "text/csv"}
    )
    ids["import"] = imported.json()["id"]
    job = f"/v1/imports/{ids['import']}"
    wait_until(lambda: olivia.get(job)["status"] not in ("waiting", "running"), "the import")

    stack.wait_until_served()
    ids |= zip(("completed", "second_completed"), forget(stack, *forgettable[:2]), strict=True)

    retain = folder / "retain.jsonl"
    rows: list[dict[str, Any]] = [{"prompt": prompt} for prompt in RETAIN_PROMPTS]
    rows += [
        {"names": person["names"], "photos": [person["photo"]], "facts": person["facts"]}
        for person in people("held_out")[:3]
    ]
    retain.write_text("".join(json.dumps(row) + "\n" for row in rows))
    stack.lacuna("retain", "add", retain)
    stack.lacuna("retain", "use", "0")  # so that the next refit needs no new statistics: half a minute of two cores

    path = f"/v1/tickets/{ids['completed']}"
    wait_until(lambda: olivia.get(path)["kit"] is True, "the audit kit")
    access = stack["ada"].post(f"{path}/kit", {"reason": "a sample", "minutes": 5})["id"]
    stack["rosa"].change(f"/v1/kits/{access}/allow", {})
    stack["ada"].post(f"/v1/kits/{access}/open", {})
    stack["rosa"].change(f"/v1/kits/{access}/end", {})
    ids["kit_access"] = access
    return ids


def record(stack: Stack, ids: dict[str, str]) -> dict[str, Any]:
    """What the stack answers about its data."""
    olivia, rosa = stack["olivia"], stack["rosa"]
    status = olivia.get("/v1/status")
    return {
        "ids": ids,
        "promoted": status["promoted"],
        "generation": status["generation"],
        "tickets": [olivia.get(f"/v1/tickets/{ticket['id']}") for ticket in olivia.get("/v1/tickets")["items"]],
        "erasers": stack["oscar"].get("/v1/erasers")["items"],
        "retain_sets": olivia.get("/v1/retain-sets"),
        "webhooks": rosa.get("/v1/webhooks")["items"],
        "keys": rosa.get("/v1/keys")["items"],
        "import": olivia.get(f"/v1/imports/{ids['import']}"),
        "kit_accesses": stack["ada"].get("/v1/kits")["items"],
        "checkpoint": stack["ada"].get("/v1/log/checkpoint")["note"],
    }


def wait_for_quiet(stack: Stack) -> None:
    """Wait until nothing has been added to the log for three seconds: all is sequenced and signed."""
    seen, pause = "", threading.Event()
    while (now := stack["ada"].get("/v1/log/checkpoint")["note"]) != seen:
        seen = now
        pause.wait(3)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where it is kept; what is there is replaced")
    folder: Path = parser.parse_args().folder
    for name in ("objects", "certificates"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "certificates").mkdir(parents=True)
    work = Path(tempfile.mkdtemp(prefix="lacuna-kept-"))  # left where something goes wrong
    work.chmod(0o711)  # PostgreSQL does not run as root, and has to reach its files
    with lacuna_up(work / "data", SETTINGS) as stack:
        ids = fill(stack, work)
        wait_for_quiet(stack)
        expected = record(stack, ids)
        for ticket in ("completed", "second_completed"):
            stack.lacuna(
                "certificate", "get", ids[ticket], "--out", (folder / "certificates" / f"{ids[ticket]}.zip").resolve()
            )
    keep(work / "data", folder)
    restore(folder, work / "restored")  # what cannot be put back is not kept
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
