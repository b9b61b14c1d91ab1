"""The job that brings the vectors up to date, and what asks for it when the log tells of products."""

import asyncio
from functools import partial
from types import TracebackType
from typing import Self

import structlog
from pydantic import BaseModel
from sqlalchemy import select, update

from commerce.semantics.models import SemanticsStateRow
from commerce.semantics.repository import TYPES, SemanticsRepository, State
from commerce.semantics.sources import model_version
from commerce.semantics.updating import Updater
from core.database import ReadSession
from core.eventlog import EventLog
from core.inference.embedding import EmbeddingsUnavailable
from core.inference.embedding_worker import embed_many
from core.jobs.jobs import Jobs
from core.jobs.registry import job, queue
from core.jobs.repository import JobRepository
from core.jobs.run import JobRun
from core.recurring import Recurring
from core.resources import Resources
from core.tailer import Tailer

log = structlog.get_logger("portico.semantics")
_QUEUE = queue("semantics", per_process=1, overall=1).name
_SOON_SECONDS = 1.0  # one job for all that changes meanwhile
_AGAIN_SECONDS = 60.0  # after a job that did not succeed, or where there is no model


class UpdateVectors(BaseModel):
    """All that there is to do."""


@job("semantics.update", queue=_QUEUE, max_attempts=5, timeout_seconds=3600)
async def update_vectors(run: JobRun, _args: UpdateVectors) -> dict[str, int]:
    """Batch by batch. How far it is stands with the vectors: the next attempt, or another job, goes on there."""
    resources = run.resources
    model = await asyncio.to_thread(model_version)
    updater = Updater(resources.database, run.transaction, partial(embed_many, resources.workers), model)
    embedded = removed = 0
    total: int | None = None
    more = True
    while more:
        done = await updater.step()
        embedded, removed, more = embedded + done.embedded, removed + done.removed, done.more
        if done.filled_to is not None:
            async with resources.database.read() as session:
                vectors = SemanticsRepository(session)
                total = total if total is not None else await vectors.count_on_sale()
                gone_through = await vectors.count_on_sale(done.filled_to)
            await run.progress(gone_through / max(total, 1), f"{gone_through} of {total} products")
    return {"embedded": embedded, "removed": removed}


class VectorFeeder:
    """`async with VectorFeeder(resources, tailer):` One in each process that runs jobs.

    It asks for one job at a time.
    """

    def __init__(self, resources: Resources, tailer: Tailer) -> None:
        self._resources = resources
        self._tailer = tailer
        self._feeding = Recurring("semantics", self.feed)

    async def __aenter__(self) -> Self:
        self._leave = self._tailer.follow(
            lambda events: self._feeding.wake() if any(event.type in TYPES for event in events) else None
        )
        await self._feeding.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        await self._feeding.__aexit__(kind, error, trace)

    async def feed(self) -> float | None:
        """Asks for a job where there is something to do and none is on its way. When it is to be called again."""
        try:
            model = await asyncio.to_thread(model_version)
        except EmbeddingsUnavailable as error:
            log.warning("no_vectors", reason=str(error))
            return _AGAIN_SECONDS
        async with self._resources.database.read() as session:
            state = await SemanticsRepository(session).state()
            if not await _is_behind(session, state, model):
                return None
            last = await JobRepository(session).get(state.job_id) if state.job_id is not None else None
        if last is not None and not last.finished:
            return _SOON_SECONDS
        if last is not None and last.finished_at is not None and last.state != "succeeded":
            since = (self._resources.clock.now() - last.finished_at).total_seconds()
            if since < _AGAIN_SECONDS:
                return _AGAIN_SECONDS - since
        await self._ask(self._resources.jobs, state.job_id)
        return _SOON_SECONDS

    async def _ask(self, jobs: Jobs, last_id: str | None) -> None:
        async with self._resources.database.write() as session:
            locked = select(SemanticsStateRow.job_id).with_for_update()
            if await session.scalar(locked) != last_id:  # another process was quicker
                return
            made = await jobs.enqueue(session, update_vectors, UpdateVectors())
            await session.execute(update(SemanticsStateRow).values(job_id=made.id))


async def _is_behind(session: ReadSession, state: State, model: str) -> bool:
    vectors = SemanticsRepository(session)
    return (
        state.model != model
        or state.filled_to is not None
        or state.position < await vectors.trimmed_to()
        or state.position > await EventLog(session).newest()
        or bool(await vectors.changed_products(state.position, 1))
    )
