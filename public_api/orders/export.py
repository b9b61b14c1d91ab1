"""Orders as a file, streamed."""

from typing import Annotated

from fastapi import Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from commerce.accounts.errors import MissingScope
from commerce.orders.entities import State
from commerce.orders.export import Format, export_orders
from commerce.orders.filters import OrderFilter
from core.database import DatabaseUnavailable
from core.errors import Unauthenticated
from core.web.dependencies import ResourcesDep
from core.web.streaming import attachment, content_of
from public_api.errors import problems
from public_api.orders.dependencies import OrdersReader
from public_api.routing import public_router

router = public_router(tags=["Orders"])
MEDIA_TYPES: dict[Format, str] = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


class OrderExportQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Annotated[Format, Field(description="csv: one order line a row; jsonl: one order a line.")] = "csv"
    state: Annotated[State | None, Field(description="Only orders in this state.")] = None
    placed_after: Annotated[AwareDatetime | None, Field(description="At this time or later (RFC 3339).")] = None
    placed_before: Annotated[AwareDatetime | None, Field(description="Before this time (RFC 3339).")] = None


@router.get(
    "/orders/export",
    response_class=StreamingResponse,
    summary="Export orders",
    responses={
        200: {"description": "The file", "content": content_of(MEDIA_TYPES.values())},
        **problems(Unauthenticated, MissingScope, DatabaseUnavailable),
    },
)
async def export_placed_orders(
    request: Request,
    query: Annotated[OrderExportQuery, Query()],
    principal: OrdersReader,
    resources: ResourcesDep,
) -> StreamingResponse:
    """Your own orders, or with a key of the shop or as staff everybody's, oldest first.

    A CSV repeats the order on the row of each of its lines, with amounts as plain decimals; cells that a spreadsheet
    might run as a formula begin with `'`. JSON Lines have orders as `GET /orders/{id}` shows them.
    """
    wanted = OrderFilter(query.state, placed_after=query.placed_after, placed_before=query.placed_before)
    pieces = export_orders(resources.database, query.format, wanted, principal)
    filename = f"orders-{resources.clock.now():%Y-%m-%d}.{query.format}"
    return await attachment(request.scope, pieces, filename=filename, media_type=MEDIA_TYPES[query.format])
