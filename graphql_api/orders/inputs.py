"""What mutations of orders take. What makes it valid is the domain's to say."""

import strawberry

from commerce.orders import commands
from core import money
from graphql_api.money import MoneyInput


@strawberry.input(name="OrderLineInput", description="So many of one variant, which either its id or its SKU names.")
class OrderLineInput:
    quantity: int = strawberry.field(description="How many.")
    variant_id: strawberry.ID | None = strawberry.field(default=None, description="`var_...`")
    sku: str | None = strawberry.field(default=None, description="Exactly.")


@strawberry.input(name="PlaceOrderInput", description="What is ordered.")
class PlaceOrderInput:
    lines: list[OrderLineInput] = strawberry.field(description="At least one. Those of one variant become one line.")
    email: str | None = strawberry.field(default=None, description="Where its news go; yours where you leave it out.")
    promotion_code: str | None = strawberry.field(
        default=None, description="Without one, the best promotion that needs no code applies."
    )
    shipping: MoneyInput | None = strawberry.field(default=None, description="For sending it; nothing without it.")


def place_command(given: PlaceOrderInput, currency: str) -> commands.PlaceOrder:
    """The same as REST's for the same request, or no key would be known on both."""
    shipping = given.shipping
    return commands.PlaceOrder(
        lines=tuple(
            commands.OrderLine(quantity=line.quantity, variant_id=line.variant_id, sku=line.sku) for line in given.lines
        ),
        email=given.email,
        promotion_code=given.promotion_code,
        shipping=money.Money(shipping.amount, shipping.currency or currency) if shipping else None,
    )
