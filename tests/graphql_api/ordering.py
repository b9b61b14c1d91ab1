"""Orders for the tests of this folder: documents, and the same thing asked of both doors."""

from typing import Any

import httpx2
from sqlalchemy import func, select

from commerce.audit.models import AuditRow
from commerce.catalog.models import VariantRow
from commerce.orders.models import OrderLineRow, OrderRow
from core.database import Base, Database
from core.eventlog import EventRow
from core.resources import Resources

ORDER = """fragment All on Order {
  id number state email
  lines { variantId sku title quantity unitPrice { amount currency } total { amount currency } }
  promotion { id code title }
  subtotal { amount currency } discount { amount currency } shipping { amount currency } total { amount currency }
  payments { id amount { amount currency } reference createdAt }
  shipments { id carrier trackingNumber trackingUrl createdAt }
  placedAt
}"""
FAULT = "fragment Fault on UserError { code message retryable errors { pointer code message } }"
PLACE = (
    """mutation($input: PlaceOrderInput!, $key: String!) {
      placeOrder(input: $input, idempotencyKey: $key) {
        __typename ...All ...Fault ... on OutOfStock { variantId sku requested available }
      }
    }"""
    + ORDER
    + FAULT
)
CANCEL = (
    """mutation($id: ID!, $key: String) {
      cancelOrder(id: $id, idempotencyKey: $key) { __typename ...All ...Fault ... on InvalidOrderState { state } }
    }"""
    + ORDER
    + FAULT
)
SCARCE = "ATL-S"  # three in stock, a thousand million dollars each
ONE = {"lines": [{"sku": SCARCE, "quantity": 1}]}
FOUR = {"lines": [{"sku": SCARCE, "quantity": 4}]}


async def place(client: httpx2.AsyncClient, body: dict[str, Any], headers: dict[str, str], key: str) -> httpx2.Response:
    """Over REST."""
    return await client.post("/public/v1/orders", json=body, headers=headers | {"Idempotency-Key": key})


async def count(database: Database, table: type[Base]) -> int:
    async with database.read() as session:
        return int(await session.scalar(select(func.count()).select_from(table)))


async def stock(database: Database, sku: str = SCARCE) -> int:
    async with database.read() as session:
        return int(await session.scalar(select(VariantRow.stock).where(VariantRow.sku == sku)))


async def placed(client: httpx2.AsyncClient, headers: dict[str, str], number: int = 1) -> list[dict[str, Any]]:
    """So many orders as REST shows them, oldest first; those with an even index have two lines and are paid."""
    plain = (await client.get("/public/v1/products/plain")).json()["variants"][0]["id"]
    coat = (await client.get("/public/v1/products/atlas-coat")).json()["variants"][1]["id"]
    found = []
    for index in range(number):
        lines = [{"variant_id": plain, "quantity": index + 1}, {"variant_id": coat, "quantity": 2}]
        body = {"lines": lines[: 2 - index % 2], "shipping": {"amount": 700}, "email": f"Buyer-{index}@example.com"}
        order = (await place(client, body, headers, f"placed-{index}")).json()
        if index % 2 == 0:
            paid = await client.post(f"/public/v1/orders/{order['id']}/payments", json={}, headers=headers)
            order = paid.json()
        found.append(order)
    return found


async def everything(resources: Resources) -> list[int]:
    """What a refused mutation must not have changed."""
    tables = (OrderRow, OrderLineRow, AuditRow, EventRow)
    return [await stock(resources.database), *[await count(resources.database, table) for table in tables]]
