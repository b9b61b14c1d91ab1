"""Peers' answers in our words."""

from benchmarks import backends, graphql

MONEY = {"amount": 1000, "currency": "USD"}


def test_postgraphiles_product_is_ours() -> None:
    variant = {"rowId": "var_1", "sku": "S", "price": "1000", "stock": 0, "inventoryPolicy": "continue"}
    theirs = {
        "rowId": "prod_1",
        "handle": "a",
        "title": "A",
        "currency": "USD",
        "priceMin": "1000",
        "priceMax": "1000",
        "categoryByCategoryId": {"rowId": "cat_1", "name": "C", "slug": "c"},
        "variantsByProductId": {"nodes": [variant, variant | {"inventoryPolicy": "deny"}, variant | {"stock": None}]},
    }

    found = graphql.in_our_words({"data": {"allProducts": {"nodes": [theirs]}}})

    ours = {"id": "var_1", "sku": "S", "price": MONEY, "available": True}
    assert found == {
        "products": {
            "nodes": [
                {
                    "id": "prod_1",
                    "handle": "a",
                    "title": "A",
                    "priceRange": {"min": MONEY, "max": MONEY},
                    "category": {"id": "cat_1", "name": "C", "slug": "c"},
                    "variants": [ours, ours | {"available": False}, ours],
                }
            ]
        }
    }


def test_vendures_product_is_ours() -> None:
    variant = {"sku": "S", "price": 1000, "currencyCode": "USD", "stockLevel": "LOW_STOCK"}
    theirs = {
        "slug": "a",
        "name": "A",
        "facetValues": [{"name": "C"}],
        "variants": [variant, variant | {"stockLevel": "OUT_OF_STOCK"}],
    }

    found = backends.in_our_words({"data": {"products": {"items": [theirs]}}})

    ours = {"sku": "S", "price": MONEY, "available": True}
    node = {"handle": "a", "title": "A", "category": {"name": "C"}, "variants": [ours, ours | {"available": False}]}
    assert found == {"products": {"nodes": [node]}}
