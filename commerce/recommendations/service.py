"""What goes with a product: what is bought with it; else what is like it; else what is bought most."""

import time
from collections.abc import Sequence
from dataclasses import replace

from commerce.catalog.entities import ProductHead
from commerce.catalog.filters import ProductFilter
from commerce.catalog.reading import CatalogReader
from commerce.recommendations.entities import Reason, Recommendation, Recommendations, Similar
from commerce.recommendations.popularity import PopularityRepository, provenance
from commerce.recommendations.serving import RECOMMENDATIONS
from core.database import Database
from core.inference.serving import Models

COLD = "cold_product"  # why something simpler answers: too few orders have the product
_AGREE = 0.5  # of what is served: a shadow that has as much of it says the same, mostly
_SPARE = 2  # times as many as are wanted are looked at first: some may not be on sale any more


class RecommendationService:
    """Per request. One statement for a product that the model knows; two or three more where what is bought most fills
    up.
    """

    def __init__(self, database: Database, models: Models, similar: Similar | None = None) -> None:
        self._database = database
        self._reader = CatalogReader(database)
        self._serving = models.serving(RECOMMENDATIONS)
        self._similar = similar

    async def like(self, product: ProductHead, *, limit: int, with_json: bool = False) -> Recommendations:
        """Products on sale, without the product itself. Of the product only its id and category are read."""
        started = time.perf_counter()
        loaded = self._serving.current()
        known = loaded.model.like(product.id) if loaded is not None else []
        items = await self._on_sale(known, "bought_together", limit, with_json=with_json)
        by = loaded.provenance() if loaded is not None and items else None
        if by is None:
            reason = COLD if loaded is not None else self._serving.absence
            likes = await self._similar.similar(product.id, limit) if self._similar is not None else None
            items = await self._on_sale(likes.product_ids, "similar", limit, with_json=with_json) if likes else []
            by = replace(likes.provenance, fallback_reason=reason) if likes and items else provenance(reason)
        if len(items) < limit:
            items += await self._popular(product, items, limit, with_json=with_json)
        found = Recommendations(by, tuple(items))
        self._serving.answered(by, time.perf_counter() - started)
        if known:
            self._serving.compare(lambda table: table.like(product.id)[:limit], known[:limit], _agree)
        return found

    async def _popular(
        self, product: ProductHead, items: Sequence[Recommendation], limit: int, *, with_json: bool
    ) -> list[Recommendation]:
        taken = {each.product_id for each in items}
        async with self._database.read() as session:
            found = await PopularityRepository(session).like(product, limit=limit)
        rest = [each for each in found if each.product_id not in taken][: limit - len(items)]
        if not with_json:
            return rest
        reasons = {each.product_id: each.reason for each in rest}
        shown = await self._on_sale([*reasons], "popular", limit, with_json=True)
        return [Recommendation(each.product_id, reasons[each.product_id], each.json) for each in shown]

    async def _on_sale(
        self, ids: Sequence[str], reason: Reason, limit: int, *, with_json: bool
    ) -> list[Recommendation]:
        """The first of these that are on sale, in their order. A statement, and a second where many are not."""
        enough = _SPARE * limit
        found = await self._reader.among(ids[:enough], ProductFilter(), only_keys=not with_json)
        if len(found) < limit:
            found |= await self._reader.among(ids[enough:], ProductFilter(), only_keys=not with_json)
        return [Recommendation(each, reason, found[each].json) for each in ids if each in found][:limit]


def _agree(shadow: list[str], served: list[str]) -> bool:
    return len({*shadow} & {*served}) >= _AGREE * len(served)
