"""Rows of a shop of any size. Each follows from its number alone: every run and both databases have the same."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from typeid.base32 import encode

from commerce.catalog.text import fold

Rows = Iterator[dict[str, Any]]
CATEGORIES, VENDORS, COMMON_TAGS = 50, 200, 20
PRODUCTS_OF_A_RARE_TAG = 40
LINES = 5  # of an order
_FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
_ADJECTIVES = ("Alpine", "Coastal", "Double", "Everyday", "Field", "Light", "Northern", "Quiet", "Ridge", "Summer")
_THINGS = ("Anorak", "Backpack", "Boots", "Cap", "Gloves", "Jacket", "Lamp", "Mug", "Parka", "Rope", "Shirt", "Tent")


def new_id(prefix: str, number: int, child: int = 0) -> str:
    """A TypeID of the kind; later numbers sort after earlier ones."""
    return f"{prefix}_{encode((0x0190 << 112 | number << 64 | 0x7000_8000 << 32 | child).to_bytes(16))}"


def categories() -> Rows:
    for number in range(CATEGORIES):
        yield {"id": new_id("cat", number), "name": f"Category {number}", "slug": f"category-{number}"}


def product(number: int) -> dict[str, Any]:
    """One in fifty is a draft. Prices, titles, vendors and categories are scattered, times rise."""
    mixed = _mixed(number)
    title = f"{_ADJECTIVES[mixed % 10]} {_THINGS[mixed // 10 % 12]} {number}"
    price = _price(number)
    created_at = _FIRST_DAY + timedelta(seconds=number * 30)
    return {
        "id": new_id("prod", number),
        "handle": f"product-{number}",
        "title": title,
        "title_order": fold(title),
        "description": f"<p>{title}: made to last, of good cloth, for work and for days off.</p>",
        "vendor": f"Vendor {mixed % VENDORS}",
        "category_id": new_id("cat", mixed // VENDORS % CATEGORIES),
        "status": "draft" if number % 50 == 7 else "active",  # noqa: PLR2004
        "options": ["Size"],
        "currency": "USD",
        "price_min": price,
        "price_max": price + 500,
        "price_spread": 500,
        "extra": {},
        "version": 1,
        "created_at": created_at,
        "updated_at": created_at + timedelta(seconds=mixed % 10_000_000),
    }


def variants(number: int) -> Rows:
    """One product in ten is sold out."""
    for position, size in enumerate("SL"):
        yield {
            "id": new_id("var", number, position),
            "product_id": new_id("prod", number),
            "position": position,
            "sku": f"BP-{number}-{size}",
            "options": {"Size": size},
            "price": _price(number) + 500 * position,
            "compare_at_price": None,
            "stock": 0 if number % 10 == 3 else 1 + number % 90,  # noqa: PLR2004
            "inventory_policy": "deny",
            "weight_grams": 400,
            "barcode": None,
            "extra": {},
        }


def tags(number: int) -> Rows:
    """One that many products have, and one that few have, all of them of about the same time."""
    made = product(number)
    ordered_by = {name: made[name] for name in ("created_at", "title_order", "price_min")}
    for position, tag in enumerate((f"tag-{_mixed(number) % COMMON_TAGS}", f"drop-{number // PRODUCTS_OF_A_RARE_TAG}")):
        yield {"product_id": made["id"], "position": position, "tag": tag, **ordered_by}


def retired_handles(number: int) -> Rows:
    """One product in ten had another handle before."""
    if number % 10 == 0:
        yield {"handle": f"old-product-{number}", "product_id": new_id("prod", number)}


def image(number: int) -> dict[str, Any]:
    return {
        "id": new_id("img", number),
        "product_id": new_id("prod", number),
        "position": 0,
        "url": f"https://images.example.com/{number}.jpg",
        "alt": "Front",
        "width": 800,
        "height": 600,
        "extra": {},
        "media_id": None,
    }


def document(number: int) -> dict[str, Any]:
    made = product(number)
    named = " ".join(tag["tag"].replace("-", " ") for tag in tags(number))
    return {
        "product_id": made["id"],
        "title": made["title_order"],
        "details": f"{fold(made['vendor'])} category {named} bp {number} s l",
        "description": f"{made['title_order']} made to last of good cloth for work and for days off",
    }


def order(number: int) -> dict[str, Any]:
    placed_at = _FIRST_DAY + timedelta(minutes=number)
    reduced = number % 4 == 0
    return {
        "id": new_id("ord", number),
        "email": f"customer-{number % 5_000}@example.com",
        "state": ("placed", "paid", "shipped")[number % 3],
        "currency": "USD",
        "promotion_id": "promo_01jd0a3v5te8zr9k1m2n3p4q5r" if reduced else None,
        "promotion_code": "SPRING10" if reduced else None,
        "promotion_title": "Ten off in spring" if reduced else None,
        "discount": 1_000 if reduced else 0,
        "shipping": 799,
        "version": 1,
        "placed_at": placed_at,
        "updated_at": placed_at,
    }


def order_lines(number: int) -> Rows:
    for position in range(LINES):
        variant = number * LINES + position
        yield {
            "order_id": new_id("ord", number),
            "position": position,
            "variant_id": new_id("var", variant % 20_000, variant % 2),
            "product_id": new_id("prod", variant % 20_000),
            "sku": f"BP-{variant % 20_000}-M",
            "title": f"Bench Product {variant % 20_000} / Medium",
            "quantity": 1 + variant % 3,
            "unit_price": 999 + variant % 9_000,
            "stock_taken": True,
        }


def payment(number: int) -> dict[str, Any]:
    made = order(number)
    return {
        "id": new_id("pay", number),
        "order_id": made["id"],
        "amount": 1_000,
        "currency": "USD",
        "reference": f"ch_{number}",
        "created_at": made["placed_at"],
    }


def shipment(number: int) -> dict[str, Any]:
    made = order(number)
    return {
        "id": new_id("shp", number),
        "order_id": made["id"],
        "carrier": "DHL",
        "tracking_number": None,
        "tracking_url": None,
        "created_at": made["placed_at"],
    }


def _price(number: int) -> int:
    return 500 + _mixed(number) // 7 % 100_000


def _mixed(number: int) -> int:
    """Numbers that look like chance (Knuth's multiplicative hash)."""
    return (number + 1) * 2_654_435_761 % 2**32
