"""Free ports on the loopback address, each reserved for the stack that chose it.

A server binds its port seconds after it was chosen, so two stacks that start on one machine could choose the same one.
A chosen port is therefore reserved until this process ends, by a socket in the abstract namespace (unix(7)): it belongs
to the network namespace as ports do, needs no file, and is gone with its process, however that ends.

Ports are chosen outside the range from which the system takes the ports of outgoing connections (ip(7)): otherwise a
connection of anybody could have the port before its server does.
"""

import atexit
import errno
import random
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from shared.errors import Unavailable

LOOPBACK = "127.0.0.1"
FIRST: Final = 15_000  # below are the ports that people choose
USUAL_LAST: Final = 32_767
OUTGOING: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
RESERVED: Final[dict[int, socket.socket]] = {}  # those of this process


@atexit.register
def _release() -> None:
    """Close what reserves the ports; the system would do so too, and Python warn of it."""
    for mark in RESERVED.values():
        mark.close()


def free_ports(count: int, below: int = 65536) -> list[int]:
    """`count` different ports, all below `below`, on which nothing listens and which no other stack has chosen.

    They are reserved until this process ends. Raises Unavailable where there are not so many.
    """
    ports: list[int] = []
    candidates = list(range(FIRST, min(_last() + 1, below)))
    random.SystemRandom().shuffle(candidates)
    for port in candidates:
        if len(ports) == count:
            break
        if port not in RESERVED and not taken(port) and reserve(port):
            ports.append(port)
    if len(ports) < count:
        ports += _any_ports(count - len(ports), below)
    return ports


def row_of_ports(first: int, count: int) -> list[int]:
    """`count` ports from `first` on, reserved; where one of them is taken, free ones."""
    row = list(range(first, first + count))
    return row if all(not taken(port) and reserve(port) for port in row) else free_ports(count)


def taken(port: int) -> bool:
    """Whether something listens on `port`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def reserve(port: int) -> bool:
    """Reserve `port` for this process; False where another process has. Where nothing can be reserved, all is free."""
    if port in RESERVED:
        return True
    mark = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        mark.bind(f"\0lacuna-port-{port}")
    except OSError as exc:
        mark.close()
        return exc.errno != errno.EADDRINUSE
    RESERVED[port] = mark
    return True


def _last() -> int:
    """The last port before those of outgoing connections."""
    try:
        first_outgoing = int(OUTGOING.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return USUAL_LAST
    return first_outgoing - 1 if first_outgoing > FIRST else USUAL_LAST


def _any_ports(count: int, below: int) -> list[int]:
    """Ports that the system gives: where all others are taken."""
    ports: list[int] = []
    with ExitStack() as stack:
        for _ in range(100 * count):
            listener = stack.enter_context(socket.socket())
            listener.bind((LOOPBACK, 0))
            port = int(listener.getsockname()[1])
            if port < below and reserve(port):
                ports.append(port)
            if len(ports) == count:
                return ports
    raise Unavailable(f"There are no {count} free ports below {below} on this machine.")
