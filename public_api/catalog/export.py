"""The catalogue as a file, streamed: `portico products export` over HTTP."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from commerce.catalog.transfer.exporter import export_products
from commerce.catalog.transfer.records import Format
from core.database import DatabaseUnavailable
from core.web.dependencies import ResourcesDep
from public_api.auth import PrincipalDep
from public_api.errors import problems
from public_api.routing import public_router

router = public_router(tags=["Catalogue"])
MEDIA_TYPES: dict[Format, str] = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}
_CONTENT = {kind.partition(";")[0]: {"schema": {"type": "string"}} for kind in MEDIA_TYPES.values()}


class ExportQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Annotated[Format, Field(description="csv: Shopify's product CSV; jsonl: one product a line.")] = "csv"


@router.get(
    "/products/export",
    response_class=StreamingResponse,
    summary="Export all products",
    responses={200: {"description": "The file", "content": _CONTENT}, **problems(DatabaseUnavailable)},
)
async def export_catalogue(
    query: Annotated[ExportQuery, Query()], principal: PrincipalDep, resources: ResourcesDep
) -> StreamingResponse:
    """As `portico products export` writes it, oldest first.

    Without the scope catalog:write only what is on sale, and only what a product shows: no kept columns of an import.
    """
    pieces = export_products(
        resources.database,
        query.format,
        currency=resources.settings.shop.currency,
        public_only=not principal.sees_unpublished,
    )
    # Awaited here, a database that is away is still a 503; once the status is out it could only break the file off.
    first = await anext(pieces, b"")
    headers = {"Content-Disposition": f'attachment; filename="products.{query.format}"', "Cache-Control": "no-store"}
    return StreamingResponse(_joined(first, pieces), headers=headers, media_type=MEDIA_TYPES[query.format])


async def _joined(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(rest):
        yield first
        async for piece in rest:
            yield piece
