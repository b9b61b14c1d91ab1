"""The moments of schedules, in order."""

import asyncio
from collections.abc import AsyncIterator, Collection
from datetime import datetime

from croniter import CroniterError, croniter

from core.clock import Clock
from core.jobs.registry import Schedule

_LONGEST_SLEEP = 30.0  # a host that slept, or whose clock was set, is noticed within it


def next_tick(cron: str, after: datetime) -> datetime:
    """Raises ValueError for what is no schedule."""
    try:
        tick: datetime = croniter(cron, after).get_next(datetime)
    except CroniterError as error:
        raise ValueError(f"{cron!r} is no schedule: {error}") from error
    return tick


async def ticks(clock: Clock, schedules: Collection[Schedule]) -> AsyncIterator[tuple[Schedule, datetime]]:
    """Each schedule at each of its moments from now on, when that has come. Ends only where there is none."""
    due = {schedule.job.name: next_tick(schedule.cron, clock.now()) for schedule in schedules}
    while due:
        now = clock.now()
        for schedule in schedules:
            at = due[schedule.job.name]
            if at <= now:
                due[schedule.job.name] = next_tick(schedule.cron, now)
                yield schedule, at
        wait = (min(due.values()) - clock.now()).total_seconds()
        await asyncio.sleep(min(max(wait, 0.01), _LONGEST_SLEEP))
