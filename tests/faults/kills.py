"""The faults of one host: processes that are killed or frozen, and a deployment."""

import signal
from functools import partial
from time import monotonic, sleep

from tests.faults.proving import Fault
from tests.faults.site import HUNG_SECONDS, Site


def web_worker(site: Site) -> float:
    """gunicorn starts another one by itself."""
    site.gateway.kill_one()
    back = monotonic()
    site.gateway.await_starts(1)
    return back


def gunicorn_master(site: Site) -> float:
    """A supervisor starts it again."""
    site.gateway.kill_master()
    back = monotonic()
    site.gateway.serve()
    return back


def job_worker(site: Site) -> float:
    killed = site.workers.pop(0)
    killed.send(signal.SIGKILL)
    killed.wait(HUNG_SECONDS)
    back = monotonic()
    site.work()
    return back


def postgres(site: Site, seconds: float = 0) -> float:
    site.postgres.kill()
    sleep(seconds)
    site.postgres.restart()
    return monotonic()


def valkey(site: Site, seconds: float = 0) -> float:
    site.valkey.kill()
    sleep(seconds)
    site.valkey.restart()
    return monotonic()


def frozen_valkey(site: Site, seconds: float) -> float:
    site.valkey.freeze()
    sleep(seconds)
    site.valkey.thaw()
    return monotonic()


def deployment(site: Site) -> float:
    """All processes, one after the other; each job worker's successor is there before it goes."""
    began = monotonic()
    site.gateway.replace()
    old, site.workers = site.workers, []
    for each in old:
        site.work_one()
        each.send(signal.SIGTERM)
        assert each.wait(HUNG_SECONDS) == 0, each.story
    return began


SHORT = (
    Fault("web worker killed", web_worker),
    Fault("gunicorn master killed", gunicorn_master),
    Fault("job worker killed", job_worker),
    Fault("PostgreSQL killed", postgres),
    Fault("Valkey killed", valkey),
    Fault("Valkey frozen for 3 s", partial(frozen_valkey, seconds=3)),
    Fault("deployment", deployment, orderly=True),
)
LONG = (
    *SHORT,
    Fault("PostgreSQL away for 20 s", partial(postgres, seconds=20)),
    Fault("Valkey frozen for 20 s", partial(frozen_valkey, seconds=20)),
    Fault("Valkey away for 20 s", partial(valkey, seconds=20)),
)
