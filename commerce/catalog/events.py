"""What the catalogue tells the event log."""

from collections.abc import Iterator
from typing import Any

from commerce.catalog.entities import Product
from commerce.catalog.storage import Save
from commerce.events.visibility import Visibility
from core.eventlog import NewEvent


def saved(save: Save) -> Iterator[NewEvent]:
    """That a product was made or changed, and of a changed one which variants have another stock now."""
    data, before = save.data, save.before
    # Who saw it on sale hears that it no longer is.
    shown = data.status == "active" or (before is not None and before.head.status == "active")
    fields = _fields(save.product_id, data.handle, data.title, data.status, save.version)
    yield NewEvent("product.updated" if before else "product.created", save.product_id, fields, _visibility(shown))
    old = {tuple(variant.options.values()): variant for variant in before.variants} if before else {}
    for variant in data.variants:
        known = old.get(tuple(variant.options.values()))
        if known is not None and known.stock != variant.stock:
            level = {
                "product_id": save.product_id,
                "variant_id": known.id,
                "sku": variant.sku,
                "stock": variant.stock,
            }
            yield NewEvent("stock.changed", save.product_id, level, _visibility(data.status == "active"))


def deleted(product: Product) -> NewEvent:
    head = product.head
    fields = _fields(head.id, head.handle, head.title, head.status, head.version)
    return NewEvent("product.deleted", head.id, fields, _visibility(head.status == "active"))


def _fields(product_id: str, handle: str, title: str, status: str, version: int) -> dict[str, Any]:
    return {"id": product_id, "handle": handle, "title": title, "status": status, "version": version}


def _visibility(on_sale: bool) -> Visibility:
    return "everybody" if on_sale else "editors"
