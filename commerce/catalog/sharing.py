"""What the catalogue's public answers show, so that a change of it ends them."""

from collections.abc import Iterable

from core.database import Change

PRODUCTS = "products"  # of every answer that a product may come into or go out of


def tags_of(changes: Iterable[Change]) -> set[str]:
    """What these events, by type and subject, make untrue."""
    changed = {subject for kind, subject in changes if kind.startswith("product.") or kind == "stock.changed"}
    return changed | {PRODUCTS} if changed else changed
