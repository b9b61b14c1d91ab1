"""The models that a server answers with: loaded once it serves, for what they need takes long to load."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.background import attempt
from core.database import Database
from core.resources import Resources


@asynccontextmanager
async def modelling(resources: Resources, looking: Database, serving: asyncio.Event) -> AsyncIterator[None]:
    """From when the server serves until this is left. Before, and where there is none, simpler rules answer."""
    ending = asyncio.Event()

    async def follow() -> None:
        await serving.wait()
        if ending.is_set():
            return
        from commerce.training.trainers import KINDS  # noqa: PLC0415  not needed before

        for kind in KINDS.values():
            resources.models.serving(kind)
        resources.models.look_at(looking)
        async with resources.models:
            await ending.wait()

    task = asyncio.create_task(attempt("modelling", follow), name="portico-modelling")
    try:
        yield
    finally:
        ending.set()
        serving.set()
        await task
