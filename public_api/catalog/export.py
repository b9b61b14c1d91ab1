"""The catalogue as a file, streamed: `portico products export` over HTTP."""

from typing import Annotated

from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from commerce.catalog.transfer.exporter import export_products
from commerce.catalog.transfer.records import Format
from core.database import DatabaseUnavailable
from core.web.dependencies import ResourcesDep
from core.web.streaming import attachment, content_of
from public_api.auth import PrincipalDep
from public_api.errors import problems
from public_api.routing import public_router

router = public_router(tags=["Catalogue"])
MEDIA_TYPES: dict[Format, str] = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}


class ExportQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Annotated[Format, Field(description="csv: Shopify's product CSV; jsonl: one product a line.")] = "csv"


@router.get(
    "/products/export",
    response_class=StreamingResponse,
    summary="Export all products",
    responses={
        200: {"description": "The file", "content": content_of(MEDIA_TYPES.values())},
        **problems(DatabaseUnavailable),
    },
)
async def export_catalogue(
    request: Request, query: Annotated[ExportQuery, Query()], principal: PrincipalDep, resources: ResourcesDep
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
    return await attachment(
        request.scope, pieces, filename=f"products.{query.format}", media_type=MEDIA_TYPES[query.format]
    )
