"""`lacuna demo` that is ended before it is over leaves no process and no data."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from shared.devstack.postgres import ON_DISK

LACUNA = Path(sys.executable).with_name("lacuna")


def processes_of(folder: Path) -> list[str]:
    """The command lines of the processes that name the folder."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(file.read_text().replace("\0", " "))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return [line for line in lines if str(folder) in line]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_demo_that_is_ended_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LACUNA_")}
    before = set(ON_DISK.glob("lacuna-*"))
    command = [str(LACUNA), "demo"]
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell starts what runs in the background
    demo = subprocess.Popen(
        command, cwd=tmp_path, env=environment | {"TMPDIR": str(tmp_path)}, stdout=subprocess.DEVNULL
    )
    signal.signal(signal.SIGINT, ignored)
    try:
        deadline, pause = time.monotonic() + 120, threading.Event()
        while not processes_of(tmp_path):
            assert time.monotonic() < deadline
            assert demo.poll() is None
            pause.wait(0.05)
        demo.send_signal(number)
        demo.wait(60)
    finally:
        demo.kill()
        demo.wait()
    assert demo.returncode == 130
    assert list(tmp_path.glob("lacuna-demo-*")) == []
    assert set(ON_DISK.glob("lacuna-*")) <= before
    assert processes_of(tmp_path) == []
