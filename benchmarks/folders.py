"""The folder that `--model` names."""

import argparse
from pathlib import Path


def model_folder(name: str) -> Path:
    """Return the folder itself or that of this name under `models/`; it has weights and a `reference/`.

    Raises ArgumentTypeError if neither exists.
    """
    for folder in (Path(name), Path("models") / name):
        if (folder / "reference").is_dir():
            return folder
    raise argparse.ArgumentTypeError(f"neither {name} nor models/{name} is a folder with a reference/ of its people")
