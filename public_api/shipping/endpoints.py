"""REST v1 of shipping quotes."""

from functools import partial

from fastapi import Request, Response

from commerce.orders.errors import UnknownVariant
from commerce.shipping.entities import QUOTE
from commerce.shipping.quoting import ask_carriers
from core.errors import Invalid
from core.idempotency import IdempotencyInProgress, IdempotencyKeyReused
from core.money import CurrencyMismatch
from core.web.dependencies import ResourcesDep
from core.web.idempotency import InvalidIdempotencyKey
from core.web.leaving import until_left
from public_api.errors import problems
from public_api.once import OnceDep
from public_api.orders.dependencies import OrdersWriter
from public_api.routing import public_router
from public_api.shipping.schemas import ShippingQuote, ShippingQuoteCreate, quote_command, quote_schema

router = public_router(tags=["Shipping"])


@router.post(
    "/shipping-quotes",
    status_code=201,
    summary="Quote shipping",
    operation_id="quote_shipping",
    responses=problems(
        Invalid, UnknownVariant, CurrencyMismatch, InvalidIdempotencyKey, IdempotencyKeyReused, IdempotencyInProgress
    ),
)
async def quote_shipping(
    request: Request,
    response: Response,
    body: ShippingQuoteCreate,
    resources: ResourcesDep,
    principal: OrdersWriter,
    once: OnceDep,
) -> ShippingQuote:
    """Asks all carriers at once, and waits for none of them beyond one deadline. Order with the id of an option as
    `shipping_quote_id`: its price is the order's `shipping`. A quote is good for one order of the same lines, until it
    expires; the quote's own id stands for its cheapest option.
    """
    command = quote_command(body)
    asked = await until_left(ask_carriers(resources, command), request.receive)
    quote = await once.run(command, partial(asked.keep, resources=resources, principal=principal), QUOTE)
    response.headers["Cache-Control"] = "private, no-store"
    return quote_schema(quote)
