"""Another engine's server as a process of its own, on a free port, from its start until it is ended."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import httpx

ENDS_S: Final = 60
LOG_END: Final = 4_000  # characters that an error repeats
TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")


class EngineProcess(NamedTuple):
    """`url`: with the version, as OpenAI's clients take it. `pid`: of the process that leads the server's session."""

    url: str
    pid: int

    def cpu_s(self) -> float:
        """CPU seconds so far of all processes of the server, those included that have ended."""
        return sum(_cpu_s_of_session(self.pid))


@contextmanager
def engine_process(
    command: Callable[[int], Sequence[str | Path]],
    log: Path,
    *,
    ready: str,
    starts_s: float,
    environment: Mapping[str, str] | None = None,
) -> Iterator[EngineProcess]:
    """The server of `command`, which is given its port, as soon as it answers at the path `ready`; one thread.

    Raises RuntimeError with the end of its log where it ends, or does not answer in `starts_s`.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    variables = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"} | dict(environment or {})
    with log.open("wb") as output:
        process = subprocess.Popen(command(port), stdout=output, stderr=output, env=variables, start_new_session=True)
    try:
        until = time.monotonic() + starts_s
        while not _answers(f"http://127.0.0.1:{port}{ready}"):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(log.read_text(errors="replace")[-LOG_END:])
            time.sleep(0.2)
        yield EngineProcess(f"http://127.0.0.1:{port}/v1", process.pid)
    finally:
        process.terminate()
        try:
            process.wait(timeout=ENDS_S)
        except subprocess.TimeoutExpired:  # it is still starting, and listens to nobody
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _cpu_s_of_session(leader: int) -> Iterator[float]:
    """Of each living process of the session, with its ended children: fields 14 to 17 of /proc/PID/stat (proc(5))."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if int(fields[3]) == leader:
            yield sum(int(ticks) for ticks in fields[11:15]) * TICK_S


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
