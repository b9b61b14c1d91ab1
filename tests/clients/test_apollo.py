"""A program of @apollo/client works against the server as it is: cache, pages, unions, subscriptions."""

from pathlib import Path
from typing import Any

from tests.clients.shop import Shop, a_catalogue, pairs

HERE = Path(__file__).parent / "apollo"


async def test_apollo_pages_orders_and_follows(node: str, shop: Shop) -> None:
    lamp, *_ = a_catalogue(shop)

    told = pairs(shop.run(node, str(HERE / "shop.mjs"), shop.address, shop.key, "plain"))

    assert [value for name, value in told if name == "sent"] == [["POST", "text", 200]] * 9
    assert_done({name: value for name, value in told if name != "sent"}, lamp)


def assert_done(seen: dict[str, Any], lamp: dict[str, Any]) -> None:
    """What the program comes to, however it sends its operations."""
    order = seen["placed"]
    assert order["__typename"] == "Order"
    assert seen == {
        "first page": ["Lamp", "Mug"],
        "all pages": ["Lamp", "Mug", "Rug", "Sofa", "Vase"],
        "same object": [True, "lamp"],
        "node": {"__typename": "Product", "id": lamp["id"], "title": "Lamp"},
        "placed": {**order, "state": "placed", "total": {"__typename": "Money", "amount": 2000, "currency": "USD"}},
        "refused": {
            "__typename": "OutOfStock",
            "sku": "LAMP-1",
            "requested": 2,
            "available": 1,
            "code": "out_of_stock",
            "message": "1 of LAMP-1 in stock, 2 ordered",
            "retryable": False,
        },
        "orders": [order],
        "orders in the cache": ["cancelled"],
        "updates": ["order.placed", "order.cancelled"],
    }
