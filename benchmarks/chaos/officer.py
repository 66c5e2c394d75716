"""Officers who do not give up: each request carries an Idempotency-Key and is sent again until it is answered.

Every ticket that was answered with 2xx is remembered, so that the harness can compare it with the database.
"""

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from services.cli.demo.results import data_url
from shared.evaluation.people import Person

RETRY_EVERY_S: Final = 0.2
GIVE_UP_AFTER_S: Final = 180.0


@dataclass
class Officers:
    """The officer's API over HTTP, with the keys of the first accounts."""

    url: str
    keys: Mapping[str, str]
    accepted: list[tuple[str, str]] = field(default_factory=list)  # (ticket, action) of every 2xx answer
    resent: int = 0

    def file(self, person: Person, source: str, *, urgent: bool) -> str:
        """File a ticket about `person` and return its id."""
        facts = [{"attribute": fact.attribute, "value": fact.value} for fact in person.subject.facts[:4]]
        body = {
            "names": list(person.subject.names),
            "photos": [data_url(person.subject.photos[0])],
            "facts": facts,
            "urgent": urgent,
            "source": source,
        }
        ticket = str(self._post_until_answered("olivia", "/v1/tickets", body)["id"])
        self.accepted.append((ticket, "file"))
        return ticket

    def decide(self, ticket: str, action: str, body: Mapping[str, Any], officer: str = "adam") -> None:
        """Approve, reject or withdraw the ticket."""
        path = f"/v1/tickets/{ticket}"
        self._post_until_answered(officer, f"{path}/{action}", body, based_on=path)
        self.accepted.append((ticket, action))

    def get(self, path: str, officer: str = "olivia") -> httpx.Response:
        """GET until the answer is 2xx; raises TimeoutError."""
        until = time.monotonic() + GIVE_UP_AFTER_S
        while True:
            try:
                answer = httpx.get(self.url + path, headers=self._headers(officer), timeout=15, trust_env=False)
                if answer.is_success:
                    return answer
            except httpx.HTTPError:
                pass
            if time.monotonic() > until:
                raise TimeoutError(f"GET {path} was not answered within {GIVE_UP_AFTER_S:.0f} s")
            time.sleep(RETRY_EVERY_S)

    def _headers(self, officer: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[officer]}"}

    def _post_until_answered(self, officer: str, path: str, body: Mapping[str, Any], based_on: str = "") -> Any:
        """POST with one Idempotency-Key until the answer is 2xx; raises RuntimeError if the request is refused.

        `based_on` is the path whose present ETag is sent as If-Match.
        """
        key, until = str(uuid.uuid4()), time.monotonic() + GIVE_UP_AFTER_S
        while True:
            headers = self._headers(officer) | {"Idempotency-Key": key}
            if based_on:
                headers["If-Match"] = self.get(based_on).headers["etag"]
            try:
                answer = httpx.post(self.url + path, headers=headers, json=body, timeout=15, trust_env=False)
                if answer.is_success:
                    return answer.json()
                if not _worth_repeating(answer, conditional=bool(based_on)):
                    raise RuntimeError(f"POST {path}: {answer.status_code} {answer.text[:300]}")
            except httpx.HTTPError:
                pass
            if time.monotonic() > until:
                raise TimeoutError(f"POST {path} was not answered within {GIVE_UP_AFTER_S:.0f} s")
            self.resent += 1
            time.sleep(RETRY_EVERY_S)


def _worth_repeating(answer: httpx.Response, *, conditional: bool) -> bool:
    """Whether the same request may succeed later: the server failed, is still at it, or moved the ticket meanwhile."""
    if answer.status_code == httpx.codes.PRECONDITION_FAILED:
        return conditional  # the control loop moved the ticket after its ETag was read
    if answer.status_code == httpx.codes.CONFLICT:
        return "in-flight" in answer.text
    return answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR


class OfficersThread(threading.Thread):
    """Officers at work while processes are killed; `finish` raises the error that ended the work."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(name="officers", daemon=True)
        self._work = work
        self._error: BaseException | None = None

    def run(self) -> None:
        """See threading."""
        try:
            self._work()
        except BaseException as exc:  # noqa: BLE001 - raised again by `finish`
            self._error = exc

    def finish(self) -> None:
        """Wait for the end of the work; raises what the work raised, or TimeoutError."""
        self.join(timeout=2 * GIVE_UP_AFTER_S)
        if self._error is not None:
            raise self._error
        if self.is_alive():
            raise TimeoutError("the officers did not finish their work")
