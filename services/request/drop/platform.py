"""The exchange with DROP itself: downloads its lists in time, and sends it what became of each work item.

Three operations: GET /data/download, POST /data/upload, POST /data/amend, with the key in X-API-KEY (CalPrivacy, DROP
Data Broker API 1.2.0). A list is fetched at most every so many days, and the row of an empty one shows that the
platform was asked. The platform gives nothing new until everything is answered.
"""

import logging
import time
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from services.request import sealing
from services.request.context import AppContext
from services.request.drop import lists, service
from services.request.drop.jobs import NO_REGISTER
from services.request.drop.lists import MOST_BYTES, Download
from services.request.drop.register import Register
from shared.core.clock import utc_now
from shared.db.models.drop_lists import DropList, DropMatch
from shared.db.repositories import audit_log, models
from shared.db.session import transaction
from shared.domain.accounts import OPERATING_TENANT, SYSTEM_ACTOR
from shared.errors import BadInput, TooLarge, Unavailable

logger = logging.getLogger(__name__)
TIMEOUT_S: Final = 120.0
SEND_EVERY_S: Final = 600.0  # what was decided since, and after an error; the platform asks for 30 s and more
BUSY_S: Final = 3600.0  # until it is asked again that waits for our answers
SOONEST_S, LATEST_S = 5.0, 3600.0  # of the pauses that the platform asks for
NOT_FOUND_SUFFIX: Final = "notfound"  # of the file that answers whom nobody in the register is
PREPARING, COMPLETE_FIRST = 202, 409
BASE_36: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
SENT_BEFORE: Final = "already uploaded"  # how the platform says that it has a file of that name


@dataclass(frozen=True)
class Answered:
    """An answer of the platform; `archive` where it gave a download."""

    status: int
    archive: bytes | None = None
    retry_after_s: float = 60.0


@dataclass(frozen=True)
class PlatformClient:
    """The platform, over HTTPS. The key goes nowhere else: redirects are not followed."""

    url: str
    key: str
    transport: httpx.BaseTransport | None = None

    def download(self) -> Answered:
        """Ask for the lists. Raises Unavailable, which says what the platform answered, TooLarge for too many bytes."""
        with self._client() as client:
            try:
                with client.stream("GET", "/data/download") as response:
                    content = bytearray()
                    for part in response.iter_bytes():
                        content += part
                        if len(content) > MOST_BYTES:
                            raise TooLarge("The download of DROP is larger than any that can be read.")
            except httpx.HTTPError as exc:
                raise Unavailable(f"DROP cannot be reached ({type(exc).__name__}).") from exc
        if response.status_code not in (200, PREPARING, COMPLETE_FIRST):
            raise Unavailable(f"DROP answered {response.status_code} when it was asked for a download.")
        is_archive = response.status_code == 200 and response.headers.get("content-type", "").startswith(
            "application/zip"
        )
        return Answered(response.status_code, bytes(content) if is_archive else None, _retry_after(response))

    def send(self, name: str, content: str, *, amend: bool) -> None:
        """Send one file. One that the platform has already is as good as sent.

        Raises Unavailable, which says what the platform answered.
        """
        path = "/data/amend" if amend else "/data/upload"
        with self._client() as client:
            try:
                response = client.post(path, files={"files": (name, content.encode(), "text/csv")})
            except httpx.HTTPError as exc:
                raise Unavailable(f"DROP cannot be reached ({type(exc).__name__}).") from exc
        if response.status_code != 202 and SENT_BEFORE not in response.text:
            raise Unavailable(f"DROP answered {response.status_code} when it was sent {name}.")

    def _client(self) -> httpx.Client:
        return httpx.Client(
            base_url=self.url,
            headers={"X-API-KEY": self.key, "Accept": "application/zip, application/json"},
            timeout=TIMEOUT_S,
            transport=self.transport,
            trust_env=False,
        )


@dataclass
class DropPlatform:
    """Fetches a download when one is due, and sends what was decided since. One thread at a time may call it."""

    context: AppContext
    client: PlatformClient
    people: Path | None
    tenant: str = OPERATING_TENANT
    every: timedelta = timedelta(days=30)
    _send_at: float = 0.0
    _fetch_at: float = 0.0

    def run(self) -> float | None:
        """Answer, and fetch where it is time; returns after how many seconds to look again.

        Raises Unavailable, or BadInput where the register cannot be read: nothing is fetched that could not be matched.
        """
        if time.monotonic() >= self._send_at:
            self._send_at = time.monotonic() + SEND_EVERY_S
            self.send_decided()  # raises where a file is refused; the next round then fetches
        if time.monotonic() >= self._fetch_at:
            self._fetch_at = time.monotonic() + SEND_EVERY_S
            self._fetch_at = time.monotonic() + self._fetch_if_due()
        return max(0.0, min(self._send_at, self._fetch_at) - time.monotonic())

    def _of_tenant(self) -> AppContext:
        with transaction(self.context.database) as session:
            return self.context.of_tenant(self.tenant, models.model_in_use(session, self.tenant))

    def _fetch_if_due(self) -> float:
        """Fetch a download where one is due; after how many seconds to look again."""
        context = self._of_tenant()
        with transaction(context.database) as session:
            fetched = DropList.tenant_id == self.tenant, DropList.fetched
            newest = session.scalar(select(func.max(DropList.created_at)).where(*fetched))
            untried = DropList.status == "waiting", DropList.attempts == 0  # what was tried in vain stops no other
            waits = session.scalar(select(func.count()).where(*fetched, *untried))
        if waits:
            return SEND_EVERY_S
        if newest is not None and (left := newest + self.every - utc_now()) > timedelta():
            return min(BUSY_S, left.total_seconds())
        if self.people is None:
            raise BadInput(NO_REGISTER)
        Register.read(self.people)  # before the platform counts the download as ours
        answered = self.client.download()
        if answered.status == PREPARING:
            return answered.retry_after_s
        if answered.status == COMPLETE_FIRST:
            logger.info("DROP gives no new list until all work items of the last one are answered")
            return BUSY_S
        with sealing.change(context) as session:
            if answered.archive is None:
                self._note_empty(session)
            else:
                self._take_in(session, context, answered.archive)
        return 0.0

    def _take_in(self, session: Session, context: AppContext, archive: bytes) -> None:
        try:
            download = lists.read_download(archive, "")
        except (BadInput, TooLarge) as exc:
            logger.error("a download of DROP cannot be read, and is kept: %s", exc.detail)
            service.take_in_unread(session, context, self.tenant, SYSTEM_ACTOR, archive, exc.detail)
            return
        service.take_in(session, context, self.tenant, SYSTEM_ACTOR, download, fetched=True)

    def _note_empty(self, session: Session) -> None:
        now, number = utc_now(), uuid.uuid4()
        session.add(
            DropList(
                id=number,
                tenant_id=self.tenant,
                owner=SYSTEM_ACTOR,
                fetched=True,
                sha256=Download((), 0).sha256,
                status="succeeded",
                object_key="",
                received_at=now,
                rows=0,
                created_at=now,
                finished_at=now,
            )
        )
        audit_log.append_leaf(session, SYSTEM_ACTOR, "drop.nothing_new", str(number), {})

    def answer_not_found(self, row: DropList, download: Download, matched: Mapping[str, int | None]) -> None:
        """Answer the work items that nobody in the register has: nothing is kept by which it could be done later."""
        for each in download.lists:
            if each.kind is None:
                continue
            answers = service.answers((item.id for item in each.items()), matched)
            if answers:
                self.client.send(
                    lists.response_name(each.stem, NOT_FOUND_SUFFIX),
                    lists.response_file(answers),
                    amend=False,
                )

    def send_decided(self) -> None:
        """Send the statuses that are new, and correct those that have changed.

        A file that the platform refuses keeps back no other: Unavailable is raised after them.
        """
        context = self._of_tenant()
        with transaction(context.database) as session:
            of_fetched = select(DropMatch.item_id, DropMatch.file, func.max(DropMatch.reported).label("reported"))
            of_fetched = of_fetched.join(DropList, DropList.id == DropMatch.list_id).where(
                DropMatch.tenant_id == self.tenant, DropMatch.removed_at.is_(None), DropList.fetched
            )
            rows = session.execute(of_fetched.group_by(DropMatch.item_id, DropMatch.file)).all()
            known = service.statuses(session, self.tenant, (row.item_id for row in rows))
        new: dict[tuple[str, bool], list[tuple[str, int]]] = defaultdict(list)
        for row in rows:
            status = known.get(row.item_id)
            if status is not None and status != row.reported:
                new[row.file, row.reported is not None].append((row.item_id, status))
        refused: Unavailable | None = None
        for (stem, amend), answers in new.items():
            name = lists.response_name(stem, _unique_suffix())
            try:
                self.client.send(name, lists.response_file(answers), amend=amend)
            except Unavailable as exc:
                refused = exc
                continue
            self._note_reported(context, answers)
            logger.info("DROP was sent the statuses of %d work items", len(answers))
        if refused is not None:
            raise refused

    def _note_reported(self, context: AppContext, answers: Sequence[tuple[str, int]]) -> None:
        by_status: dict[int, list[str]] = defaultdict(list)
        for item, status in answers:
            by_status[status].append(item)
        with transaction(context.database) as session:
            for status, items in by_status.items():
                of_items = update(DropMatch).where(DropMatch.tenant_id == self.tenant, DropMatch.item_id.in_(items))
                session.execute(of_items.values(reported=status, reported_at=utc_now()))
            detail = {"statuses": {str(status): len(items) for status, items in by_status.items()}}
            audit_log.append_leaf(session, SYSTEM_ACTOR, "drop.reported", self.tenant, detail)


def _retry_after(response: httpx.Response) -> float:
    text = response.headers.get("retry-after", "")
    return min(LATEST_S, max(SOONEST_S, float(text))) if text.isdigit() else 60.0


def _unique_suffix() -> str:
    """A suffix that no file had before: the time in hundredths of a second, in base 36."""
    number, digits = time.time_ns() // 10_000_000, ""
    while number:
        number, digit = divmod(number, 36)
        digits = BASE_36[digit] + digits
    return digits[-10:]
