"""However a benchmark ends, what it has started ends with it."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from benchmarks.harness.limits import TooLong, at_most_seconds
from benchmarks.harness.processes import ending, pause

ROOT = Path(__file__).parents[2]
# Deaf to SIGTERM, as its child is; it prints the child's number.
DEAF = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid, flush=True)
time.sleep(600)
"""
# A question that asks a server which never answers.
QUESTION = """
import sys, time
from pathlib import Path
from benchmarks.harness.limits import end_in_order
from benchmarks.harness.processes import pause, running
end_in_order()
server = "import time; print('http://127.0.0.1:1', flush=True); time.sleep(600)"
with running([sys.executable, "-c", server], Path(sys.argv[1])) as (process, _):
    pause(process)
    print(process.pid, flush=True)
    time.sleep(600)
"""


@contextmanager
def started(program: str, *arguments: str) -> Iterator[tuple["subprocess.Popen[str]", psutil.Process]]:
    """With the process whose number it prints first."""
    command = [sys.executable, "-c", program, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, psutil.Process(int(process.stdout.readline()))
        finally:
            process.kill()


def test_the_deaf_end_with_their_children_whatever_is_raised() -> None:
    with started(DEAF) as (process, child):
        with pytest.raises(ZeroDivisionError), ending(process, patience=0.1):
            raise ZeroDivisionError

        assert process.wait() == -signal.SIGKILL
        child.wait(10)


def test_the_paused_end_in_order() -> None:
    with started("import os, time; print(os.getpid(), flush=True); time.sleep(600)") as (process, itself):
        with ending(process):
            pause(itself)

        assert process.wait() == -signal.SIGTERM


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_benchmark_that_is_stopped_leaves_nothing_running(sent: signal.Signals, tmp_path: Path) -> None:
    with started(QUESTION, str(tmp_path)) as (question, server):
        question.send_signal(sent)

        assert question.wait(30) != 0
        assert not server.is_running()


def test_a_question_may_not_take_longer_than_its_time() -> None:
    async def hang_in_a_callback() -> None:
        asyncio.get_running_loop().call_soon(time.sleep, 60)
        await asyncio.sleep(0)

    with pytest.raises(TooLong, match=r"longer than 0\.05 s"), at_most_seconds(0.05):
        asyncio.run(hang_in_a_callback())

    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL


def test_a_question_that_ends_in_time_is_not_stopped_later() -> None:
    with at_most_seconds(60):
        armed = signal.getitimer(signal.ITIMER_REAL)[0]

    assert 0 < armed <= 60
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
