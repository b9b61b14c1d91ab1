"""What mutations of orders take. What makes it valid is the domain's to say."""

import re

import strawberry

from commerce.orders import commands
from core import money
from core.errors import FieldError, Invalid
from graphql_api.money import MoneyInput
from graphql_api.refusals import place_in_input

_VARIANT = re.compile(r"/lines/(\d+)/(variant_id|sku)")


@strawberry.input(name="VariantBy", description="Names one variant.", one_of=True)
class VariantBy:
    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="`var_...`")
    sku: str | None = strawberry.field(default=strawberry.UNSET, description="Its SKU, exactly.")


@strawberry.input(name="OrderLineInput", description="So many of one variant.")
class OrderLineInput:
    quantity: int = strawberry.field(description="How many.")
    variant: VariantBy | None = strawberry.field(default=None, description="Of which variant.")
    variant_id: strawberry.ID | None = strawberry.field(
        default=None, description="`var_...`", deprecation_reason="Use `variant: {id: ...}`."
    )
    sku: str | None = strawberry.field(
        default=None, description="Exactly.", deprecation_reason="Use `variant: {sku: ...}`."
    )


@strawberry.input(name="PlaceOrderInput", description="What is ordered.")
class PlaceOrderInput:
    lines: list[OrderLineInput] = strawberry.field(description="At least one. Those of one variant become one line.")
    email: str | None = strawberry.field(default=None, description="Where its news go; yours where you leave it out.")
    promotion_code: str | None = strawberry.field(
        default=None, description="Without one, the best promotion that needs no code applies."
    )
    shipping: MoneyInput | None = strawberry.field(default=None, description="For sending it; nothing without it.")
    shipping_quote_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Instead of `shipping`: the id of an option of a shipping quote (`POST "
        "/public/v1/shipping-quotes`), or of the quote, which means its cheapest option.",
    )


def place_command(given: PlaceOrderInput, currency: str) -> commands.PlaceOrder:
    """The same as REST's for the same request, or no key would be known on both. Raises Invalid."""
    shipping = given.shipping
    price = money.Money(shipping.amount, shipping.currency or currency) if shipping else None
    return commands.PlaceOrder(
        lines=tuple(_line(index, line) for index, line in enumerate(given.lines)),
        email=given.email,
        promotion_code=given.promotion_code,
        shipping=commands.shipping_asked(price, given.shipping_quote_id),
    )


def place_in_order(given: PlaceOrderInput, pointer: str) -> str:
    """Where a fault of `place_command`'s command is in the arguments."""
    found = _VARIANT.fullmatch(pointer)
    if found and given.lines[int(found[1])].variant is not None:
        return f"/input/lines/{found[1]}/variant/{'sku' if found[2] == 'sku' else 'id'}"
    return place_in_input(pointer)


def _line(index: int, line: OrderLineInput) -> commands.OrderLine:
    if line.variant is None:
        return commands.OrderLine(line.quantity, line.variant_id, line.sku)
    if line.variant_id is not None or line.sku is not None:
        fault = FieldError(f"/lines/{index}", "variant", "names its variant twice")
        raise Invalid(f"lines/{index} {fault.message}", errors=(fault,))
    return commands.OrderLine(line.quantity, _given(line.variant.id), _given(line.variant.sku))


def _given(value: str | None) -> str | None:
    return None if value is strawberry.UNSET else value
