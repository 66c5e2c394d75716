"""Free ports on the loopback address."""

import socket
from contextlib import ExitStack

LOOPBACK = "127.0.0.1"


def free_ports(count: int, below: int = 65536) -> list[int]:
    """`count` different ports, all below `below`, on which nothing listens."""
    ports: list[int] = []
    with ExitStack() as stack:
        while len(ports) < count:
            listener = stack.enter_context(socket.socket())
            listener.bind((LOOPBACK, 0))
            port = listener.getsockname()[1]
            if port < below:
                ports.append(port)
    return ports


def row_of_ports(first: int, count: int) -> list[int]:
    """`count` ports from `first` on; where one of them is taken, free ones."""
    row = list(range(first, first + count))
    return free_ports(count) if any(taken(port) for port in row) else row


def taken(port: int) -> bool:
    """Whether something listens on `port`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False
