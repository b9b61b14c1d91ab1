"""What the catalogue's public answers show, and what is counted of it, so that a change ends them."""

from collections.abc import Iterable

from core.database import Change

PRODUCTS = "products"  # of every answer that a product may come into or go out of
CATALOG, STOCK = "catalog", "stock"  # of objects: of what a change of any product ends, and of any stock


def tags_of(changes: Iterable[Change]) -> set[str]:
    """What these events, by type and subject, make untrue."""
    changed = {subject for kind, subject in changes if kind.startswith("product.") or kind == "stock.changed"}
    return changed | {PRODUCTS} if changed else changed


def object_tags_of(kind: str) -> tuple[str, ...]:
    """What an event of this type makes untrue of what is kept for all processes."""
    if kind.startswith("product."):
        return CATALOG, STOCK
    return (STOCK,) if kind == "stock.changed" else ()


def tags_of_total(*, of_stock: bool) -> tuple[str, ...]:
    """`of_stock`: it depends on what can be bought now. Others outlive every sale."""
    return (STOCK,) if of_stock else (CATALOG,)
