"""Programs that are measured: on a core of their own, and with what all of their processes use."""

import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

START_SECONDS = 120
_STOP_SECONDS = 25
_PAUSE_SECONDS = 10  # a signal waits for what its process does in the kernel
_STOPPED = {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
_ADDRESS = re.compile(r"http://(?:127\.0\.0\.1|localhost|\[::1\]):\d+")


def cores() -> tuple[int, int]:
    """The core that serves, and the one that asks."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


@dataclass(frozen=True, slots=True)
class Used:
    """By processes with all their children, of which some may be gone."""

    cpu_seconds: float
    rss_mb: float


def used(*roots: psutil.Process) -> Used:
    seconds = rss = 0.0
    for root in roots:
        gone = root.cpu_times()
        seconds += gone.children_user + gone.children_system
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                seconds += times.user + times.system
                rss += process.memory_info().rss
    return Used(seconds, rss / 1e6)


def pin(root: psutil.Process, core: int) -> None:
    """What the processes start later inherits it."""
    for process in (root, *root.children(recursive=True)):
        for thread in process.threads():
            with suppress(OSError):  # it has just ended
                os.sched_setaffinity(thread.id, {core})


@contextmanager
def running(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[psutil.Process, str]]:
    """The process, on the core that serves, and the address that it prints when it is ready; its log is in `folder`."""
    log = folder / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [str(part) for part in command], cwd=folder, env=environment_with(environment), stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT,
        ) as started,
        ending(started) as process,
    ):  # fmt: skip
        pin(process, cores()[0])
        yield process, _address(started, log)


@contextmanager
def ending(started: subprocess.Popen[Any], patience: float = _STOP_SECONDS) -> Iterator[psutil.Process]:
    """However the block ends, the process and all that it has started end with it, the paused and the deaf too."""
    process = psutil.Process(started.pid)
    try:
        yield process
    finally:
        resume(process)
        family = family_of(process)
        started.terminate()
        try:
            started.wait(patience)
        except subprocess.TimeoutExpired:
            started.kill()
        finally:
            for each in family:
                with suppress(psutil.NoSuchProcess):
                    each.kill()


def family_of(root: psutil.Process) -> list[psutil.Process]:
    """With all its children; none where it is gone."""
    with suppress(psutil.NoSuchProcess):
        return [root, *root.children(recursive=True)]
    return []


def environment_with(given: Mapping[str, str] | None) -> dict[str, str]:
    """A developer's own settings do not reach what is measured."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PORTICO_")}
    return inherited | dict(given or {})


def _address(started: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and started.poll() is None:
        found = _ADDRESS.search(log.read_text(errors="replace"))
        if found:
            return found[0]
        time.sleep(0.05)
    raise RuntimeError(f"{started.args!r} did not start: {log.read_text(errors='replace')[-2000:]}")


def pause(root: psutil.Process) -> None:
    """Who is not asked does nothing: its timers do not burden who is. All have stopped when it returns.

    Raises RuntimeError where one goes on.
    """
    family = family_of(root)
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    deadline = time.monotonic() + _PAUSE_SECONDS
    for process in family:
        with suppress(psutil.NoSuchProcess):
            while process.status() not in _STOPPED:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{process} did not stop within {_PAUSE_SECONDS} s")
                time.sleep(0.001)


def resume(root: psutil.Process) -> None:
    for process in family_of(root):
        with suppress(psutil.NoSuchProcess):
            process.resume()
