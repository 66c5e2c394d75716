"""Python imports this when it starts in a process of a chaos stack: only the harness puts this folder on a path."""

import os
from pathlib import Path

from benchmarks.chaos.fault_injection import install

if folder := os.environ.get("CHAOS_FOLDER"):
    install(Path(folder))
