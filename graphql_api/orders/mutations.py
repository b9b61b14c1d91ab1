"""What can be done with orders. Each mutation builds the command that REST builds, and runs it under the same key."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, TypeVar

import strawberry

from commerce.accounts.principal import Principal
from commerce.orders import errors
from commerce.orders.commands import CancelOrder
from commerce.orders.entities import ORDER, Order
from commerce.orders.service import OrderService
from commerce.promotions import errors as promotions
from core.database import WriteSession
from graphql_api.auth import require_scope
from graphql_api.context import Info
from graphql_api.cost_directives import WRITE
from graphql_api.fields import field
from graphql_api.once import IdempotencyKey, OptionalIdempotencyKey, run_once
from graphql_api.orders.inputs import PlaceOrderInput, place_command, place_in_order
from graphql_api.orders.types import (
    CancelOrderResult,
    InvalidOrderState,
    OrderState,
    OutOfStock,
    PlaceOrderResult,
    PromotionNotApplicable,
    order_type,
)
from graphql_api.refusals import REFUSALS, Refused, told

C = TypeVar("C")


@strawberry.type
class OrderMutation:
    @field("Places an order and takes its stock, all of it or none. Needs `orders:write`.", WRITE)
    async def place_order(
        self,
        info: Info,
        input: Annotated[PlaceOrderInput, strawberry.argument(description="What is ordered.")],  # noqa: A002
        idempotency_key: IdempotencyKey,
    ) -> PlaceOrderResult | None:
        principal = require_scope(info, "orders:write")
        place_of = partial(place_in_order, input)
        try:
            command = place_command(input, info.context.resources.settings.shop.currency)
            order = await _run(info, principal, idempotency_key, command, OrderService.place)
        except errors.OutOfStock as error:
            return OutOfStock(
                **told(error, place_of),
                variant_id=strawberry.ID(error.variant_id),
                sku=error.sku,
                requested=error.requested,
                available=error.available,
            )
        except promotions.PromotionNotApplicable as error:
            return PromotionNotApplicable(**told(error, place_of))
        except REFUSALS as error:
            return Refused(**told(error, place_of))
        return order_type(order)

    @field("Cancels an order that is not shipped, and gives its stock back, once. Needs `orders:write`.", WRITE)
    async def cancel_order(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Its id, `ord_...`.")],  # noqa: A002
        idempotency_key: OptionalIdempotencyKey = None,
    ) -> CancelOrderResult | None:
        principal = require_scope(info, "orders:write")
        try:
            order = await _run(info, principal, idempotency_key, CancelOrder(id), OrderService.cancel)
        except errors.InvalidOrderState as error:
            return InvalidOrderState(**told(error), state=OrderState(error.state))
        except REFUSALS as error:
            return Refused(**told(error))
        return order_type(order)


async def _run(
    info: Info, principal: Principal, key: str | None, command: C, act: Callable[[OrderService, C], Awaitable[Order]]
) -> Order:
    resources = info.context.resources

    async def action(session: WriteSession) -> Order:
        currency = resources.settings.shop.currency
        service = OrderService(session, resources.clock, principal=principal, currency=currency, jobs=resources.jobs)
        return await act(service, command)

    return await run_once(info, key, command, action, ORDER)
