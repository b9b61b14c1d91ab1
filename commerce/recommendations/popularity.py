"""The most ordered products: of the same category first, then of the whole shop. Where too few were ordered, the newest
follow in the same way.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from sqlalchemy import Boolean, Select, desc, exists, literal_column, select, union_all

from commerce.catalog.entities import ProductHead
from commerce.catalog.models import ProductRow
from commerce.recommendations.entities import Reason, Recommendation
from commerce.recommendations.models import ProductSalesRow
from core.inference.provenance import Provenance
from core.repository import Repository

MODEL = "popularity"
VERSION = "1"  # of the rule: it rises when the same sales are to give another answer
_HASH = "sha256:" + sha256(f"{MODEL} {VERSION}".encode()).hexdigest()  # of its name: there is no file

# The best `limit` of the product's category, or of the whole shop, in the order of an index.
Best = Callable[[ProductHead, int, bool], Select[*tuple[Any, ...]]]


def provenance(reason: str) -> Provenance:
    """`reason`: why it answers instead of a trained model."""
    return Provenance(MODEL, VERSION, _HASH, fallback_reason=reason)


class PopularityRepository(Repository):
    async def like(self, product: ProductHead, *, limit: int) -> list[Recommendation]:
        """Products on sale, without the product itself. One statement, and a second where too few were ordered; they
        read no more sales, and no more products, than it takes to find so many on sale.
        """
        reasons: dict[str, Reason] = {}
        rules: list[tuple[Best, Reason, Reason]] = [(_ordered, "same_category", "popular"), (_newest, "new", "new")]
        for best, of_category, of_shop in rules:
            if len(reasons) < limit:
                for product_id, is_alike in await self._both(best, product, limit):
                    reasons.setdefault(product_id, of_category if is_alike else of_shop)
        return [Recommendation(*each) for each in reasons.items()][:limit]

    async def _both(self, best: Best, product: ProductHead, limit: int) -> list[tuple[str, bool]]:
        """Of the category, which is told, and then of the shop, which has them again."""
        alike = [True] if product.category_id is not None else []
        statement = union_all(*(select(best(product, limit, each).subquery()) for each in (*alike, False)))
        rows = await self._session.execute(statement.order_by(desc("alike"), desc("rank"), desc("product_id")))
        return [(row.product_id, bool(row.alike)) for row in rows]


def _ordered(product: ProductHead, limit: int, alike: bool) -> Select[*tuple[Any, ...]]:
    sales = ProductSalesRow
    on_sale = exists().where(ProductRow.id == sales.product_id, ProductRow.status == "active")
    found = select(_said(alike), sales.units.label("rank"), sales.product_id).where(
        sales.product_id != product.id, on_sale
    )
    if alike:
        found = found.where(sales.category_id == product.category_id)
    return found.order_by(sales.units.desc(), sales.product_id.desc()).limit(limit)


def _newest(product: ProductHead, limit: int, alike: bool) -> Select[*tuple[Any, ...]]:
    found = select(_said(alike), ProductRow.created_at.label("rank"), ProductRow.id.label("product_id"))
    found = found.where(ProductRow.id != product.id, ProductRow.status == "active")
    if alike:
        found = found.where(ProductRow.category_id == product.category_id)
    return found.order_by(ProductRow.created_at.desc(), ProductRow.id.desc()).limit(limit)


def _said(alike: bool) -> Any:
    return literal_column("true" if alike else "false", Boolean).label("alike")
