"""Orders as rows, put into the tables as they are: for tests of what is read, not of how it came there."""

from datetime import timedelta
from typing import Any

from sqlalchemy import insert

from commerce.accounts.models import UserRow
from commerce.orders.models import OrderLineRow, OrderRow, PaymentRow, ShipmentRow
from core.database import Database
from tests.factories.clocks import NOON


def line(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {"variant_id": "var_1", "product_id": "prod_1", "sku": "JKT-S", "title": "Rain Jacket"}
    return values | {"quantity": 1, "unit_price": 1999, "stock_taken": True} | changes


class OrderRows:
    """Each order is placed a minute after the one before it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._count = 0

    async def add_user(self, user_id: str, role: str = "customer") -> str:
        values = {"id": user_id, "email": f"{user_id}@example.com", "name": "", "password_hash": "", "role": role}
        async with self._database.write() as session:
            await session.execute(insert(UserRow).values(**values, created_at=NOON, updated_at=NOON))
        return user_id

    async def add(self, *lines: dict[str, Any], **changes: Any) -> str:
        ids = await self.add_many(1, *lines, **changes)
        return ids[0]

    async def add_many(self, count: int, *lines: dict[str, Any], **changes: Any) -> list[str]:
        orders = [self._order(**changes) for _ in range(count)]
        rows = [
            {"order_id": order["id"], "position": position, **given}
            for order in orders
            for position, given in enumerate(lines or (line(),))
        ]
        async with self._database.write() as session:
            await session.execute(insert(OrderRow), orders)
            await session.execute(insert(OrderLineRow), rows)
        return [order["id"] for order in orders]

    def _order(self, **changes: Any) -> dict[str, Any]:
        self._count += 1
        placed_at = NOON + timedelta(minutes=self._count)
        values: dict[str, Any] = {"id": f"ord_{self._count:06}", "user_id": None, "email": "ada@example.com"}
        values |= {"state": "placed", "currency": "USD", "discount": 0, "shipping": 0, "version": 1}
        values |= {"promotion_id": None, "promotion_code": None, "promotion_title": None}
        return values | {"placed_at": placed_at, "updated_at": placed_at} | changes

    async def pay(self, order_id: str, **changes: Any) -> None:
        values: dict[str, Any] = {"id": "pay_1", "amount": 100, "currency": "USD", "reference": "ch_1"}
        await self._insert(PaymentRow, order_id, values | changes)

    async def ship(self, order_id: str, **changes: Any) -> None:
        values: dict[str, Any] = {"id": "shp_1", "carrier": "DHL", "tracking_number": None, "tracking_url": None}
        await self._insert(ShipmentRow, order_id, values | changes)

    async def _insert(self, table: Any, order_id: str, values: dict[str, Any]) -> None:
        async with self._database.write() as session:
            await session.execute(insert(table).values(order_id=order_id, created_at=NOON, **values))
