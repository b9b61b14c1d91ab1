"""REST v1 of the catalogue."""

from datetime import date
from functools import partial
from typing import Annotated

from fastapi import Query, Request, Response
from starlette.responses import RedirectResponse

from commerce.catalog.errors import DuplicateHandle, DuplicateSku, InvalidProduct, ProductNotFound
from commerce.catalog.sharing import PRODUCTS
from commerce.semantics.search import MEANING
from core.errors import FieldError, Invalid, StaleVersion
from core.idempotency import IdempotencyInProgress, IdempotencyKeyReused
from core.pagination import MAX_DEPTH
from core.projections.items import array, page_json
from core.web.conditional import expected_version, unchanged, version_tag
from core.web.idempotency import InvalidIdempotencyKey
from core.web.response_cache import share
from core.web.responses import json_response
from public_api.auth import CatalogWriter, PrincipalDep
from public_api.catalog.dependencies import CatalogDep, DeskDep, IfMatch, IfNoneMatch, ReaderDep, SearchDep
from public_api.catalog.reading import item_headers, offer, page_headers, product_filter
from public_api.catalog.schemas import (
    CategoryList,
    PageQuery,
    Product,
    ProductCreate,
    ProductPage,
    ProductUpdate,
    create_command,
    product_schema,
    update_command,
)
from public_api.deprecated import superseded
from public_api.errors import problems
from public_api.routing import public_router

router = public_router(tags=["Catalogue"])
_KEY_FAULTS = (InvalidIdempotencyKey, IdempotencyKeyReused, IdempotencyInProgress)
# Where a client, or a testing tool, can go on from a product (OpenAPI links).
_NEXT = {"addImage": {"operationId": "upload_image", "parameters": {"product_id": "$response.body#/id"}}}
# Where a client, or a testing tool, can go on from a list (OpenAPI links).
_ORDER = {
    "order": {
        "operationId": "place_order",
        "parameters": {"header.Idempotency-Key": "$response.header.X-Request-ID"},
        "requestBody": {
            "lines": [{"variant_id": "$response.body#/items/0/variants/0/id", "quantity": 1}],
            "email": "ada@example.com",
        },
    }
}


@router.get(
    "/products",
    response_model=ProductPage,
    summary="List products",
    responses={200: {"description": "The products", "links": _ORDER}, 304: {"description": "Not modified"}},
    **superseded("/public/v2/products", date(2026, 11, 22)),
)
async def list_products(
    request: Request,
    query: Annotated[PageQuery, Query()],
    principal: PrincipalDep,
    search: SearchDep,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Numbered pages, 10,000 products deep at most; v2 has no such bound. With `q` and no `sort`, best match first;
    where words find fewer than 3 products, up to 20 that are near in meaning follow them, within the other conditions,
    and `total` counts these too.
    """
    if query.page * query.size > MAX_DEPTH:
        fault = FieldError("/query/page", "too_deep", f"page times size is over {MAX_DEPTH}")
        raise Invalid("this deep, use /public/v2/products, which pages by cursor", errors=(fault,))
    wanted = product_filter(query, principal)
    read = partial(search.page, wanted, query.sort, page=query.page, size=query.size)
    headers_of = partial(page_headers, principal)
    if current := await unchanged(read, headers_of, if_none_match):
        return current
    found = await read()
    offer(request, principal, PRODUCTS, *([MEANING] if query.q is not None else []))
    return json_response(page_json(found), headers_of(found))


@router.get(
    "/products/{id_or_handle}",
    response_model=Product,
    summary="Read a product",
    responses={
        301: {"description": "The product has another handle now"},
        304: {"description": "Not modified"},
        **problems(ProductNotFound),
    },
)
async def get_product(
    request: Request,
    id_or_handle: str,
    principal: PrincipalDep,
    reader: ReaderDep,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """By id or by handle; a handle of the past leads to the present one."""
    unpublished = principal.sees_unpublished
    read = partial(reader.one, id_or_handle, include_unpublished=unpublished)
    headers_of = partial(item_headers, principal)
    if current := await unchanged(read, headers_of, if_none_match):
        return current
    if (item := await read()) is not None:
        offer(request, principal, item.id)
        return json_response(item.json, headers_of(item))
    handle = await reader.handle_after_rename(id_or_handle, include_unpublished=unpublished)
    if handle is None:
        raise ProductNotFound(f"no product {id_or_handle[:100]!r}")
    return RedirectResponse(request.url_for("public:v1:get_product", id_or_handle=handle), status_code=301)


@router.post(
    "/products",
    response_model=Product,
    status_code=201,
    summary="Create a product",
    responses={
        201: {"description": "The product", "links": _NEXT},
        **problems(InvalidProduct, DuplicateHandle, DuplicateSku, *_KEY_FAULTS),
    },
)
async def create_product(
    request: Request,
    response: Response,
    body: ProductCreate,
    desk: DeskDep,
) -> Product:
    """A product without a handle gets a free one, made from its title."""
    product = await desk.create(create_command(body))
    response.headers["Location"] = str(request.url_for("public:v1:get_product", id_or_handle=product.head.id))
    response.headers["ETag"] = version_tag(product.head.version)
    return product_schema(product)


@router.patch(
    "/products/{product_id}",
    response_model=Product,
    summary="Change a product",
    responses=problems(ProductNotFound, InvalidProduct, DuplicateHandle, DuplicateSku, StaleVersion, *_KEY_FAULTS),
)
async def update_product(
    response: Response,
    product_id: str,
    body: ProductUpdate,
    desk: DeskDep,
    if_match: IfMatch = None,
) -> Product:
    """Fields that are left out stay. With If-Match, only if the product is still the one that was read."""
    product = await desk.update(update_command(product_id, body, expected_version(if_match)))
    response.headers["ETag"] = version_tag(product.head.version)
    return product_schema(product)


@router.delete(
    "/products/{product_id}",
    status_code=204,
    response_class=Response,  # no body, and so no Content-Type
    summary="Delete a product",
    responses=problems(ProductNotFound, StaleVersion),
)
async def delete_product(
    product_id: str, _principal: CatalogWriter, catalog: CatalogDep, if_match: IfMatch = None
) -> None:
    """Its old handles are free again."""
    await catalog.delete(product_id, expected_version=expected_version(if_match))


@router.get("/categories", summary="List categories", response_model=CategoryList)
async def list_categories(request: Request, reader: ReaderDep) -> Response:
    """All of them, by name."""
    share(request.scope, (PRODUCTS,), points=0)
    return json_response(f'{{"items":{array(await reader.categories())}}}')
