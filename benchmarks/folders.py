"""Which folder `--model` means."""

import argparse
from pathlib import Path


def model_folder(named: str) -> Path:
    """A folder as it is given, else the one of that name under `models/`; it holds weights and a `reference/`."""
    for folder in (Path(named), Path("models") / named):
        if (folder / "reference").is_dir():
            return folder
    raise argparse.ArgumentTypeError(f"neither {named} nor models/{named} is a folder with a reference/ of its people")
