"""Production: `gunicorn -c gunicorn.conf.py gateway.main:app` (bind with -b, workers with -w or WEB_CONCURRENCY)."""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

from core.server_lock import DataDirInUse, hold_server_lock
from core.settings import SettingsError, load_settings
from gateway import heap
from gateway.server import DRAIN_SECONDS, KEEP_ALIVE_SECONDS

try:
    settings = load_settings()
except SettingsError as error:
    sys.exit(f"portico: {error}")

worker_class = "gateway.worker.GatewayWorker"
timeout = 30
graceful_timeout = DRAIN_SECONDS + 10
keepalive = KEEP_ALIVE_SECONDS
accesslog = None  # the root middleware writes it
control_socket_disable = True  # its path is one per user, so that two gateways would share it

_PREFIX = "portico-metrics-"
# Read by prometheus_client when it is imported, in every worker.
_own_metrics = "PROMETHEUS_MULTIPROC_DIR" not in os.environ
if _own_metrics:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix=_PREFIX)


def on_starting(server):
    if _own_metrics:
        atexit.register(_remove_metrics, os.environ["PROMETHEUS_MULTIPROC_DIR"], os.getpid())
    if server.cfg.workers > 1 and not settings.data.redis_url:
        sys.exit(f"portico: {server.cfg.workers} workers need PORTICO_REDIS_URL: in-memory limits and caches mean one")
    if settings.embedded:
        try:
            hold_server_lock(settings.data.data_dir)
        except (DataDirInUse, OSError) as error:
            sys.exit(f"portico: {error}")
    folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    folder.mkdir(parents=True, exist_ok=True)
    if "GUNICORN_PID" in os.environ:  # the master before this one and its workers are there
        return
    for left_over in folder.glob("*.db"):
        left_over.unlink()


def nworkers_changed(server, new_value, old_value):
    # At the start (None) on_starting refuses.
    if old_value is not None and new_value > 1 and not settings.data.redis_url:
        server.log.error("portico: one worker is the most without PORTICO_REDIS_URL")
        server.num_workers = 1


def pre_exec(server):
    # After a SIGHUP gunicorn takes our folder for the operator's, and would hand it on to the next master.
    if Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).name.startswith(_PREFIX):
        server.cfg.env_orig.pop("PROMETHEUS_MULTIPROC_DIR", None)


def post_fork(_server, _worker):
    heap.hold()
    # structlog loads the one where it is installed, for tracebacks on a terminal, and uvicorn the other, to start anew
    # when code changes: 5 MB of each worker, 50 ms of its start.
    sys.modules["rich"] = sys.modules["watchfiles"] = None


def child_exit(_server, worker):
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)


def _remove_metrics(folder, owner):
    # Workers are forks, and run this too when they exit.
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
