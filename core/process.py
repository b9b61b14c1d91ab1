"""How this process is, told to the metrics every few seconds: prometheus_client's own collector of processes knows only
the one that is asked, where several share their metrics.
"""

import gc
import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from prometheus_client import Counter, Gauge

from core.recurring import Recurring

_SECONDS = 5.0
_FILES, _MEMORY = Path("/proc/self/fd"), Path("/proc/self/statm")
_PAGE = resource.getpagesize()
_KILOBYTE = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
# By the process, where there are several: the sum of two says nothing of the one that grows.
_RESIDENT = Gauge("portico_process_resident_bytes", "Memory that the process holds.", multiprocess_mode="liveall")
_OPEN = Gauge("portico_process_open_files", "Files and sockets that it has open.", multiprocess_mode="liveall")
_MOST_OPEN = Gauge("portico_process_max_open_files", "How many it may have.", multiprocess_mode="livemin")
_CPU = Counter("portico_process_cpu_seconds_total", "Time of the processor that the processes have taken.")
_COLLECTED = Counter("portico_process_gc_total", "Looks for garbage in all that there is.")
_BUILD = Gauge("portico_build_info", "1: which program runs.", ("version", "python"), multiprocess_mode="livemax")


class _Seen:
    """Of what is counted, what the metrics have been told."""

    def __init__(self) -> None:
        self.cpu = 0.0
        self.collected = 0


_seen = _Seen()


def watching(*tell: Callable[[], None]) -> Recurring:
    """To be entered, once in each process. `tell`: what else the metrics are told as often."""
    _BUILD.labels(version("portico"), platform.python_version()).set(1)
    _MOST_OPEN.set(resource.getrlimit(resource.RLIMIT_NOFILE)[0])

    async def turn() -> float:
        _tell_process(_seen)
        for each in tell:
            each()
        return _SECONDS

    return Recurring("watching", turn)


def _tell_process(seen: _Seen) -> None:
    cpu, collected = time.process_time(), gc.get_stats()[-1]["collections"]
    _CPU.inc(cpu - seen.cpu)
    _COLLECTED.inc(collected - seen.collected)
    seen.cpu, seen.collected = cpu, collected
    _RESIDENT.set(_resident())
    if _FILES.is_dir():
        _OPEN.set(len(os.listdir(_FILES)))  # noqa: PTH208  many, and only their number is wanted


def _resident() -> int:
    """In bytes: what it holds now, and where the system does not say, the most that it held."""
    if _MEMORY.exists():
        return int(_MEMORY.read_text().split()[1]) * _PAGE
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KILOBYTE
