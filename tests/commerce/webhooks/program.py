"""A process that does all that webhooks need, as a gateway or a worker does, until SIGTERM.

`python -m tests.commerce.webhooks.program`. With SUBJECTS in the environment it commits an event of each, and with DIES
it kills itself then.
"""

import asyncio
import os
import signal
import sys

from commerce.webhooks.feeder import Feeder
from core.database import Database
from core.eventlog import NewEvent, append
from core.jobs.worker import JobWorker, Timing
from core.resources import open_resources
from core.settings import load_settings
from core.tailer import Tailer

QUICK = Timing(lease=2.0, heartbeat=0.3, sweep=0.3, poll=0.1, watch=0.1, drain=5.0)


async def main() -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with open_resources(load_settings()) as resources:
        subjects = os.environ.get("SUBJECTS", "").split()
        async with resources.database.write() as session:
            events = [NewEvent("product.updated", each, {"id": each}, "everybody") for each in subjects]
            await append(session, events, resources.clock.now())
        if os.environ.get("DIES"):
            os.kill(os.getpid(), signal.SIGKILL)
        async with (
            JobWorker(resources, resources.jobs, timing=QUICK),
            Tailer(Database(resources.settings.database_url), resources.hub) as tailer,
            Feeder(resources, tailer),
        ):
            sys.stdout.write("working\n")
            sys.stdout.flush()
            await stopped.wait()


if __name__ == "__main__":
    asyncio.run(main())
