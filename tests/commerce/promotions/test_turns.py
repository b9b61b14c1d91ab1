"""The start and the end of a promotion are told when they come, each once."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from commerce.promotions.commands import PromotionData, promotion_data
from commerce.promotions.entities import Promotion
from commerce.promotions.service import PromotionService
from core.database import Database
from core.eventlog import EventRow
from core.resources import Resources, assemble
from core.settings import Settings
from tests.factories.clocks import NOON, FakeClock
from tests.factories.jobs import run_jobs
from tests.factories.objects import objects_in_memory


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def shop(settings: Settings, database: Database, clock: FakeClock) -> AsyncIterator[Resources]:
    opened = assemble(settings, clock, database, objects_in_memory(), {})
    yield opened
    await opened.jobs.close()


def in_hours(start: float, end: float, **more: Any) -> dict[str, Any]:
    window = {"starts_at": NOON + timedelta(hours=start), "ends_at": NOON + timedelta(hours=end)}
    return {"title": "Sale", "percent_off": 10} | window | more


async def create(shop: Resources, **values: Any) -> Promotion:
    async with shop.database.write() as session:
        service = PromotionService(session, shop.clock, shop.jobs, actor="test")
        return await service.create(promotion_data(values))


async def update(shop: Resources, promotion: Promotion, **changes: Any) -> None:
    def change(before: PromotionData) -> PromotionData:
        return promotion_data(before.model_dump(exclude={"duration"}) | changes)

    async with shop.database.write() as session:
        await PromotionService(session, shop.clock, shop.jobs, actor="test").update(promotion.id, change)


async def told(shop: Resources) -> list[tuple[str, str]]:
    await run_jobs(shop)
    statement = select(EventRow.type, EventRow.visibility).order_by(EventRow.position)
    async with shop.database.read() as session:
        return [(row.type.removeprefix("promotion."), row.visibility) for row in await session.execute(statement)]


async def test_start_and_end_are_told_when_they_come(shop: Resources, clock: FakeClock) -> None:
    await create(shop, **in_hours(1, 2))

    before = await told(shop)
    clock.advance(hours=1)
    begun = await told(shop)
    again = await told(shop)
    clock.advance(hours=1)
    over = await told(shop)

    assert before == []
    assert begun == again == [("started", "everybody")]
    assert over == [("started", "everybody"), ("ended", "everybody")]


async def test_promotion_with_a_code_is_told_to_those_who_may_know_it(shop: Resources) -> None:
    await create(shop, **in_hours(0, 1, code="SPRING"))

    assert await told(shop) == [("started", "editors")]


async def test_both_are_told_in_order_where_nobody_worked_meanwhile(shop: Resources, clock: FakeClock) -> None:
    await create(shop, **in_hours(1, 2))
    clock.advance(hours=5)

    assert [kind for kind, _ in await told(shop)] == ["started", "ended"]


async def test_promotion_that_was_over_when_it_was_made_is_nobodys_news(shop: Resources) -> None:
    await create(shop, **in_hours(-2, -1))

    assert await told(shop) == []


async def test_moment_that_was_put_off_is_told_then(shop: Resources, clock: FakeClock) -> None:
    promotion = await create(shop, **in_hours(1, 2))
    await update(shop, promotion, starts_at=NOON + timedelta(hours=3), ends_at=NOON + timedelta(hours=4))
    clock.advance(hours=2.5)
    early = await told(shop)
    clock.advance(hours=1)
    begun = await told(shop)

    assert early == []
    assert begun == [("started", "everybody")]


async def test_change_of_the_title_tells_nothing_twice(shop: Resources, clock: FakeClock) -> None:
    promotion = await create(shop, **in_hours(0, 1))
    await told(shop)
    await update(shop, promotion, title="Another")
    clock.advance(hours=1)

    assert [kind for kind, _ in await told(shop)] == ["started", "ended"]


async def test_promotion_that_is_ended_early_ends_now(shop: Resources, clock: FakeClock) -> None:
    promotion = await create(shop, **in_hours(0, 5))
    await told(shop)
    clock.advance(hours=1)
    await update(shop, promotion, ends_at=clock.now())
    early = await told(shop)
    clock.advance(hours=10)

    assert [kind for kind, _ in early] == ["started", "ended"]
    assert await told(shop) == early


async def test_promotion_that_is_deleted_while_it_runs_ends_now_and_one_to_come_never_starts(
    shop: Resources, clock: FakeClock
) -> None:
    running, coming = await create(shop, **in_hours(0, 5)), await create(shop, **in_hours(1, 5))
    await told(shop)
    for promotion in (running, coming):
        async with shop.database.write() as session:
            await PromotionService(session, shop.clock, shop.jobs, actor="test").delete(promotion.id)
    clock.advance(hours=10)

    assert [kind for kind, _ in await told(shop)] == ["started", "ended"]
