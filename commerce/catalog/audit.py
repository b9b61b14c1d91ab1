"""What the audit log keeps of a product: what a reader of it sees, and no kept columns of an import."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from commerce.catalog.entities import Image, Product, Variant
from commerce.catalog.storage import Save

_KEPT_DESCRIPTION = 10_000  # characters


def facts(product: Product) -> dict[str, Any]:
    """Each variant is a fact of its own, so that the entry of a change names those alone that changed."""
    head = product.head
    return {
        "handle": head.handle,
        "title": head.title,
        "description": _bounded(head.description),
        "vendor": head.vendor,
        "category": product.category.name if product.category else None,
        "tags": list(product.tags),
        "status": head.status,
        "options": head.options,
        "currency": head.currency,
        "images": [_shown(image) for image in product.images],
        **{variant.id: _shown(variant) for variant in product.variants},
    }


def batch_facts(saves: Sequence[Save]) -> dict[str, Any]:
    """How many products a batch made and changed, and which."""
    created = [save.data.handle for save in saves if save.before is None]
    updated = [save.data.handle for save in saves if save.before is not None]
    counts = {"created": len(created), "updated": len(updated)}
    return {"counts": counts, "created": created, "updated": updated}


def _shown(part: Variant | Image) -> dict[str, Any]:
    return {name: value for name, value in asdict(part).items() if name not in ("product_id", "extra")}


def _bounded(text: str) -> str:
    """Its beginning; the digest tells two texts apart that begin alike."""
    if len(text) <= _KEPT_DESCRIPTION:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{text[:_KEPT_DESCRIPTION]}... ({len(text)} characters, SHA-256 {digest})"
