"""Three replicas while versions are swapped under load: killed, without announcements, cut off from store and database.

`make chaos` runs it longer. What is checked stands in benchmarks/chaos/replicas.py.
"""

import socket
import threading
from collections.abc import Iterator

import pytest

from benchmarks.chaos.cable import Cable
from benchmarks.chaos.replica_stack import LEASE_S
from benchmarks.chaos.replicas import run
from shared.devstack.backends import temporary_data
from shared.devstack.postgres import ON_DISK


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    """A server that sends back what it gets, to any number of clients."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(client: socket.socket) -> None:
            with client:
                while chunk := client.recv(100):
                    client.sendall(chunk)

        def accept() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()


def test_cut_cable_is_silent_and_a_repaired_one_resets_what_was_open(echo: tuple[str, int]) -> None:
    cable = Cable(echo)
    before = socket.create_connection(("127.0.0.1", cable.port))
    before.sendall(b"one")
    assert before.recv(10) == b"one"
    cable.cut()
    during = socket.create_connection(("127.0.0.1", cable.port))
    for client in (before, during):
        client.sendall(b"two")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(10)
    cable.repair()
    for client in (before, during):
        client.settimeout(10)
        assert client.recv(10) == b""
    with socket.create_connection(("127.0.0.1", cable.port), timeout=10) as after:
        after.sendall(b"three")
        assert after.recv(10) == b"three"
    before.close()
    during.close()
    cable.close()


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_no_answer_mixes_versions_and_a_replica_that_is_cut_off_answers_nothing_old() -> None:
    with temporary_data("replicas-", ON_DISK) as data:
        report = run(2, data)
    phases = {phase["name"]: phase for phase in report["phases"]}
    assert {name: phase["problems"] for name, phase in phases.items() if phase["problems"]} == {}
    assert len(phases) == 6
    assert all(phase["answers"] > 0 and phase["swaps"] > 0 for phase in phases.values())
    assert phases["cut off from the database"]["refused_s"] <= LEASE_S
