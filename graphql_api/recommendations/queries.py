"""What goes with a product."""

import asyncio
from typing import Annotated

import strawberry

from commerce.recommendations.service import RecommendationService
from graphql_api.catalog.queries import load_product
from graphql_api.catalog.types import is_visible
from graphql_api.context import Info
from graphql_api.cost_directives import ListSize
from graphql_api.fields import field
from graphql_api.pagination import First, check_page
from graphql_api.recommendations.types import Recommendation, RecommendationReason, Recommendations

_USUAL = 10
_READS = frozenset({"id", "category_id", "status"})
_SIZE = ListSize(
    assumed_size=_USUAL, slicing_arguments=["first"], sized_fields=["items"], require_one_slicing_argument=False
)


@strawberry.type
class RecommendationQuery:
    @field("What goes with a product, out of what is on sale; null: there is no such product.", _SIZE)
    async def recommendations(
        self,
        info: Info,
        product_id: Annotated[strawberry.ID, strawberry.argument(description="The product's id, `prod_...`.")],
        first: First = _USUAL,
    ) -> Recommendations | None:
        limit = check_page(_USUAL if first is None else first, None)
        head = await info.context.loaders.products.load(product_id, _READS)
        if head is None or not is_visible(head, info.context.principal):
            return None
        resources = info.context.resources
        service = RecommendationService(resources.database, resources.models, info.context.similar)
        found = await service.like(head, limit=limit)
        products = await asyncio.gather(*(load_product(info, item.product_id) for item in found.items))
        items = [
            Recommendation(product=loaded, reason=RecommendationReason(item.reason))
            for item, loaded in zip(found.items, products, strict=True)
            if loaded is not None  # gone since
        ]
        by = found.provenance
        return Recommendations(
            answer_id=found.answer_id,
            model=by.model,
            version=by.version,
            content_hash=by.content_hash,
            trained_at=by.trained_at,
            features_as_of=by.features_as_of,
            fallback=by.fallback,
            fallback_reason=by.fallback_reason,
            items=items,
        )
