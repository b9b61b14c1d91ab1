"""A process that runs `apart_jobs`: `python -m tests.core.jobs.apart_program`, ended by SIGTERM."""

import asyncio

from tests.core.jobs.apart_jobs import registry
from tests.core.jobs.program import main

if __name__ == "__main__":
    asyncio.run(main(registry))
