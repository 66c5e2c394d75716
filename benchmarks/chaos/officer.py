"""Officers who do not give up: each request carries an Idempotency-Key and is sent again until it is answered.

What was answered 2xx is remembered: the harness holds it against the database afterwards.
"""

import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from services.cli.demo.results import data_url
from shared.evaluation.synthetic_people import Person

AGAIN_S: Final = 0.2
PATIENCE_S: Final = 180.0
CONFLICT, FAILED_BEFORE = 409, 412


@dataclass
class Desk:
    """The officer's API over HTTP, with the keys of its first people."""

    url: str
    keys: Mapping[str, str]
    accepted: list[tuple[str, str]] = field(default_factory=list)  # (ticket, what was answered 2xx)
    resent: int = 0

    def file(self, person: Person, source: str, *, urgent: bool) -> str:
        """A ticket about `person`; its id."""
        facts = [{"attribute": fact.attribute, "value": fact.value} for fact in person.subject.facts[:4]]
        body = {
            "names": list(person.subject.names),
            "photos": [data_url(person.subject.photos[0])],
            "facts": facts,
            "urgent": urgent,
            "source": source,
        }
        ticket = str(self._insist("olivia", "/v1/tickets", body)["id"])
        self.accepted.append((ticket, "file"))
        return ticket

    def decide(self, ticket: str, verb: str, body: Mapping[str, Any], who: str = "adam") -> None:
        """Approve, reject or withdraw."""
        self._insist(who, f"/v1/tickets/{ticket}/{verb}", body, based_on=f"/v1/tickets/{ticket}")
        self.accepted.append((ticket, verb))

    def get(self, path: str, who: str = "olivia") -> Any:
        """GET, again until it is answered."""
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                answer = httpx.get(self.url + path, headers=self._head(who), timeout=15, trust_env=False)
                if answer.is_success:
                    return answer
            except httpx.HTTPError:
                pass
            if time.monotonic() > until:
                raise TimeoutError(f"GET {path} was not answered within {PATIENCE_S:.0f} s")
            time.sleep(AGAIN_S)

    def _head(self, who: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[who]}"}

    def _insist(self, who: str, path: str, body: Mapping[str, Any], based_on: str = "") -> Any:
        """POST with one Idempotency-Key until the answer is 2xx; raises RuntimeError for a refusal."""
        key, until = str(uuid.uuid4()), time.monotonic() + PATIENCE_S
        while True:
            head = self._head(who) | {"Idempotency-Key": key}
            if based_on:
                head["If-Match"] = self.get(based_on).headers["etag"]
            try:
                answer = httpx.post(self.url + path, headers=head, json=body, timeout=15, trust_env=False)
                if answer.is_success:
                    return answer.json()
                moved = answer.status_code == FAILED_BEFORE and bool(based_on)  # the clerk moved it meanwhile
                in_flight = answer.status_code == CONFLICT and "in-flight" in answer.text
                if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR and not moved and not in_flight:
                    raise RuntimeError(f"POST {path}: {answer.status_code} {answer.text[:300]}")
            except httpx.HTTPError:
                pass
            if time.monotonic() > until:
                raise TimeoutError(f"POST {path} was not answered within {PATIENCE_S:.0f} s")
            self.resent += 1
            time.sleep(AGAIN_S)


class Background(threading.Thread):
    """Work of officers that goes on while things die; its error is raised by `finish`."""

    def __init__(self, work: Any) -> None:
        super().__init__(name="officers", daemon=True)
        self._work = work
        self._error: BaseException | None = None

    def run(self) -> None:
        """See threading."""
        try:
            self._work()
        except BaseException as exc:  # noqa: BLE001 - handed on
            self._error = exc

    def finish(self) -> None:
        """Wait for it; raises what it raised."""
        self.join(timeout=2 * PATIENCE_S)
        if self._error is not None:
            raise self._error
        if self.is_alive():
            raise TimeoutError("the officers did not come to an end")
