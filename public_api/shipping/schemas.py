"""The JSON of shipping quotes, and the way from and to the domain's values."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from commerce.orders.commands import OrderLine
from commerce.orders.rules import MAX_LINES
from commerce.shipping import entities
from commerce.shipping.commands import QuoteShipping
from public_api.catalog.schemas import Money
from public_api.orders.schemas import OrderLineInput


class Days(BaseModel):
    min: int = Field(examples=[3])
    max: int = Field(examples=[5])


class ShippingOption(BaseModel):
    id: str = Field(
        description="What an order takes as `shipping_quote_id`; opaque.",
        examples=["quote_01jd0a3v5te8zr9k1m2n3p4q5r-1"],
    )
    code: str = Field(description="The carrier's own name for it.", examples=["standard"])
    service: str = Field(description="For people.", examples=["Standard"])
    price: Money
    days: Days | None = Field(description="From dispatch to delivery; null where the carrier does not say.")


class ShippingPart(BaseModel):
    carrier: str = Field(description="`table` is the built-in one, which always answers.", examples=["table"])
    status: entities.Status = Field(
        description="ok: what it says now. stale: what it said last to the same question, for it does not answer. "
        "timeout: it was too late. skipped: it failed, answered nonsense, or was not asked because it does so often."
    )
    age_seconds: int | None = Field(description="Of a stale part: how old it is.")
    options: list[ShippingOption] = Field(
        description="Empty where there is none: a carrier that is `ok` without options does not send there."
    )


class ShippingQuote(BaseModel):
    id: str = Field(
        description="As good as the id of the cheapest option.", examples=["quote_01jd0a3v5te8zr9k1m2n3p4q5r"]
    )
    expires_at: datetime = Field(description="Until then its prices hold, for one order of the same lines.")
    weight_grams: int = Field(description="Of all lines; a variant without a weight counts as 500 g.", examples=[1200])
    parts: list[ShippingPart] = Field(description="One a carrier, the built-in one last.")


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Destination(_Input):
    country: str = Field(description="ISO 3166-1 alpha-2.", examples=["US"])
    postal_code: str | None = Field(None, description="Where the country has them.", examples=["94105"])


class ShippingQuoteCreate(_Input):
    # What is too little or too much is the domain's to say.
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "lines": [{"sku": "JKT-RIDGE-S-MOSS", "quantity": 2}],
                "destination": {"country": "US", "postal_code": "94105"},
            }
        }
    )

    lines: list[OrderLineInput] = Field(
        json_schema_extra={"minItems": 1, "maxItems": MAX_LINES}, description="As the order will have them."
    )
    destination: Destination


def quote_command(body: ShippingQuoteCreate) -> QuoteShipping:
    return QuoteShipping(
        lines=tuple(OrderLine(line.quantity, line.variant_id, line.sku) for line in body.lines),
        country=body.destination.country,
        postal_code=body.destination.postal_code,
    )


def quote_schema(quote: entities.Quote) -> ShippingQuote:
    return ShippingQuote(
        id=quote.id,
        expires_at=quote.expires_at,
        weight_grams=quote.parcel.weight_grams,
        parts=[
            ShippingPart(
                carrier=part.carrier,
                status=part.status,
                age_seconds=part.age_seconds,
                options=[_option(each_id, option) for each_id, option in options],
            )
            for part, options in quote.numbered()
        ],
    )


def _option(option_id: str, option: entities.Option) -> ShippingOption:
    days = None
    if option.min_days is not None and option.max_days is not None:
        days = Days(min=option.min_days, max=option.max_days)
    price = Money(amount=option.price.amount, currency=option.price.currency)
    return ShippingOption(id=option_id, code=option.code, service=option.service, price=price, days=days)
