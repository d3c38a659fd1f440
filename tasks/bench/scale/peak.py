"""Memory of this process and of the device: what is used, the most that was used, and how fast it is copied."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import torch

_STATM: Final = Path("/proc/self/statm")
_INTERVAL: Final = 0.02


class PeakMemory:
    """The most memory that was used while a block ran, in bytes; 0 where the system does not say."""

    bytes = 0


@contextmanager
def peak_memory(device: torch.device) -> Iterator[PeakMemory]:
    """Measure the most memory that is used while the block runs: of the device, or of this process on a CPU."""
    found = PeakMemory()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        yield found
        found.bytes = torch.cuda.max_memory_allocated(device)
        return
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_INTERVAL):
            found.bytes = max(found.bytes, resident_bytes())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        ended.set()
        watcher.join()
        found.bytes = max(found.bytes, resident_bytes())


def resident_bytes() -> int:
    """Bytes of this process in memory; 0 where the system does not say."""
    if not _STATM.exists():
        return 0
    return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def copy_bandwidth(device: torch.device, size: int = 1 << 29) -> float:
    """Bytes per second that are read and written while memory is copied: the best of five copies."""
    source = torch.ones(size, dtype=torch.uint8, device=device)
    target = torch.zeros_like(source)
    best = 0.0
    for _ in range(5):
        started = now(device)
        target.copy_(source)
        best = max(best, 2 * size / max(now(device) - started, 1e-9))
    return best


def now(device: torch.device) -> float:
    """Seconds: of this thread's processor time where one thread of a CPU does all the work, else of a clock."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return time.thread_time() if torch.get_num_threads() == 1 else time.perf_counter()
