"""Promotions: their rules, and what can be done to them."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from commerce.audit.log import AuditEntry, AuditRepository
from commerce.promotions.commands import PromotionData, data_of, promotion_data
from commerce.promotions.entities import Promotion
from commerce.promotions.errors import DuplicateCode, InvalidPromotion, PromotionNotFound
from commerce.promotions.models import PromotionRow
from commerce.promotions.repository import PromotionRepository
from commerce.promotions.service import PromotionService
from core.database import Database
from core.errors import StaleVersion
from core.jobs.jobs import Jobs
from core.money import MAX_AMOUNT, Money
from tests.factories.clocks import NOON, FakeClock

WEEK = timedelta(days=7)
USD_1000 = Money(1000, "USD")


def values(**changes: Any) -> dict[str, Any]:
    return {"title": "Sale", "percent_off": 10, "starts_at": NOON, "ends_at": NOON + WEEK} | changes


class Desk:
    """One transaction a call."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = FakeClock()
        self.jobs = Jobs(database, self.clock)

    async def create(self, **changes: Any) -> Promotion:
        async with self.database.write() as session:
            return await PromotionService(session, self.clock, self.jobs, actor="user:1").create(
                promotion_data(values(**changes))
            )

    async def update(self, promotion_id: str, expected_version: int | None = None, **changes: Any) -> Promotion:
        def change(before: PromotionData) -> PromotionData:
            return promotion_data(before.model_dump(exclude={"duration"}) | changes)

        async with self.database.write() as session:
            service = PromotionService(session, self.clock, self.jobs, actor="user:1")
            return await service.update(promotion_id, change, expected_version=expected_version)

    async def delete(self, promotion_id: str, expected_version: int | None = None) -> None:
        async with self.database.write() as session:
            service = PromotionService(session, self.clock, self.jobs, actor="user:1")
            await service.delete(promotion_id, expected_version=expected_version)

    async def get(self, promotion_id: str) -> Promotion | None:
        async with self.database.read() as session:
            return await PromotionRepository(session).get(promotion_id)

    async def stored(self) -> list[tuple[str, int]]:
        async with self.database.read() as session:
            rows = await session.execute(select(PromotionRow.title, PromotionRow.version).order_by(PromotionRow.id))
            return [(row.title, row.version) for row in rows]

    async def audited(self) -> list[AuditEntry]:
        """Newest first."""
        async with self.database.read() as session:
            return (await AuditRepository(session).newest())[0]


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"ends_at": NOON}, "", "ends_before_start"),
        ({"ends_at": NOON - WEEK}, "", "ends_before_start"),
        ({"percent_off": None}, "", "one_kind_of_discount"),
        ({"amount_off": 5, "currency": "USD"}, "", "one_kind_of_discount"),
        ({"percent_off": None, "amount_off": 5}, "", "currency"),
        ({"currency": "USD"}, "", "currency"),
        ({"percent_off": 0}, "/percent_off", "greater_than_equal"),
        ({"percent_off": 101}, "/percent_off", "less_than_equal"),
        ({"percent_off": 1.0}, "/percent_off", "int_type"),
        ({"percent_off": None, "amount_off": 0, "currency": "USD"}, "/amount_off", "greater_than_equal"),
        ({"percent_off": None, "amount_off": MAX_AMOUNT + 1, "currency": "USD"}, "/amount_off", "less_than_equal"),
        ({"percent_off": None, "amount_off": 5, "currency": "usd"}, "/currency", "string_pattern_mismatch"),
        ({"code": "two words"}, "/code", "invalid"),
        ({"code": ""}, "/code", "invalid"),
        ({"code": "X" * 65}, "/code", "invalid"),
        ({"title": " "}, "/title", "required"),
        ({"title": "\0"}, "/title", "required"),
        ({"title": "x" * 256}, "/title", "string_too_long"),
        ({"starts_at": NOON.replace(tzinfo=None)}, "/starts_at", "timezone_aware"),
        ({"ends_at": "9999-12-31T23:00:00-12:00"}, "/ends_at", "invalid"),
        ({"colour": "red"}, "/colour", "extra_forbidden"),
    ],
)
def test_promotion_that_breaks_a_rule_is_refused(changes: dict[str, Any], pointer: str, code: str) -> None:
    with pytest.raises(InvalidPromotion) as caught:
        promotion_data(values(**changes))

    assert [(fault.pointer, fault.code) for fault in caught.value.errors] == [(pointer, code)]


def test_promotion_says_how_long_it_applies() -> None:
    data = promotion_data(values())

    assert data.duration == WEEK
    assert data.model_dump(mode="json")["duration"] == "P7D"


def test_code_is_kept_in_upper_case_and_times_in_utc() -> None:
    data = promotion_data(values(code=" spring-26 ", title=" Spring ", starts_at="2026-03-01T13:00:00+01:00"))

    assert (data.code, data.title) == ("SPRING-26", "Spring")
    assert (data.starts_at, data.starts_at.tzinfo) == (datetime(2026, 3, 1, 12, tzinfo=UTC), UTC)


async def test_promotion_is_made_and_audited(desk: Desk) -> None:
    made = await desk.create(code="spring", percent_off=None, amount_off=500, currency="EUR")

    assert await desk.get(made.id) == made
    assert (made.code, made.percent_off, made.amount_off, made.currency) == ("SPRING", None, 500, "EUR")
    assert (made.version, made.duration, made.created_at) == (1, WEEK, NOON)
    (entry,) = await desk.audited()
    assert (entry.actor, entry.action, entry.subject, entry.before) == ("user:1", "promotion.create", made.id, None)
    assert entry.after is not None
    assert (entry.after["code"], entry.after["amount_off"], entry.after["ends_at"]) == (
        "SPRING",
        500,
        "2026-03-08T12:00:00Z",
    )


async def test_promotion_is_changed_and_audited(desk: Desk) -> None:
    made = await desk.create(code="A")
    desk.clock.advance(hours=1)

    changed = await desk.update(made.id, 1, percent_off=20, code="b")

    assert asdict(changed) == asdict(made) | {
        "percent_off": 20,
        "code": "B",
        "version": 2,
        "updated_at": desk.clock.now(),
    }
    assert await desk.get(made.id) == changed
    entry, _ = await desk.audited()
    assert (entry.action, entry.before, entry.after) == (
        "promotion.update",
        {"percent_off": 10, "code": "A"},
        {"percent_off": 20, "code": "B"},
    )


async def test_change_that_alters_nothing_writes_nothing(desk: Desk) -> None:
    made = await desk.create(code="A")

    assert await desk.update(made.id, code="a") == made
    assert len(await desk.audited()) == 1


async def test_deleted_promotion_is_gone_and_its_code_free(desk: Desk) -> None:
    made = await desk.create(code="A")

    await desk.delete(made.id, 1)

    assert await desk.get(made.id) is None
    assert (await desk.audited())[0].action == "promotion.delete"
    assert (await desk.create(code="a")).code == "A"


async def test_code_of_another_promotion_is_refused_and_changes_nothing(desk: Desk) -> None:
    await desk.create(title="First", code="A")
    second = await desk.create(title="Second", code="B")
    before = (await desk.stored(), len(await desk.audited()))

    with pytest.raises(DuplicateCode, match="'A'") as made:
        await desk.create(title="Third", code="a")
    with pytest.raises(DuplicateCode, match="'A'"):
        await desk.update(second.id, code="a")

    assert [fault.pointer for fault in made.value.errors] == ["/code"]
    assert (await desk.stored(), len(await desk.audited())) == before


async def test_stale_or_unknown_promotion_is_refused_and_changes_nothing(desk: Desk) -> None:
    made = await desk.create()
    before = (await desk.stored(), len(await desk.audited()))

    with pytest.raises(StaleVersion):
        await desk.update(made.id, 2, percent_off=20)
    with pytest.raises(StaleVersion):
        await desk.delete(made.id, 2)
    for unknown in ("promo_none", "promo\0"):
        with pytest.raises(PromotionNotFound):
            await desk.update(unknown, percent_off=20)
        with pytest.raises(PromotionNotFound):
            await desk.delete(unknown)

    assert (await desk.stored(), len(await desk.audited())) == before


async def test_promotions_without_a_code_do_not_exclude_each_other(desk: Desk) -> None:
    first, second = [await desk.create() for _ in range(2)]

    assert first.code is second.code is None
    assert data_of(first) == data_of(second)


async def test_list_begins_with_what_begins_last(desk: Desk) -> None:
    made = [await desk.create(starts_at=NOON + timedelta(hours=hours)) for hours in (2, 1, 3)]

    async with desk.database.read() as session:
        first = await PromotionRepository(session).slice(limit=2, after=None, count=True)
        rest = await PromotionRepository(session).slice(limit=2, after=first.next_cursor)

    assert [*first.items, *rest.items] == [made[2], made[0], made[1]]
    assert (first.total, first.has_next, rest.has_next) == (3, True, False)


async def test_best_is_the_one_that_takes_most_off_now_and_of_equals_the_first(desk: Desk) -> None:
    await desk.create(percent_off=29)
    first = await desk.create(percent_off=30)
    await desk.create(percent_off=None, amount_off=300, currency="USD")
    named = await desk.create(percent_off=50, code="HALF")

    async with desk.database.read() as session:
        promotions = PromotionRepository(session)
        automatic = await promotions.best_for(None, USD_1000, "USD", NOON)
        by_code = await promotions.best_for("half", USD_1000, "USD", NOON)
        before = await promotions.best_for("half", USD_1000, "USD", NOON - timedelta(microseconds=1))
        after = await promotions.best_for(None, USD_1000, "USD", NOON + WEEK)

    assert (automatic, by_code, before, after) == (first, named, None, None)
