"""REST v1 of orders."""

from functools import partial
from typing import Any

from fastapi import Request, Response

from commerce.orders.commands import CancelOrder
from commerce.orders.errors import (
    InvalidOrderState,
    OrderNotFound,
    OrderNotYours,
    OutOfStock,
    Overpayment,
    PaymentReferenceUsed,
    UnknownVariant,
)
from commerce.orders.service import OrderService
from commerce.promotions.errors import PromotionNotApplicable
from commerce.shipping.errors import (
    ShippingQuoteExpired,
    ShippingQuoteMismatch,
    ShippingQuoteUsed,
    UnknownShippingQuote,
)
from core.errors import Invalid
from core.idempotency import IdempotencyInProgress, IdempotencyKeyReused
from core.money import CurrencyMismatch
from core.projections.items import page_json
from core.web.conditional import unchanged, version_tag
from core.web.dependencies import SettingsDep
from core.web.idempotency import IdempotencyKeyRequired, InvalidIdempotencyKey
from core.web.responses import json_response
from public_api.errors import problems
from public_api.openapi import KEY_REQUIRED
from public_api.orders.dependencies import (
    DeskDep,
    FilterDep,
    IfNoneMatch,
    PageDep,
    PlacingDeskDep,
    ReaderDep,
)
from public_api.orders.reading import item_headers, page_headers
from public_api.orders.schemas import (
    Order,
    OrderCreate,
    OrderPage,
    PaymentCreate,
    ShipmentCreate,
    order_schema,
    pay_command,
    place_command,
    ship_command,
)
from public_api.routing import public_router

router = public_router(tags=["Orders"])
_KEY_FAULTS = (InvalidIdempotencyKey, IdempotencyKeyReused, IdempotencyInProgress)
_CHANGE_FAULTS = (Invalid, OrderNotFound, OrderNotYours, InvalidOrderState, *_KEY_FAULTS)


def _answers(status: int, description: str, order_id: str = "/id") -> dict[int | str, dict[str, Any]]:
    """With OpenAPI links: where a client, or a testing tool, can go on from the order whose id is there in the body."""
    named = {"order_id": f"$response.body#{order_id}"}
    keyed = named | {"header.Idempotency-Key": "$response.header.X-Request-ID"}  # as good a key as any
    links = {
        "read": {"operationId": "get_order", "parameters": named},
        "pay": {"operationId": "pay_order", "parameters": keyed, "requestBody": {}},
        "cancel": {"operationId": "cancel_order", "parameters": keyed},
        "ship": {"operationId": "ship_order", "parameters": keyed, "requestBody": {"carrier": "DHL"}},
    }
    return {status: {"description": description, "links": links}}


@router.post(
    "/orders",
    response_model=Order,
    status_code=201,
    summary="Place an order",
    operation_id="place_order",
    openapi_extra={KEY_REQUIRED: True},
    responses={
        **_answers(201, "The order"),
        **problems(
            IdempotencyKeyRequired,
            *_KEY_FAULTS,
            OutOfStock,
            Invalid,
            UnknownVariant,
            PromotionNotApplicable,
            CurrencyMismatch,
            UnknownShippingQuote,
            ShippingQuoteMismatch,
            ShippingQuoteExpired,
            ShippingQuoteUsed,
        ),
    },
)
async def place_order(
    request: Request, response: Response, body: OrderCreate, settings: SettingsDep, desk: PlacingDeskDep
) -> Order:
    """Needs an Idempotency-Key. Takes all of the stock or none; prices are copied: an order stays what it was.

    One promotion at most: the one whose code is given, else the best that needs none. What costs nothing is paid.
    """
    order = await desk.run(place_command(body, settings.shop.currency), OrderService.place)
    response.headers["Location"] = str(request.url_for("public:v1:get_order", order_id=order.id))
    response.headers["ETag"] = version_tag(order.version)
    return order_schema(order)


@router.get(
    "/orders",
    response_model=OrderPage,
    summary="List orders",
    operation_id="list_orders",
    responses={**_answers(200, "The orders", "/items/0/id"), 304: {"description": "Not modified"}},
)
async def list_orders(
    wanted: FilterDep,
    paging: PageDep,
    reader: ReaderDep,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Newest first. Customers see their own; staff and the shop's own keys see all."""
    read = partial(reader.page, wanted, page=paging.page, size=paging.size)
    if current := await unchanged(read, page_headers, if_none_match):
        return current
    found = await read()
    return json_response(page_json(found), page_headers(found))


@router.get(
    "/orders/{order_id}",
    response_model=Order,
    summary="Read an order",
    operation_id="get_order",
    responses={**_answers(200, "The order"), 304: {"description": "Not modified"}, **problems(OrderNotFound)},
)
async def get_order(order_id: str, reader: ReaderDep, if_none_match: IfNoneMatch = None) -> Response:
    """One of another customer is not found."""
    read = partial(reader.one, order_id)
    if current := await unchanged(read, item_headers, if_none_match):
        return current
    if (order := await read()) is None:
        raise OrderNotFound(f"no order {order_id[:100]!r}")
    return json_response(order.json, item_headers(order))


@router.post(
    "/orders/{order_id}/payments",
    response_model=Order,
    status_code=201,
    summary="Record a payment",
    operation_id="pay_order",
    responses={
        **_answers(201, "The order"),
        **problems(*_CHANGE_FAULTS, PaymentReferenceUsed, Overpayment, CurrencyMismatch),
    },
)
async def pay_order(response: Response, order_id: str, body: PaymentCreate, desk: DeskDep) -> Order:
    """In part or in full; the order is paid once nothing is due. The same reference and amount again change nothing."""
    order = await desk.run(pay_command(order_id, body), OrderService.pay)
    response.headers["ETag"] = version_tag(order.version)
    return order_schema(order)


@router.post(
    "/orders/{order_id}/cancel",
    response_model=Order,
    summary="Cancel an order",
    operation_id="cancel_order",
    responses={**_answers(200, "The order"), **problems(*_CHANGE_FAULTS)},
)
async def cancel_order(response: Response, order_id: str, desk: DeskDep) -> Order:
    """Placed or paid, not shipped. Its stock returns, once. Payments stay recorded: the money is yours to give back."""
    order = await desk.run(CancelOrder(order_id), OrderService.cancel)
    response.headers["ETag"] = version_tag(order.version)
    return order_schema(order)


@router.post(
    "/orders/{order_id}/shipments",
    response_model=Order,
    status_code=201,
    summary="Record a shipment",
    operation_id="ship_order",
    responses={**_answers(201, "The order"), **problems(*_CHANGE_FAULTS)},
)
async def ship_order(response: Response, order_id: str, body: ShipmentCreate, desk: DeskDep) -> Order:
    """The first parcel of a paid order, or a further one."""
    order = await desk.run(ship_command(order_id, body), OrderService.ship)
    response.headers["ETag"] = version_tag(order.version)
    return order_schema(order)
