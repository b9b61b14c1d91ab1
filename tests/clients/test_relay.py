"""A program of relay-compiler and relay-runtime works against the committed schema as it is."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.clients.shop import Shop, a_catalogue, pairs
from tests.fixtures.processes import ROOT

HERE = Path(__file__).parent


@pytest.fixture
def relay(tmp_path: Path) -> Path:
    """The program, the schema and what is installed, in one folder, as a project of Relay has them."""
    folder = tmp_path / "relay"
    shutil.copytree(HERE / "relay", folder)
    shutil.copyfile(ROOT / "docs" / "contracts" / "schema.graphql", folder / "schema.graphql")
    (folder / "persisted.json").write_text("{}")  # the compiler adds to it
    (folder / "node_modules").symlink_to(HERE / "node_modules")
    return folder


def compiled(shop: Shop, node: str, relay: Path, config: str = "relay.config.json") -> None:
    shop.run(node, str(relay / "node_modules" / "relay-compiler" / "cli.js"), str(relay / config))


def ran(shop: Shop, node: str, relay: Path) -> list[tuple[str, Any]]:
    return pairs(shop.run(node, str(relay / "run.js"), shop.address, shop.key))


async def test_relay_pages_refetches_and_orders(node: str, shop: Shop, relay: Path) -> None:
    lamp, mug, *_ = a_catalogue(shop)
    compiled(shop, node, relay)

    told = ran(shop, node, relay)

    assert [value for name, value in told if name == "sent"] == [["text", 200]] * 8
    assert_done(told, lamp, mug)


async def test_relay_sends_the_ids_of_operations_that_were_registered_and_nothing_else_runs(
    node: str, shop: Shop, relay: Path
) -> None:
    lamp, mug, *_ = a_catalogue(shop)
    compiled(shop, node, relay, "persisted.config.json")
    manifest = str(relay / "persisted.json")

    registered = shop.portico("operations", "register", manifest, "--client", "relay-shop", "--version", "1.0.0")
    again = shop.portico("operations", "register", manifest, "--client", "relay-shop", "--version", "1.0.1")
    shop.enforce("relay-shop")
    told = ran(shop, node, relay)
    answer = shop.ask("{ categories { id } }", "relay-shop")

    assert (registered, again) == ("registered 5 new, 0 known\n", "registered 0 new, 5 known\n")
    assert [value for name, value in told if name == "sent"] == [["id", 200]] * 8
    assert_done(told, lamp, mug)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["operation_not_registered"]


def assert_done(told: list[tuple[str, Any]], lamp: dict[str, Any], mug: dict[str, Any]) -> None:
    """What the program comes to, however it sends its operations."""
    seen = {name: value for name, value in told if name != "sent"}
    order = seen["placed"]
    assert (order["__typename"], order["state"]) == ("Order", "placed")
    assert order["total"] == {"amount": 2000, "currency": "USD"}
    receipt = {name: order[name] for name in ("__typename", "number", "state", "total")}
    assert seen == {
        "first page": [shown(lamp, stock=3), shown(mug, stock=3)],
        "all pages": ["Lamp", "Mug", "Rug", "Sofa", "Vase"],
        "orders before": [],
        "placed": order,
        "refused": {
            "__typename": "OutOfStock",
            "sku": "LAMP-1",
            "requested": 2,
            "available": 1,
            "code": "out_of_stock",
            "message": "1 of LAMP-1 in stock, 2 ordered",
            "retryable": False,
        },
        "orders in the store": [receipt],
        "orders after": [receipt],
        "refetched": shown(lamp, stock=1),
    }


def shown(product: dict[str, Any], stock: int) -> dict[str, Any]:
    """What the program's fragment reads of it."""
    (variant,) = product["variants"]
    return {
        "id": product["id"],
        "title": product["title"],
        "category": {"name": "Home"},
        "priceRange": {"min": variant["price"]},
        "variants": [{"id": variant["id"], "sku": variant["sku"], "stock": stock}],
    }
