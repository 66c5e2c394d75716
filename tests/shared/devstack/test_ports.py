"""Two stacks that start at once on one machine choose different ports."""

import multiprocessing
import socket
from pathlib import Path

import pytest

from shared.devstack import ports
from shared.devstack.ports import LOOPBACK, RESERVED, free_ports, reserve, row_of_ports, taken
from shared.errors import Unavailable


def _choose(sender: "multiprocessing.connection.Connection", last: int) -> None:
    """Another process: choose ports, say which, and go on living until told."""
    ports.FIRST, ports.USUAL_LAST = last - 19, last  # type: ignore[misc]
    ports.OUTGOING = Path("/nonexistent")  # type: ignore[misc]
    sender.send(free_ports(10))
    sender.recv()


def _other(last: int) -> "tuple[multiprocessing.connection.Connection, multiprocessing.process.BaseProcess]":
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_choose, args=(theirs, last), daemon=True)
    process.start()
    return ours, process


def test_two_processes_that_choose_among_few_ports_choose_different_ones_and_give_them_back_at_their_end() -> None:
    last = next(port for port in free_ports(1) if port > ports.FIRST + 40)
    (one, first), (two, second) = _other(last), _other(last)
    chosen = [one.recv(), two.recv()]
    assert len(set(chosen[0]) | set(chosen[1])) == 20
    assert not any(reserve(port) for port in chosen[0])
    one.send(None)
    first.join(20)
    assert all(reserve(port) for port in chosen[0])
    two.send(None)
    second.join(20)
    for port in chosen[0]:
        RESERVED.pop(port).close()


def test_ports_are_outside_those_of_outgoing_connections() -> None:
    first_outgoing = int(ports.OUTGOING.read_text().split()[0])
    chosen = free_ports(50)
    assert len(set(chosen)) == 50
    if first_outgoing > ports.FIRST:
        assert max(chosen) < first_outgoing
    assert all(port in RESERVED for port in chosen)
    assert not set(free_ports(50)) & set(chosen)


def test_row_with_a_taken_port_is_elsewhere() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
        assert taken(port)
        row = row_of_ports(port - 1, 3)
    assert port not in row
    assert len(set(row)) == 3


def test_where_no_port_is_left_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_last", lambda: ports.FIRST)
    with pytest.raises(Unavailable, match="There are no 3 free ports below 2"):
        free_ports(3, below=2)
