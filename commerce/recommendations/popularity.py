"""The most ordered products: of the same category first, then of the whole shop."""

from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, desc, exists, literal_column, select, union_all

from commerce.catalog.entities import ProductHead
from commerce.catalog.models import ProductRow
from commerce.recommendations.entities import Reason, Recommendation, Recommendations
from commerce.recommendations.models import ProductSalesRow
from core.repository import Repository

MODEL = "popularity"
VERSION = "1"  # of the rule: it rises when the same sales are to give another answer
_REASONS: tuple[Reason, ...] = ("same_category", "popular")


class PopularityRepository(Repository):
    async def like(self, product: ProductHead, *, limit: int) -> Recommendations:
        """Products on sale, without the product itself. One statement, which reads the sales in the order of two
        indexes, and no more of them than it takes to find so many on sale.
        """
        best = [_best("popular", product, limit)]
        if product.category_id is not None:
            alike = ProductSalesRow.category_id == product.category_id
            best.append(_best("same_category", product, limit, alike))
        statement = union_all(*(select(each.subquery()) for each in best))
        rows = await self._session.execute(statement.order_by("place", desc("units"), desc("product_id")))
        found: dict[str, Recommendation] = {}
        for row in rows:
            found.setdefault(row.product_id, Recommendation(row.product_id, _REASONS[row.place]))
        return Recommendations(MODEL, VERSION, fallback=True, items=tuple(found.values())[:limit])


def _best(
    reason: Reason, product: ProductHead, limit: int, *conditions: ColumnElement[bool]
) -> Select[*tuple[Any, ...]]:
    on_sale = exists().where(ProductRow.id == ProductSalesRow.product_id, ProductRow.status == "active")
    place = literal_column(str(_REASONS.index(reason)), Integer).label("place")
    return (
        select(place, ProductSalesRow.units, ProductSalesRow.product_id)
        .where(ProductSalesRow.product_id != product.id, on_sale, *conditions)
        .order_by(ProductSalesRow.units.desc(), ProductSalesRow.product_id.desc())
        .limit(limit)
    )
