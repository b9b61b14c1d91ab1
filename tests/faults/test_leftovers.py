"""What a run of faults starts ends with it, however it ends."""

import os
import signal
import sys
from pathlib import Path

import psutil

from tests.fixtures.processes import ROOT, StartProcess

# Says which processes it has started, and waits to be ended.
PROGRAM = """
import sys, time
from pathlib import Path
from benchmarks.harness.limits import end_in_order
from tests.faults.site import a_site
end_in_order()
with a_site(Path(sys.argv[1]), hasty=True) as site:
    started = [site.gateway.master.pid, *site.gateway.pids, *(each.pid for each in site.workers), site.postgres.pid]
    print("started", *started, flush=True)
    time.sleep(600)
"""


def test_nothing_is_left_when_a_run_is_interrupted(start: StartProcess, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    run = start(sys.executable, "-c", PROGRAM, str(folder), PYTHONPATH=str(ROOT))
    started = [int(each) for each in run.until(r"started ([\d ]+)\n", 120)[1].split()]
    processes = {*map(psutil.Process, started), *psutil.Process(run.pid).children(recursive=True)}

    os.kill(run.pid, signal.SIGINT)
    run.wait(60)

    _, left = psutil.wait_procs(processes, timeout=10)  # those of which the run was not the parent end a moment later
    assert len(started) == 7
    assert left == []
