"""Vectors as tests make them: with the real model, in this process."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import cache

from commerce.semantics.repository import SemanticsRepository, State
from commerce.semantics.sources import model_version
from commerce.semantics.updating import BATCH, Done, Embed, Updater
from core.database import Database
from core.inference.embedding import Embedder
from core.inference.embedding_worker import StoredVector
from core.inference.vectors import quantise

Meanwhile = Callable[[], Awaitable[object]]


@cache
def embedder() -> Embedder:
    return Embedder()


async def embed(texts: Sequence[str]) -> list[StoredVector]:
    made = await asyncio.to_thread(lambda: quantise(embedder().embed(texts)))
    return [StoredVector(row.tobytes(), float(scale)) for row, scale in zip(made.rows, made.scales, strict=True)]


def updater(database: Database, *, model: str | None = None, batch: int = BATCH, by: Embed = embed) -> Updater:
    return Updater(database, database.write, by, model or model_version(), batch=batch)


async def updated(database: Database, *, model: str | None = None, batch: int = BATCH, by: Embed = embed) -> list[Done]:
    """Until there is nothing more to do; what was done."""
    made, done = updater(database, model=model, batch=batch, by=by), [Done()]
    while done[-1].more:
        done.append(await made.step())
    return done[1:]


async def state_of(database: Database) -> State:
    async with database.read() as session:
        return await SemanticsRepository(session).state()
