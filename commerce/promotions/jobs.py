"""Jobs of promotions: their start and their end are told when they come."""

from datetime import datetime, timedelta

from pydantic import AwareDatetime, BaseModel

from commerce.events.envelope import EventType
from commerce.promotions.entities import Promotion
from commerce.promotions.events import promotion_event
from commerce.promotions.repository import PromotionRepository
from core import eventlog
from core.database import WriteSession
from core.jobs.jobs import Jobs
from core.jobs.registry import JobType, job, queue
from core.jobs.run import JobRun

PROMOTIONS = queue("promotions", per_process=1, overall=1).name  # a late start is told before a late end
_NOW = timedelta()


class Turn(BaseModel):
    """The moment that was planned; the promotion may have another by then, which has a job of its own."""

    promotion_id: str
    at: AwareDatetime


@job("promotions.start", queue=PROMOTIONS, max_attempts=20)
async def tell_start(run: JobRun, args: Turn) -> None:
    await _tell(run, args, "promotion.started")


@job("promotions.end", queue=PROMOTIONS, max_attempts=20)
async def tell_end(run: JobRun, args: Turn) -> None:
    await _tell(run, args, "promotion.ended")


async def plan(
    session: WriteSession, jobs: Jobs, promotion: Promotion, now: datetime, *, was: Promotion | None
) -> None:
    """Of a promotion that was made or changed. One that is over before it was known is told of by nobody."""
    begun = was is not None and was.starts_at <= now < was.ends_at
    if promotion.ends_at <= now and not begun:
        return
    await _at(session, jobs, tell_start, promotion.id, promotion.starts_at, now)
    await _at(session, jobs, tell_end, promotion.id, promotion.ends_at, now)


async def _at(
    session: WriteSession, jobs: Jobs, kind: JobType[Turn], promotion_id: str, at: datetime, now: datetime
) -> None:
    """Planned once for each moment, however often the promotion is changed."""
    key = f"{promotion_id}@{at.isoformat()}"
    await jobs.enqueue(session, kind, Turn(promotion_id=promotion_id, at=at), dedup_key=key, delay=max(at - now, _NOW))


async def _tell(run: JobRun, args: Turn, kind: EventType) -> None:
    if run.checkpoint is not None:
        return
    async with run.transaction() as session:
        promotion = await PromotionRepository(session).get(args.promotion_id)
        if promotion is None:
            return
        at = promotion.starts_at if kind == "promotion.started" else promotion.ends_at
        if at == args.at:
            await run.save(session, {"told": True})
            await eventlog.append(session, [promotion_event(kind, promotion)], run.resources.clock.now())
