"""Requests about orders, as the tests of this folder send them."""

from typing import Any

import httpx2

from core.ids import new_id

ORDERS = "/public/v1/orders"
EMAIL = "ada@example.com"


def body(variant: str, quantity: int = 1, **changes: Any) -> dict[str, Any]:
    return {"lines": [{"variant_id": variant, "quantity": quantity}], "email": EMAIL} | changes


def keyed(headers: dict[str, str], key: str = "") -> dict[str, str]:
    return headers | {"Idempotency-Key": key or new_id("key")}


async def place(
    client: httpx2.AsyncClient, headers: dict[str, str], variant: str, quantity: int = 1, **changes: Any
) -> dict[str, Any]:
    response = await client.post(ORDERS, json=body(variant, quantity, **changes), headers=keyed(headers))
    assert response.status_code == 201, response.text
    order: dict[str, Any] = response.json()
    return order


async def change(
    client: httpx2.AsyncClient, headers: dict[str, str], order: dict[str, Any], what: str, sent: Any = None
) -> httpx2.Response:
    """`what` is payments, cancel or shipments."""
    return await client.post(f"{ORDERS}/{order['id']}/{what}", json=sent, headers=headers)
