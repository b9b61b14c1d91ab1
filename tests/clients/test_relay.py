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
    (folder / "node_modules").symlink_to(HERE / "node_modules")
    return folder


def compiled(shop: Shop, node: str, relay: Path) -> None:
    shop.run(node, str(relay / "node_modules" / "relay-compiler" / "cli.js"), str(relay / "relay.config.json"))


async def test_relay_pages_refetches_and_orders(node: str, shop: Shop, relay: Path) -> None:
    lamp, mug, *_ = a_catalogue(shop)
    compiled(shop, node, relay)

    told = pairs(shop.run(node, str(relay / "run.js"), shop.address, shop.key))

    assert [value for name, value in told if name == "sent"] == [["text", 200]] * 8
    seen = {name: value for name, value in told if name != "sent"}
    assert seen["first page"] == [shown(lamp, stock=3), shown(mug, stock=3)]
    assert seen["all pages"] == ["Lamp", "Mug", "Rug", "Sofa", "Vase"]
    order = seen["placed"]
    assert (order["__typename"], order["state"], order["total"]) == (
        "Order",
        "placed",
        {"amount": 2000, "currency": "USD"},
    )
    assert seen["refused"] == {
        "__typename": "OutOfStock",
        "sku": "LAMP-1",
        "requested": 2,
        "available": 1,
        "code": "out_of_stock",
        "message": seen["refused"]["message"],
        "retryable": False,
    }
    assert seen["orders before"] == []
    assert [each["number"] for each in seen["orders in the store"]] == [order["number"]]
    assert seen["orders after"] == seen["orders in the store"]
    assert seen["refetched"] == shown(lamp, stock=1)


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
