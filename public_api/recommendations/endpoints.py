"""REST of recommendations."""

from typing import Annotated

from fastapi import Query, Response

from commerce.catalog.errors import ProductNotFound
from commerce.catalog.repository import ProductRepository
from commerce.recommendations.service import RecommendationService
from core.errors import Invalid
from core.web.dependencies import ResourcesDep
from core.web.responses import json_response
from public_api.auth import PrincipalDep
from public_api.catalog.dependencies import SimilarDep
from public_api.errors import problems
from public_api.recommendations.schemas import Recommendations, recommendations_json
from public_api.routing import public_router

router = public_router(tags=["Recommendations"])
_READS = frozenset({"id", "category_id"})
_NOT_KEPT = {"Cache-Control": "private, no-store"}  # another model may answer the next time


@router.get(
    "/products/{id_or_handle}/recommendations",
    response_model=Recommendations,
    summary="Recommend products",
    operation_id="recommend_products",
    responses=problems(ProductNotFound, Invalid),
)
async def recommend_products(
    id_or_handle: str,
    principal: PrincipalDep,
    resources: ResourcesDep,
    similar: SimilarDep,
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
) -> Response:
    """What goes with a product, out of what is on sale: what is ordered together with it. Where orders say too little
    of it, what is like it by its title and description, and then what is ordered most; `fallback` says so, and each
    item's `reason` what it is.
    """
    async with resources.database.read() as session:
        head = await ProductRepository(session).head_of(
            id_or_handle, _READS, include_unpublished=principal.sees_unpublished
        )
    if head is None:
        raise ProductNotFound(f"no product {id_or_handle[:100]!r}")
    service = RecommendationService(resources.database, resources.models, similar)
    found = await service.like(head, limit=limit, with_json=True)
    return json_response(recommendations_json(found), _NOT_KEPT)
