"""The job that trains a model, in a process of its own, and those that ask for it each night."""

import asyncio
from typing import Any

from pydantic import BaseModel

from commerce.training.trainers import ModelName, Way, train
from core.inference.artifacts import Role
from core.jobs.registry import Tick, job, queue, scheduled
from core.jobs.run import JobCancelled, JobRun

TRAINING = queue("training", per_process=1, overall=1).name  # each takes a core, and hundreds of megabytes


class TrainModel(BaseModel):
    model: ModelName
    way: Way = "default"
    role: Role = "current"


@job("models.train", queue=TRAINING, max_attempts=3, timeout_seconds=3600, own_process=True)
async def train_model(run: JobRun, args: TrainModel) -> dict[str, Any]:
    """Killed at any moment it leaves what was current; begun anew it trains again."""
    loop = asyncio.get_running_loop()

    def tell(done: float) -> None:
        if run.cancel_requested:
            raise JobCancelled
        asyncio.run_coroutine_threadsafe(run.progress(done, args.model), loop)

    outcome = await train(run.resources, args.model, tell, way=args.way, role=args.role, transaction=run.transaction)
    return outcome.result


@scheduled("recommendations.train", cron="11 3 * * *", queue=TRAINING, max_attempts=3)
async def train_recommendations(run: JobRun, tick: Tick) -> None:
    await _ask(run, TrainModel(model="recommendations"), tick)


@scheduled("forecast.train", cron="23 3 * * *", queue=TRAINING, max_attempts=3)
async def train_forecast(run: JobRun, tick: Tick) -> None:
    await _ask(run, TrainModel(model="forecast"), tick)


async def _ask(run: JobRun, args: TrainModel, tick: Tick) -> None:
    async with run.transaction() as session:
        await run.resources.jobs.enqueue(session, train_model, args, dedup_key=f"{args.model} {tick.at.isoformat()}")
