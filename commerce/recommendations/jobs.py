"""The job that counts sales anew."""

from commerce.recommendations.counting import count_sales
from commerce.upkeep.jobs import UPKEEP
from core.jobs.registry import Tick, scheduled
from core.jobs.run import JobRun


@scheduled("recommendations.count_sales", cron="7 * * * *", queue=UPKEEP, max_attempts=3, timeout_seconds=1800)
async def count_sales_anew(run: JobRun, _tick: Tick) -> dict[str, int]:
    return {"changed": await count_sales(run.resources.database, run.resources.clock)}
