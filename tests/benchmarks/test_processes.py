"""Processor time of processes with their children, and servers that start and end."""

import sys
from pathlib import Path

import psutil
import pytest

from benchmarks.harness.processes import cores, running, used

# Its child burns a tenth of a second and is gone when the address is printed.
PARENT = """
import subprocess, sys, time
burn = "import time\\nwhile time.process_time() < 0.15: pass"
subprocess.run([sys.executable, "-c", burn])
print("http://127.0.0.1:1", flush=True)
time.sleep(60)
"""


def test_processor_time_of_children_that_are_gone_is_counted(tmp_path: Path) -> None:
    with running([sys.executable, "-c", PARENT], tmp_path) as (process, _):
        found = used(process)

    assert found.cpu_seconds >= 0.1
    assert process.pid not in psutil.pids()


def test_a_server_runs_on_the_first_core_without_settings_of_a_developer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTICO_SURPRISE", "1")
    program = "import os; print([n for n in os.environ if n.startswith('PORTICO_')])\n" + PARENT

    with running([sys.executable, "-c", program], tmp_path, {"PORTICO_DATA_DIR": "x"}) as (process, address):
        affinity = process.cpu_affinity()

    assert affinity == [cores()[0]]
    assert address == "http://127.0.0.1:1"
    assert (tmp_path / "log").read_text().splitlines()[0] == "['PORTICO_DATA_DIR']"


def test_a_server_that_ends_before_it_is_ready_is_told_with_what_it_printed(tmp_path: Path) -> None:
    program = [sys.executable, "-c", "raise SystemExit('the port is taken')"]

    with pytest.raises(RuntimeError, match="the port is taken"), running(program, tmp_path):
        pass
