"""Thousands of random clients that leave at any byte, never read, dawdle, flood and send garbage.

Whatever they do, an honest request is answered afterwards, and nothing of theirs is left: no task, no connection, no
answer that is still computed.
"""

import asyncio
import json
import logging
import random
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.services.inference.protocol.conftest import KEY, MODEL, TEXT, Service, wait_for

AT_ONCE = 64
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Behaviour = Callable[[random.Random, Connection], Awaitable[None]]


def valid(draw: random.Random, key: str = KEY) -> bytes:
    """A request that could be answered."""
    requests: list[tuple[str, dict[str, Any]]] = [
        ("chat/completions", {"messages": [{"role": "user", "content": "Hello!"}], "n": draw.randint(1, 3)}),
        ("completions", {"prompt": ["Hello!"] * draw.randint(1, 3)}),
        ("responses", {"input": "Hello!"}),
    ]
    path, body = draw.choice(requests)
    members = body | {"model": MODEL, "stream": draw.random() < 0.7}
    sent = json.dumps(members).encode()
    return (
        f"POST /v1/{path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(sent)}\r\n"
        f"Authorization: Bearer {key}\r\n\r\n"
    ).encode() + sent


async def leaves_while_asking(draw: random.Random, connection: Connection) -> None:
    sent = valid(draw)
    connection[1].write(sent[: draw.randrange(len(sent))])


async def leaves_while_it_is_answered(draw: random.Random, connection: Connection) -> None:
    connection[1].write(valid(draw))
    await connection[0].read(draw.randrange(1, 3000))


async def never_reads(draw: random.Random, connection: Connection) -> None:
    connection[1].write(valid(draw) * draw.randint(1, 4))
    await asyncio.sleep(draw.random() / 10)


async def dawdles(draw: random.Random, connection: Connection) -> None:
    sent = valid(draw)
    while sent and draw.random() < 0.9:
        size = draw.randint(1, 80)
        connection[1].write(sent[:size])
        sent = sent[size:]
        await asyncio.sleep(0.001)


async def sends_garbage(draw: random.Random, connection: Connection) -> None:
    connection[1].write(draw.randbytes(draw.randint(1, 2000)))
    await connection[0].read(100)


async def sends_damaged_requests(draw: random.Random, connection: Connection) -> None:
    sent = bytearray(valid(draw))
    for _ in range(draw.randint(1, 8)):
        sent[draw.randrange(len(sent))] = draw.randrange(256)
    connection[1].write(sent)
    assert not (await connection[0].read(12)).endswith(b"500")


async def floods(draw: random.Random, connection: Connection) -> None:
    connection[1].write(valid(draw) * draw.randint(5, 20))
    await connection[0].read(draw.choice([0, 100, 10_000]))


async def has_no_key(draw: random.Random, connection: Connection) -> None:
    connection[1].write(valid(draw, f"lk_{draw.randrange(5)}"))
    received = await connection[0].read(12)
    assert received in (b"", b"HTTP/1.1 401", b"HTTP/1.1 429")


async def is_honest(draw: random.Random, connection: Connection) -> None:
    connection[1].write(valid(draw).replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nConnection: close\r\n"))
    received = await connection[0].read()
    assert received.startswith(b"HTTP/1.1 200"), received[:300]


BEHAVIOURS: tuple[Behaviour, ...] = (
    leaves_while_asking,
    leaves_while_it_is_answered,
    never_reads,
    dawdles,
    sends_garbage,
    sends_damaged_requests,
    floods,
    has_no_key,
    is_honest,
)


async def client(url: str, seed: int, places: asyncio.Semaphore) -> None:
    """One client, who does what its seed says and then hangs up, as a program or as a broken cable does."""
    draw, where = random.Random(seed), urlsplit(url)
    async with places:
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        try:
            async with asyncio.timeout(60):
                await draw.choice(BEHAVIOURS)(draw, (reader, writer))
                await writer.drain()
        except ConnectionError:
            pass  # it was cut off, as it may be
        finally:
            if draw.random() < 0.5:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.close()


async def all_clients(url: str, first: int, count: int) -> None:
    places = asyncio.Semaphore(AT_ONCE)
    await asyncio.gather(*(client(url, first + number, places) for number in range(count)))


def check(service: Service, caplog: pytest.LogCaptureFixture, first: int, count: int) -> None:
    asyncio.run(all_clients(service.url, first, count))
    answer = service.chat()
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == TEXT
    assert wait_for(lambda: service.at_rest)
    assert not [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


def test_honest_request_is_answered_after_random_clients(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    check(service, caplog, first=0, count=1200)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("round_number", range(10))
def test_honest_request_is_answered_after_many_random_clients(
    service: Service, caplog: pytest.LogCaptureFixture, round_number: int
) -> None:
    check(service, caplog, first=1_000_000 * (1 + round_number), count=5000)
