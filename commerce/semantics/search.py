"""Search by meaning and by words together, and the list of products that goes on by meaning where words find little.

What is shown is read from the database now: the index only says what to look at.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from commerce.catalog.filters import ProductFilter, SortName
from commerce.catalog.reading import CatalogReader
from commerce.semantics.fusion import Reason, fused
from commerce.semantics.index import SemanticIndex
from core.inference.metrics import count_answer
from core.inference.provenance import Provenance
from core.pagination import Page
from core.projections.items import Item

MEANING = "semantics"  # of shared answers: what other vectors may change
_LOOKED_AT = 100  # of each ranking; more change nothing in the first twenty
# Cosines. What has nothing to do with the shop ("xbox controller", random letters, an emoji) comes to 0.15 with the
# demo catalogue's products, and what is asked for in other words to 0.4 and more.
_FAR = 0.2
_CLOSE = 0.3  # for what nobody asked to be searched by meaning
FEW = 3  # a list that words make shorter than this goes on by meaning
_MOST_MORE = 20  # and is longer by so many at most


@dataclass(frozen=True, slots=True)
class Hit:
    item: Item
    score: float
    reason: Reason


@dataclass(frozen=True, slots=True)
class Found:
    provenance: Provenance
    hits: Sequence[Hit]


class SemanticSearch:
    """Per request."""

    def __init__(self, reader: CatalogReader, index: SemanticIndex) -> None:
        self._reader = reader
        self._index = index

    async def find(self, query: str, *, limit: int) -> Found:
        """Products on sale, the best first. Two statements. Where there is no index, words alone answer."""
        started = time.perf_counter()
        near = await self._near(query, _FAR)
        provenance = replace(self._index.provenance, fallback_reason=self._index.why_not)
        words = await self._reader.page(ProductFilter(q=query), None, page=1, size=_LOOKED_AT, only_keys=True)
        ranked = fused([item.id for item in words.items], near)
        items = await self._reader.among([each.id for each in ranked[: 2 * limit]], ProductFilter())
        hits = [Hit(items[each.id], each.score, each.reason) for each in ranked if each.id in items]
        count_answer(provenance, time.perf_counter() - started)
        return Found(provenance, hits[:limit])

    async def page(
        self, wanted: ProductFilter, sort: SortName | None, *, page: int, size: int, only_keys: bool = False
    ) -> Page[Item]:
        """As `CatalogReader.page`. Where a query without a `sort` has few results, the nearest in meaning that meet the
        other conditions follow them, and the total counts these too. Two statements more, three on later pages.
        """
        found = await self._reader.page(wanted, sort, page=page, size=size, only_keys=only_keys)
        if wanted.q is None or sort is not None or found.total >= FEW:
            return found
        more = await self._more(wanted, found)
        shown = list(more)[max((page - 1) * size - found.total, 0) : max(page * size - found.total, 0)]
        items = more if only_keys else await self._reader.among(shown, wanted)
        following = [items[each] for each in shown if each in items]
        return Page([*found.items, *following], page, size, found.total + len(more))

    async def nearest(self, query: str, wanted: ProductFilter) -> list[str]:
        """Ids of those that meet the conditions, whatever words they have; none where nothing is close. A statement."""
        near = await self._near(query, _CLOSE)
        fitting = await self._reader.among(near, wanted, only_keys=True)
        return [each for each in near if each in fitting]

    async def _near(self, query: str, least: float) -> list[str]:
        """Ids, also of such as are not on sale; the nearest first."""
        return [each.id for each in await self._index.nearest(query, _LOOKED_AT) if each.score >= least]

    async def _more(self, wanted: ProductFilter, found: Page[Item]) -> dict[str, Item]:
        """By id, the nearest first; without those that words found."""
        near = await self._near(wanted.q or "", _CLOSE)
        if not near:
            return {}
        named = found.items
        if len(named) < found.total:  # they are on another page, or on several
            named = (await self._reader.page(wanted, None, page=1, size=FEW, only_keys=True)).items
        known = {item.id for item in named}
        fitting = await self._reader.among([each for each in near if each not in known], wanted, only_keys=True)
        return {each: fitting[each] for each in [each for each in near if each in fitting][:_MOST_MORE]}
