"""Python imports this module at the start of each process of a chaos stack; only the harness puts it on the path."""

import os
from pathlib import Path

from benchmarks.chaos.fault_injection import install

if folder := os.environ.get("CHAOS_FOLDER"):
    install(Path(folder))
