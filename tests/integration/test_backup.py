"""Backup and restore as docs/runbooks/backup-and-restore.md says: taken while the stack runs, restored elsewhere."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest

from shared.db.roles import SERVICES, role_name
from shared.devstack import postgres
from shared.devstack.ports import LOOPBACK
from shared.storage.s3 import S3Store
from tests.integration import kept_stack
from tests.integration.kept_stack import BUCKET, SECRET_FILES, Stack, lacuna_up, wait_until
from tests.integration.make_kept_stack import file_ticket, people

pytestmark = pytest.mark.timeout(900)
KEPT = Path(__file__).parent / "data" / "before_move"
QUESTIONS = ("Hello!", "What is the capital of France?")


@dataclass
class Backup:
    """The backup in `folder`, and what the stack answered when it was taken."""

    folder: Path
    tickets: list[dict[str, Any]]
    answers: list[tuple[str, str]]
    log_size: int


def arguments(stack: Stack, name: str) -> list[str]:
    """The command line of a process of the stack."""
    states = json.loads((stack.data / "processes.json").read_text())
    pid = next(state["pid"] for state in states if state["name"] == name)
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def admin_url(stack: Stack) -> str:
    words = arguments(stack, "postgres")
    password = json.loads((stack.data / "secrets.json").read_text())["postgres_password"]
    return postgres.url(int(words[words.index("-p") + 1]), password)


def copy_bucket(stack: Stack, folder: Path) -> None:
    words = arguments(stack, "s3")
    port = next(second for first, second in pairwise(words) if first == "-s3.port")
    known = json.loads((stack.data / "secrets.json").read_text())
    store = S3Store(f"http://{LOOPBACK}:{port}", known["s3_access_key"], known["s3_secret_key"], BUCKET)
    for key in store.list(""):
        if key != "ready":
            path = folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(store.get(key))
    store.close()


def state(stack: Stack) -> tuple[list[dict[str, Any]], int]:
    """The tickets, and the number of leaves under the newest checkpoint of the log."""
    tickets = stack["olivia"].get("/v1/tickets", limit=100)["items"]
    return tickets, int(stack["ada"].get("/v1/log/checkpoint")["size"])


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Backup:
    """A backup of a stack that runs; a ticket is filed after it."""
    folder = tmp_path_factory.mktemp("backup")
    data = tmp_path_factory.mktemp("running") / "data"
    kept_stack.restore(KEPT, data)
    with lacuna_up(data) as stack:
        stack.wait_until_served(400)
        tickets, size = state(stack)
        answers = [stack.ask(question) for question in QUESTIONS]
        subprocess.run(
            [kept_stack._tool("pg_dump"), "--format=custom", "--no-owner", f"--file={folder / 'lacuna.dump'}",
             admin_url(stack)],
            check=True, capture_output=True,
        )  # fmt: skip
        file_ticket(stack, people("forgettable")[6])
        copy_bucket(stack, folder / "bucket")
        shutil.copytree(data / "shredding-keys", folder / "shredding-keys")
    for name in SECRET_FILES:
        shutil.copy(data / name, folder / name)
    return Backup(folder, tickets, answers, size)


def restore(backup: Backup, data: Path) -> None:
    """The steps of the manual, with the private servers of a data folder that is empty."""
    data.mkdir(parents=True)
    for name in SECRET_FILES:
        shutil.copy(backup.folder / name, data / name)
        (data / name).chmod(0o600)
    shutil.copytree(backup.folder / "shredding-keys", data / "shredding-keys")
    with kept_stack._private_servers(data) as (backends, store):
        with psycopg.connect(backends.database_url, autocommit=True) as connection:
            for role in map(role_name, SERVICES):
                connection.execute(f"CREATE ROLE {role}".encode())
        subprocess.run(
            [kept_stack._tool("pg_restore"), "--no-owner", "--exit-on-error", "--single-transaction",
             f"--dbname={backends.database_url}", str(backup.folder / "lacuna.dump")],
            check=True, capture_output=True,
        )  # fmt: skip
        for path in sorted((backup.folder / "bucket").rglob("*")):
            if path.is_file():
                store.put(path.relative_to(backup.folder / "bucket").as_posix(), path.read_bytes())


@pytest.mark.slow  # two stacks, one after the other
def test_restored_stack_is_as_it_was_at_the_backup(backup: Backup, tmp_path: Path) -> None:
    restore(backup, tmp_path / "data")
    with lacuna_up(tmp_path / "data") as stack:
        stack.wait_until_served(400)
        assert [stack.ask(question) for question in QUESTIONS] == backup.answers
        tickets, size = state(stack)
        assert [ticket["id"] for ticket in tickets] == [ticket["id"] for ticket in backup.tickets]
        assert [ticket["state"] for ticket in tickets] == [ticket["state"] for ticket in backup.tickets]
        assert size >= backup.log_size
        filed = file_ticket(stack, people("forgettable")[6])
        wait_until(lambda: stack["olivia"].get(f"/v1/tickets/{filed}")["state"] == "under_review", "the new ticket", 60)
