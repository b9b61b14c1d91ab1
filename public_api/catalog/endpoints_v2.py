"""REST v2 of the catalogue: v1 with keyset pages."""

from functools import partial
from typing import Annotated

from fastapi import Query, Request, Response

from commerce.catalog.filters import DEFAULT_SORT
from commerce.catalog.sharing import PRODUCTS
from core.pagination import InvalidCursor
from core.projections.items import slice_json
from core.web.conditional import unchanged
from core.web.responses import json_response
from public_api.auth import PrincipalDep
from public_api.catalog.dependencies import IfNoneMatch, ReaderDep
from public_api.catalog.reading import offer, product_filter, slice_headers
from public_api.catalog.schemas import ProductSlice, SliceQuery
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
    query: Annotated[SliceQuery, Query()],
    principal: PrincipalDep,
    reader: ReaderDep,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Pages by cursor, as deep as the catalogue is; `Link` has the address of the next page."""
    wanted = product_filter(query, principal)
    sort = query.sort or DEFAULT_SORT
    read = partial(reader.slice, wanted, sort, limit=query.limit, after=query.after, count=query.count)
    headers_of = partial(slice_headers, principal, request)
    if current := await unchanged(read, headers_of, if_none_match):
        return current
    found = await read()
    offer(request, principal, PRODUCTS)
    return json_response(slice_json(found), headers_of(found))
