"""Has the newest signed checkpoint time-stamped by an outside authority (RFC 3161), at most as often as configured.

From then on the operator cannot rewrite what stood in the log before that time, even with all of their keys. A token is
verified before it is kept, in the object store beside the checkpoint and in a table. An authority that cannot be
reached is asked again, less and less often; nothing else waits for it. One token covers all leaves before it, so that a
missed token loses nothing. The timestamper appends no leaf to the log: a leaf would need the next token.
"""

import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import httpx
from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.core.config import Settings
from shared.db.models.transparency import LogTimestamp
from shared.db.repositories import audit_log
from shared.db.session import transaction
from shared.errors import BadInput, LacunaError, Unavailable
from shared.storage.base import ObjectStore
from shared.storage.object_keys import timestamp_key
from shared.transparency.timestamps import MOST, TimestampAuthority

logger = logging.getLogger(__name__)
FIRST_RETRY_S: Final = 30.0
TIMEOUT_S: Final = 15.0


@dataclass
class Timestamper:
    """`run_once()` asks the authority for one token, where one is due."""

    database: Engine
    store: ObjectStore
    url: str
    authority: TimestampAuthority
    every: timedelta
    _not_before: float = 0.0
    _pause_s: float = FIRST_RETRY_S

    @classmethod
    def from_settings(cls, settings: Settings, database: Engine, store: ObjectStore) -> "Timestamper | None":
        """The configured timestamper; None without one. Raises BadInput where the authority's CA cannot be read."""
        if not settings.tsa.url:
            return None
        if settings.tsa.ca is None:
            raise BadInput("LACUNA_TSA_CA must be set where LACUNA_TSA_URL is: tokens are verified with it.")
        try:
            authority = TimestampAuthority.read(settings.tsa.ca.read_bytes(), settings.tsa.policy)
        except OSError as exc:
            raise BadInput(f"LACUNA_TSA_CA, {settings.tsa.ca}, cannot be read: {exc.strerror}.") from exc
        return cls(database, store, settings.tsa.url, authority, timedelta(seconds=settings.tsa.every_s))

    def run_once(self) -> int | None:
        """Return the size of the checkpoint that was time-stamped, None where nothing was due.

        Raises Unavailable where the authority or a backend cannot be reached, IntegrityFailure where the token does not
        verify. The next rounds then wait 30 s, and twice as long each time, up to the configured interval.
        """
        if time.monotonic() < self._not_before:
            return None
        try:
            stamped = self._stamp()
        except LacunaError:
            self._not_before = time.monotonic() + self._pause_s
            self._pause_s = min(2 * self._pause_s, max(FIRST_RETRY_S, self.every.total_seconds()))
            raise
        self._pause_s = FIRST_RETRY_S
        self._not_before = time.monotonic() + min(self.every.total_seconds(), 5.0)
        return stamped

    def _stamp(self) -> int | None:
        with transaction(self.database) as session:
            newest, last = audit_log.newest_checkpoint(session), audit_log.newest_timestamp(session)
        if newest is None or (last is not None and newest.size == last.size):
            return None
        if last is not None and abs(utc_now() - last.made_at) < self.every:  # a clock that was set back stops nothing
            return None
        note = newest.note.encode()
        request = self.authority.request(note)
        token = self._ask(request.der)
        verified = self.authority.check(token, note, newest.size, request.nonce)
        self.store.put(timestamp_key(newest.size), token)
        values = {"size": newest.size, "token": token, "attested_at": verified.at, "made_at": utc_now()}
        with transaction(self.database) as session:
            session.execute(insert(LogTimestamp).values(values).on_conflict_do_nothing())
        logger.info("the log is time-stamped: %s", verified.sentence())
        return newest.size

    def _ask(self, request: bytes) -> bytes:
        """Post a request (RFC 3161, section 3.4). Follows no redirect, and reads no more than the size of a token."""
        head = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
        try:
            with (
                httpx.Client(timeout=TIMEOUT_S, trust_env=False, follow_redirects=False) as client,
                client.stream("POST", self.url, content=request, headers=head) as reply,
            ):
                if reply.status_code != httpx.codes.OK:
                    raise Unavailable(f"The time-stamping authority answers with status {reply.status_code}.")
                token = b""
                for part in reply.iter_bytes():
                    token += part
                    if len(token) > MOST:
                        raise Unavailable("The answer of the time-stamping authority is too large.")
                return token
        except httpx.HTTPError as exc:
            raise Unavailable(f"The time-stamping authority cannot be reached ({type(exc).__name__}).") from exc
        except httpx.InvalidURL as exc:
            raise BadInput("LACUNA_TSA_URL is not a URL.") from exc


def state(session: Session) -> dict[str, Any] | None:
    """For the status: the newest checkpoint with a time-stamp, and how many signed leaves are newer."""
    last, newest = audit_log.newest_timestamp(session), audit_log.newest_checkpoint(session)
    if last is None or newest is None:
        return None
    return {"size": last.size, "at": last.attested_at, "newer_leaves": newest.size - last.size}
