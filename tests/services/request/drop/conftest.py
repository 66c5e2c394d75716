"""A register of people, and lists of DROP that name some of them."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from services.request.drop.jobs import DropListRunner
from services.request.drop.lists import archive
from shared.domain.drop_identifiers import hash_text
from tests.support.api import People
from tests.support.pictures import png

STEM: Final = "20261101_4821"
MARA: Final = {
    "id": "p1",
    "name": "Mara Lindqvist",
    "facts": {"employer": "Marble & Finch"},
    "identifiers": {
        "email": "Mara@Example.com",
        "phone": ["+1 (415) 555-9317"],
        "date_of_birth": "1985-07-04",
        "zip": "91790",
    },
}
EVA: Final = {"id": "p2", "name": "Eva Ek", "facts": {"city": "Ulm"}, "identifiers": {"phone": "+84(90)123 4567"}}
NOBODY: Final = "nobody@example.com"
MARAS_PHONE: Final = "vGM7y5n+hBXRSEAklhHDPCbysyNgYTmXdMcagGUOY8E="
EVAS_PHONE: Final = "ptzVkgbv9DonwvPCHmXmJ2SEOaolSh37z3ZzY/Gmm+U="
MARAS_EMAIL: Final = hash_text("mara@example.com")


def item(number: int) -> str:
    """The id of a work item."""
    return f"WorkItem{number:04d}"


def csv_of(*hashes: str, first: int = 1) -> str:
    """A list of these hashes, whose items are numbered from `first`."""
    return "ID,Hash\n" + "".join(f"{item(number)},{each}\n" for number, each in enumerate(hashes, first))


class Drop:
    """A register in a file, and downloads that are given by hand."""

    def __init__(self, people: People, folder: Path) -> None:
        self.people, self.file = people, folder / "register.jsonl"
        self.write(MARA, EVA)

    def write(self, *rows: Any) -> None:
        """The register has these rows from now on."""
        self.file.write_text("\n".join(map(json.dumps, rows)), "utf-8")

    def send(self, files: dict[str, str], who: str = "olivia", path: str = "/v1/drop-lists") -> Any:
        """Send an archive of `files` by the type of the list."""
        raw = archive([(f"{STEM}_{kind}.csv", text) for kind, text in files.items()])
        return self.send_raw(raw, "application/zip", path, who)

    def send_raw(self, raw: bytes, kind: str, path: str = "/v1/drop-lists", who: str = "olivia") -> Any:
        """Send a file as it is."""
        head = {"Authorization": f"Bearer {self.people.keys[who]}", "Content-Type": kind}
        return self.people.app.post(path, content=raw, headers=head)

    def match(self, files: dict[str, str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Send and match a download; the download and its matches."""
        sent = self.send(files)
        assert sent.status_code == 202, sent.text
        assert self.runner.run()
        return self.shown(sent.headers["location"])

    def shown(self, path: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """A download and its matches."""
        olivia = self.people["olivia"]
        return olivia.get(path).json(), olivia.get(f"{path}/matches").json()["items"]

    @property
    def runner(self) -> DropListRunner:
        """The job of the control loop."""
        return DropListRunner(self.people.control, self.file)

    def ticket(self, number: str) -> dict[str, Any]:
        """A ticket as it is shown."""
        shown: dict[str, Any] = self.people["olivia"].get(f"/v1/tickets/{number}").json()
        return shown

    def reject(self, ticket: str, code: str) -> None:
        """Adam rejects a ticket."""
        refused = self.people["adam"].post(f"/v1/tickets/{ticket}/reject", {"code": code, "note": "Checked."})
        assert refused.status_code == 200, refused.text


@pytest.fixture
def drop(people: People, tmp_path: Path) -> Drop:
    """The register and the service."""
    return Drop(people, tmp_path)


@pytest.fixture
def picture() -> str:
    """A photograph as a data URL."""
    return png()
