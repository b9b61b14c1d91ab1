"""How the assistant finds products for a question: the one place that knows which search does it."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice

from commerce.assistant.facts import singular
from commerce.catalog.filters import ProductFilter
from commerce.catalog.repository import ProductRepository
from commerce.catalog.search import words_of
from core.database import ReadSession

_ENOUGH = 3  # products: a search that finds fewer is loosened
_MOST_WORDS = 8
_MOST_SEARCHES = 24  # of one question: each is a statement


# Ids of products that fit a filter, the nearest to a text in meaning first; none where nothing is near, or no index is.
Nearest = Callable[[str, ProductFilter], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Words, and where they find little what is nearest in meaning. A product that has all words comes before one that
    lacks one of them, and so on; a word of `kinds`, such as `jacket`, is given up only where nothing is found with it.
    """

    session: ReadSession
    kinds: Collection[str]
    nearest: Nearest

    async def search(self, query: str, wanted: ProductFilter, *, limit: int) -> list[str]:
        """Ids, the best first; those that fit the filter alone. Without a word in the query: the newest."""
        words = [singular(word) for word in words_of(query)][:_MOST_WORDS]
        if not words:
            return await self._find(replace(wanted, q=None), limit)
        found: dict[str, None] = {}
        kept = {word for word in words if word in self.kinds}
        for some in islice(_loosened(words, kept), _MOST_SEARCHES):
            if len(found) >= _ENOUGH or (found and not kept.issubset(some)):
                break
            found |= dict.fromkeys(await self._find(replace(wanted, q=" ".join(some)), limit))
        if len(found) < _ENOUGH:
            found |= dict.fromkeys(await self.nearest(query, wanted))
        return list(found)[:limit]

    async def _find(self, wanted: ProductFilter, limit: int) -> list[str]:
        found = await ProductRepository(self.session).slice(wanted, None, limit=limit, after=None)
        return [key.id for key in found.items]


def _loosened(words: Sequence[str], kept: Collection[str]) -> Iterator[Sequence[str]]:
    """All words; then all but one, the last first, as what comes last in a question tells most; and so on. Those that
    lack one that is to be kept come last.
    """
    subsets = [some for size in range(len(words), 0, -1) for some in reversed(list(combinations(words, size)))]
    yield from sorted(subsets, key=lambda some: not set(kept).issubset(some))
