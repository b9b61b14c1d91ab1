"""The statements of sales, the same on both databases."""

from datetime import timedelta
from typing import Any

import pytest

from commerce.reports.commands import GroupBy, SalesReport
from commerce.reports.sales import sales
from core.database import Database
from tests.factories.clocks import NOON
from tests.factories.order_rows import OrderRows, line

EXPECTED: dict[GroupBy, list[tuple[Any, ...]]] = {
    "day": [
        ("2026-03-01", "USD", 1, 3, 4498, 100, 499, 4897),
        ("2026-03-02", "JPY", 1, 1, 700, 0, 0, 700),
        ("2026-03-02", "USD", 1, 3, 1500, 0, 0, 1500),
    ],
    "product": [
        ("prod_1", "Rain Jacket", "JPY", 1, 1, 700),
        ("prod_1", "Rain Jacket", "USD", 1, 2, 3998),
        ("prod_2", "Hat", "USD", 2, 4, 2000),
    ],
    "category": [("", "JPY", 1, 1, 700), ("", "USD", 2, 6, 5998)],
}


@pytest.mark.parametrize("group_by", list(EXPECTED))
async def test_rows_are_exact(database: Database, group_by: GroupBy) -> None:
    rows = OrderRows(database)
    mug, hat = line(), line(variant_id="var_2", product_id="prod_2", title="Hat", unit_price=500)
    await rows.add(mug | {"quantity": 2}, hat, discount=100, shipping=499, state="paid")
    await rows.add(hat | {"quantity": 3}, placed_at=NOON.replace(day=2, hour=0, minute=0))
    await rows.add(mug | {"unit_price": 700}, currency="JPY", placed_at=NOON.replace(day=2, hour=23, minute=59))
    await rows.add(mug, state="cancelled")
    await rows.add(mug, placed_at=NOON - timedelta(days=1))
    await rows.add(mug, placed_at=NOON + timedelta(days=5))

    async with database.read() as session:
        report = SalesReport(NOON - timedelta(hours=12), NOON + timedelta(days=5), group_by, "csv")
        found = [row async for batch in sales(session, report) for row in batch]

    assert found == EXPECTED[group_by]


async def test_rows_come_in_batches(database: Database) -> None:
    rows = OrderRows(database)
    lines = [line(product_id=f"prod_{number:04}") for number in range(1_100)]
    await rows.add(*lines)

    async with database.read() as session:
        report = SalesReport(NOON, NOON + timedelta(days=1), "product", "csv")
        sizes = [len(batch) async for batch in sales(session, report)]

    assert sizes == [500, 500, 100]
