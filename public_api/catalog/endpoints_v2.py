"""REST v2 of the catalogue: v1 with keyset pages."""

from typing import Annotated

from fastapi import Query, Request, Response

from commerce.catalog.filters import DEFAULT_SORT
from commerce.catalog.sharing import PRODUCTS
from core.pagination import InvalidCursor
from core.web.conditional import is_current, not_modified, tag_of
from public_api.auth import PrincipalDep
from public_api.catalog.dependencies import IfNoneMatch, ProductsDep
from public_api.catalog.reading import cache_headers, offer, product_filter
from public_api.catalog.schemas import ProductSlice, SliceQuery, product_schema
from public_api.errors import problems
from public_api.routing import public_router

router = public_router(tags=["Catalogue"])


@router.get(
    "/products",
    response_model=ProductSlice,
    response_model_exclude_unset=True,
    summary="List products",
    responses={304: {"description": "Not modified"}, **problems(InvalidCursor)},
)
async def list_products(
    request: Request,
    response: Response,
    query: Annotated[SliceQuery, Query()],
    principal: PrincipalDep,
    products: ProductsDep,
    if_none_match: IfNoneMatch = None,
) -> ProductSlice | Response:
    """Pages by cursor, as deep as the catalogue is; `Link` has the address of the next page."""
    found = await products.slice(
        product_filter(query, principal),
        query.sort or DEFAULT_SORT,
        limit=query.limit,
        after=query.after,
        count=query.count,
    )
    tag = tag_of(((key.id, key.version) for key in found.items), found.next_cursor, found.total)
    headers = cache_headers(principal, tag)
    if found.next_cursor is not None:
        following = request.url.include_query_params(after=found.next_cursor)
        headers["Link"] = f'<{following}>; rel="next"'
    if is_current(if_none_match, tag):
        return not_modified(headers)
    response.headers.update(headers)
    offer(request, principal, PRODUCTS)
    items = [product_schema(item) for item in await products.products([key.id for key in found.items])]
    if query.count:
        return ProductSlice(items=items, next=found.next_cursor, total=found.total)
    return ProductSlice(items=items, next=found.next_cursor)
