"""A stand-in of DROP to try the exchange with: the same three operations, the same files, the same refusals.

    python -m services.request.drop.sandbox people.jsonl --others 1000

It makes lists from the identifiers of a file of people, as if they all had asked for deletion, and of as many hashes of
nobody as wanted. It keeps everything in memory and prints what it is sent. CalPrivacy has a sandbox of its own for data
brokers; this one needs no account.
"""

import argparse
import random
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.request.drop import lists
from services.request.drop.register import hashes_of_row
from shared.core.clock import utc_now
from shared.domain.drop_identifiers import ListType, hash_text
from shared.evaluation.people_files import read_people_rows

BASE_62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BROKER: Final = "4821"
KINDS: Final[tuple[ListType, ...]] = ("NDZ", "Email", "Phone", "MAID", "NameVIN", "CTVID")
STATUSES: Final = {"2": "exempted", "3": "deleted", "4": "opted out", "5": "not found"}
COMPLETE: Final = "Complete the current batch or contact DROP support if a re-download is needed."
NOTHING_NEW: Final = (
    "No new consumer request data or removed identifiers are available since your last completed download."
)


@dataclass
class Sandbox:
    """The platform's side. `hashes` and `removed` go into the next download."""

    key: str
    hashes: dict[ListType, list[str]] = field(default_factory=dict)
    removed: list[tuple[str, str, ListType]] = field(default_factory=list)
    prepare: int = 0  # how often a download is still being prepared
    statuses: dict[str, str] = field(default_factory=dict)  # of every work item that was answered
    items: dict[str, tuple[str, ListType]] = field(default_factory=dict)  # hash and list of every item that was given
    files: dict[str, str] = field(default_factory=dict)  # that were taken
    _open: set[str] = field(default_factory=set)  # that wait for an answer

    @property
    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/data/download", self._download, methods=["GET"]),
                Route("/data/upload", self._upload, methods=["POST"]),
                Route("/data/amend", self._amend, methods=["POST"]),
            ]
        )

    def item_of(self, hashed: str) -> str:
        """The id of the work item with this hash."""
        return next(item for item, (each, _) in self.items.items() if each == hashed)

    async def _download(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        if self._open:
            return _message(COMPLETE, 409)
        if not any(self.hashes.values()) and not self.removed:
            return _message(NOTHING_NEW, 200)
        if self.prepare:
            self.prepare -= 1
            return _message("No download package is available yet.", 202, {"Retry-After": "1"})
        day = utc_now().strftime("%Y%m%d")
        files = []
        for kind, hashes in self.hashes.items():
            ids = {"".join(secrets.choice(BASE_62) for _ in range(12)): hashed for hashed in hashes}
            self.items |= {item: (hashed, kind) for item, hashed in ids.items()}
            self._open |= ids.keys()
            files.append((f"{day}_{BROKER}_{kind}.csv", "ID,Hash\n" + "".join(f"{i},{h}\n" for i, h in ids.items())))
        if self.removed:
            rows = "".join(f"{item},{hashed},{kind}\n" for item, hashed, kind in self.removed)
            files.append((f"{day}_{BROKER}_Removed.csv", f"ID,Hash,ListType\n{rows}"))
        self.hashes, self.removed, self.files = {kind: [] for kind in self.hashes}, [], {}
        head = {"Content-Disposition": f'attachment; filename="{day}_{BROKER}_DROP.zip"'}
        return Response(lists.archive(files), media_type="application/zip", headers=head)

    async def _upload(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        if not self._open:
            return _message("No active download is waiting for responses.", 409)
        return await self._take(request, amend=False)

    async def _amend(self, request: Request) -> Response:
        return self._refused(request) or await self._take(request, amend=True)

    async def _take(self, request: Request, *, amend: bool) -> Response:
        accepted, rejected = [], []
        async with request.form() as form:
            for upload in form.getlist("files"):
                if not isinstance(upload, UploadFile):
                    continue
                name, text = upload.filename or "", (await upload.read()).decode()
                problem = self._problem(name, text, amend=amend)
                if problem is None:
                    accepted.append({"fileName": name, "fileSizeBytes": len(text)})
                    self._note(name, text)
                else:
                    rejected.append({"fileName": name, "message": problem})
        body = {
            "message": "Upload received." if accepted else "Upload request is invalid.",
            "acceptedCount": len(accepted),
            "rejectedCount": len(rejected),
            "accepted": accepted,
            "rejected": rejected,
        }
        return JSONResponse(body, 202 if accepted else 400)

    def _problem(self, name: str, text: str, *, amend: bool) -> str | None:
        """Why a file is not taken."""
        if not lists.FILE_NAME.fullmatch(name):
            return "The file name is not one of a downloaded list."
        if name in self.files:
            return "A file with this name was already uploaded for the current download. Use a unique suffix."
        header, *rows = text.splitlines()
        if header != "Id,Status":
            return "Invalid CSV header. Expected: Id,Status."
        known = self.statuses.keys() if amend else self._open
        wrong = [row for row in rows if row.partition(",")[0] not in known or row.partition(",")[2] not in STATUSES]
        return f"{len(wrong)} rows name no work item that waits, or no status." if wrong else None

    def _note(self, name: str, text: str) -> None:
        answers = dict(row.split(",") for row in text.splitlines()[1:])
        self.files[name] = text
        self.statuses |= answers
        self._open -= answers.keys()
        counted = ", ".join(f"{n} {STATUSES[status]}" for status, n in sorted(Counter(answers.values()).items()))
        print(f"{name}: {counted}; {len(self._open)} work items wait for an answer.", flush=True)

    def _refused(self, request: Request) -> Response | None:
        if secrets.compare_digest(request.headers.get("x-api-key", "").encode(), self.key.encode()):
            return None
        return _message("API key is missing or invalid. Fix or regenerate the API key and try again.", 401)


def lists_of(people: Path, others: int) -> Mapping[ListType, list[str]]:
    """The hashes of everybody in the file, and of as many of nobody in each list, in no order."""
    found: dict[ListType, set[str]] = {kind: set() for kind in KINDS}
    for row in read_people_rows(people):
        for kind, hashes in hashes_of_row(row).items():
            found[kind] |= hashes
    for hashes in found.values():
        hashes.update(hash_text(secrets.token_hex(16)) for _ in range(others))
    return {kind: random.sample(sorted(hashes), len(hashes)) for kind, hashes in found.items()}


def _message(text: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"message": text}, status, headers)


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description="A stand-in of California's DROP on 127.0.0.1.")
    parser.add_argument("people", type=Path, help="a file of people with identifiers")
    parser.add_argument("--others", type=int, default=100, help="hashes of nobody in each list")
    parser.add_argument("--port", type=int, default=8620)
    parser.add_argument("--key", default="sandbox", help="what LACUNA_DROP_KEY has to be")
    given = parser.parse_args()
    sandbox = Sandbox(given.key, dict(lists_of(given.people, given.others)))
    print(f"LACUNA_DROP_URL=http://127.0.0.1:{given.port} LACUNA_DROP_KEY={given.key}", flush=True)
    uvicorn.run(sandbox.app, host="127.0.0.1", port=given.port, log_level="warning")


if __name__ == "__main__":
    main()
