"""How much memory there is for a model."""

from pathlib import Path
from typing import Final

import torch

MEMINFO: Final = Path("/proc/meminfo")
CGROUP: Final = Path("/sys/fs/cgroup")  # version 2: the limit of the container that this process runs in


def bytes_free(device: torch.device) -> int | None:
    """What may still be taken on that device; None where the system does not say."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    limits = [free for free in (_machine(), _container()) if free is not None]
    return min(limits, default=None)


def _machine() -> int | None:
    """`MemAvailable` of Linux: what can be taken without swapping, in bytes."""
    try:
        lines = MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _container() -> int | None:
    """The limit of the container less what it uses; file pages that can be dropped do not count as used."""
    try:
        limit = (CGROUP / "memory.max").read_text(encoding="ascii").strip()
        used = int((CGROUP / "memory.current").read_text(encoding="ascii"))
        statistics = dict(line.split() for line in (CGROUP / "memory.stat").read_text(encoding="ascii").splitlines())
    except (OSError, ValueError):
        return None
    return None if limit == "max" else int(limit) - used + int(statistics.get("inactive_file", 0))
