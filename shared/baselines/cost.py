"""Wall time and peak memory of a piece of work. On a CPU the resident memory of the whole process counts.

Before the measurement the allocator returns the memory that it kept from earlier work (malloc_trim(3), glibc only);
otherwise the work would reuse that memory without its being counted.
"""

import ctypes
import gc
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path

import torch

STATUS = Path("/proc/self/status")


class Meter:
    """Starts when it is created. On Linux the peak is reset then; elsewhere it is the process's highest ever."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device if device.type == "cuda" else None
        if self._cuda is not None:
            torch.cuda.reset_peak_memory_stats(self._cuda)
            self._before = torch.cuda.memory_allocated(self._cuda)
        else:
            gc.collect()
            with suppress(OSError, AttributeError):
                ctypes.CDLL(None).malloc_trim(0)
            with suppress(OSError):
                Path("/proc/self/clear_refs").write_text("5")  # proc(5): resets the peak resident set size
            self._before = _resident("VmRSS")
        self._began = time.monotonic()

    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def peak(self) -> int:
        """The most bytes in use since the start."""
        return torch.cuda.max_memory_allocated(self._cuda) if self._cuda is not None else _resident("VmHWM")

    def added(self) -> int:
        """How many bytes the peak rose above what was in use at the start."""
        return max(0, self.peak() - self._before)


def _resident(field: str) -> int:
    if STATUS.is_file():
        for line in STATUS.read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest if sys.platform == "darwin" else highest * 1024
