"""Money, the same type wherever there is an amount."""

import strawberry

from core import money
from graphql_api.scalars import Long


@strawberry.type(description="An amount of money, in the minor unit of its currency.")
class Money:
    amount: Long = strawberry.field(
        description="In minor units: cents of USD, yen of JPY. A Long, as prices may be beyond 32 bits."
    )
    currency: str = strawberry.field(description="ISO 4217.")


@strawberry.input(name="MoneyInput", description="An amount of money, in the minor unit of its currency.")
class MoneyInput:
    amount: Long = strawberry.field(description="In minor units: cents of USD, yen of JPY.")
    currency: str | None = strawberry.field(default=None, description="ISO 4217; the shop's without it.")


def money_type(value: money.Money) -> Money:
    return Money(amount=Long(value.amount), currency=value.currency)
