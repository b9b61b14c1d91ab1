import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.server_lock import DataDirInUse, hold_server_lock, release_server_lock, server_lock

HOLDER = """
import sys, time
from pathlib import Path
from core.server_lock import hold_server_lock
hold_server_lock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until its input closes."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        pipe.close()


def test_second_server_is_refused_with_one_line_after_a_short_wait(
    holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    started = time.monotonic()

    with pytest.raises(DataDirInUse) as refused:
        hold_server_lock(tmp_path, wait_seconds=0.3)

    assert 0.3 <= time.monotonic() - started < 2
    assert str(refused.value) == (
        f"another server (process {holder.pid}) works on {tmp_path}; stop it, or set PORTICO_DATA_DIR to another folder"
    )


@pytest.mark.parametrize("how", ["exits", "is killed"])
def test_waiting_server_is_let_in_when_the_first(holder: subprocess.Popen[str], tmp_path: Path, how: str) -> None:
    with pytest.raises(DataDirInUse):
        hold_server_lock(tmp_path, wait_seconds=0)
    if how == "exits":
        assert holder.stdin is not None
        holder.stdin.close()
    else:
        holder.send_signal(signal.SIGKILL)

    with server_lock(tmp_path):
        assert (tmp_path / "server.lock").read_text() == f"{os.getpid()}\n"


def test_forked_child_of_the_holder_is_let_in(tmp_path: Path) -> None:
    program = """
import os, sys
from pathlib import Path
from core.server_lock import hold_server_lock
folder = Path(sys.argv[1])
hold_server_lock(folder, wait_seconds=0)
child = os.fork()
if child == 0:
    hold_server_lock(folder, wait_seconds=0)
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""

    finished = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )

    assert finished.stdout == "7\n"


def test_lock_is_free_after_its_block_and_again_for_the_same_process(tmp_path: Path) -> None:
    for _ in range(2):
        with server_lock(tmp_path):
            hold_server_lock(tmp_path, wait_seconds=0)

    release_server_lock(tmp_path)  # nothing is held: nothing happens


def test_other_data_dir_is_free(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    assert holder.poll() is None

    with server_lock(tmp_path / "other"):
        assert (tmp_path / "other" / "server.lock").exists()
