"""Bodies are bounded as they arrive, and what comes after them is not."""

import asyncio
from typing import Any

import pytest
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from shared.core import admission
from shared.core.admission import Admission, BodyBound
from shared.errors import LacunaError, TooLarge


class Open(Admission):
    async def admit(self, scope: Scope) -> BodyBound:
        return BodyBound(100, members=4)


def read_all(parts: list[Message], **patched: Any) -> list[Message]:
    """What an application reads of a body that comes in `parts`; it then waits for the client to leave."""
    read: list[Message] = []

    async def application(_: Scope, receive: Receive, __: Send) -> None:
        while not read or read[-1].get("more_body"):
            read.append(await receive())
        await asyncio.sleep(0.1)
        read.append(await receive())

    async def receive() -> Message:
        return parts.pop(0)

    async def send(_: Message) -> None: ...

    def rendered(error: LacunaError) -> Response:
        return Response(status_code=error.status)

    gate = Open(application, rendered)
    scope = {"type": "http", "method": "POST", "path": "/v1/x", "headers": []}
    asyncio.run(gate(scope, receive, send))
    assert (gate._requests, gate._bytes) == (0, 0)
    return read


def part(body: bytes, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def test_client_that_leaves_late_is_no_slow_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "BODY_S", 0.05)
    assert read_all([part(b"{}"), {"type": "http.disconnect"}])[-1]["type"] == "http.disconnect"


def test_body_that_is_longer_than_it_was_announced_to_be_is_refused() -> None:
    with pytest.raises(TooLarge, match="KB"):
        read_all([part(b"x" * 60, more=True), part(b"x" * 60)])


def test_members_are_counted_over_all_parts() -> None:
    with pytest.raises(TooLarge, match="4 members"):
        read_all([part(b"[1,2,", more=True), part(b"3,4,5]")])
