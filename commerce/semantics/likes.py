"""Products that are like another one: by what is said of them, where orders say nothing."""

from commerce.recommendations.entities import Likes
from commerce.semantics.index import SemanticIndex

_FAR = 0.3  # a cosine: below it products of the demo catalogue have no more than the shop in common
_SPARE = 2  # times as many as are wanted: some may not be on sale any more


class LikeInMeaning:
    """What `commerce.recommendations` asks for (`Similar`)."""

    def __init__(self, index: SemanticIndex) -> None:
        self._index = index

    async def similar(self, product_id: str, limit: int) -> Likes | None:
        near = await self._index.like(product_id, _SPARE * limit)
        ids = [each.id for each in near if each.score >= _FAR]
        return Likes(self._index.provenance, ids) if ids else None
