"""llama.cpp's own server in an environment of its own, with SmolLM2: an engine to stand in front of, unmodified.

`llama-cpp-python[server]` has no wheel: it is built from source, once, into the folder that LACUNA_LLAMA_FOLDER names
(about six minutes on two cores with cmake, ninja and g++). The weights are those of which `make real-lm` is made.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.engine_process import EngineProcess, engine_process
from training.real_lm import download, unpack

FOLDER: Final = Path(os.environ.get("LACUNA_LLAMA_FOLDER") or Path(tempfile.gettempdir()) / "lacuna-llama-cpp")
PACKAGE: Final = "llama-cpp-python[server]==0.3.36"
MODEL: Final = "smol-lm"  # what the server calls it
CONTEXT: Final = 2048
STARTS_S: Final = 300


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
def served_by_llama() -> Iterator[EngineProcess]:
    """The server with one thread.

    By default it breaks off the answer under way when another request comes, which suits one user alone.
    """
    python, model = install(), weights()
    options = {
        "model": model, "model_alias": MODEL, "n_ctx": CONTEXT, "n_threads": 1, "n_threads_batch": 1,
        "interrupt_requests": "false", "host": "127.0.0.1",
    }  # fmt: skip
    line = [str(python), "-m", "llama_cpp.server", *(str(x) for name in options for x in (f"--{name}", options[name]))]
    log = FOLDER / "server.log"
    with engine_process(
        lambda port: [*line, "--port", str(port)], log, ready="/v1/models", starts_s=STARTS_S
    ) as server:
        yield server
