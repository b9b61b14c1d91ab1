"""A program of @apollo/client works against the server as it is: cache, pages, unions, subscriptions."""

import json
from pathlib import Path
from typing import Any

from tests.clients.shop import Shop, a_catalogue, pairs

HERE = Path(__file__).parent / "apollo"


async def test_apollo_pages_orders_and_follows(node: str, shop: Shop) -> None:
    lamp, *_ = a_catalogue(shop)

    told = pairs(shop.run(node, str(HERE / "shop.mjs"), shop.address, shop.key, "plain"))

    assert [value for name, value in told if name == "sent"] == [["POST", "text", 200]] * 9
    assert_done(told, lamp)


async def test_apollo_sends_the_hashes_of_a_registered_manifest_and_nothing_else_runs(
    node: str, shop: Shop, tmp_path: Path
) -> None:
    lamp, *_ = a_catalogue(shop)
    config, manifest = tmp_path / "config.json", tmp_path / "manifest.json"
    config.write_text(json.dumps({"documents": "apollo/*.mjs", "output": "manifest.json"}))
    (tmp_path / "apollo").symlink_to(HERE)
    generate = HERE.parent / "node_modules" / "@apollo" / "generate-persisted-query-manifest" / "cli.js"
    shop.run(node, str(generate), "--config", str(config))

    registered = shop.portico("operations", "register", str(manifest), "--client", "apollo-shop", "--version", "1.4.0")
    shop.enforce("apollo-shop")
    told = pairs(shop.run(node, str(HERE / "shop.mjs"), shop.address, shop.key, "manifest", str(manifest)))
    answer = shop.ask("{ categories { id } }", "apollo-shop")

    assert registered == "registered 7 new, 0 known\n"
    by_get, by_post = ["GET", "hash", 200], ["POST", "hash", 200]
    assert_done(told, lamp)
    assert [value for name, value in told if name == "sent"] == [*[by_get] * 5, *[by_post] * 2, by_get, by_post]
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["operation_not_registered"]


async def test_apollo_teaches_the_server_its_operations_where_it_may(node: str, shop: Shop) -> None:
    lamp, *_ = a_catalogue(shop)
    shop.learn_from("apollo-shop")

    told = pairs(shop.run(node, str(HERE / "shop.mjs"), shop.address, shop.key, "automatic"))

    taught, known = [["POST", "hash", 404], ["POST", "text", 200]], ["POST", "hash", 200]
    assert_done(told, lamp)
    assert [value for name, value in told if name == "sent"] == [
        *[*taught, known, known],  # pages
        *[*taught, *taught],  # a product, a node
        *[*taught, known],  # two orders
        *[*taught, *taught],  # the list of orders, and one is cancelled
    ]


def assert_done(told: list[tuple[str, Any]], lamp: dict[str, Any]) -> None:
    """What the program comes to, however it sends its operations."""
    seen = {name: value for name, value in told if name != "sent"}
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
