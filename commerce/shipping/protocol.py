"""What HTTP carriers are asked and may answer (docs/carriers.md). What else they answer is broken, and never shown."""

from collections.abc import Callable
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError, to_json

from commerce.catalog.text import is_storable
from commerce.shipping.entities import Option, Parcel
from core.money import Money
from core.upstream.calls import BrokenAnswer, Question

MOST_OPTIONS = 20
_MOST_DAYS = 365


def _shown(text: str) -> str:
    if text != text.strip() or not text.isprintable() or not is_storable(text):
        raise PydanticCustomError("text", "is no plain text")
    return text


class _Given(BaseModel):
    model_config = ConfigDict(frozen=True)  # more fields than these may come in time


class _Price(_Given):
    amount: StrictInt = Field(ge=0)
    currency: StrictStr


class _Days(_Given):
    min: StrictInt = Field(ge=0, le=_MOST_DAYS)
    max: StrictInt = Field(ge=0, le=_MOST_DAYS)

    @model_validator(mode="after")
    def _in_order(self) -> "_Days":
        if self.min > self.max:
            raise PydanticCustomError("order", "min is more than max")
        return self


class _Option(_Given):
    code: StrictStr = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")
    service: Annotated[StrictStr, Field(min_length=1, max_length=100), AfterValidator(_shown)]
    price: _Price
    days: _Days | None = None


class _Answer(_Given):
    options: list[_Option] = Field(max_length=MOST_OPTIONS)


def question_of(parcel: Parcel) -> Question:
    """Equal bytes for equal parcels. Asking changes nothing, and so may be repeated."""
    destination = {"country": parcel.country, "postal_code": parcel.postal_code}
    asked = {"currency": parcel.currency, "destination": destination, "weight_grams": parcel.weight_grams}
    return Question(to_json(asked), repeatable=True)


def reader_of(currency: str, max_price: int) -> Callable[[bytes], tuple[Option, ...]]:
    """Raises BrokenAnswer for all that is not plainly a price in this currency, at most `max_price` minor units."""

    def read(body: bytes) -> tuple[Option, ...]:
        try:
            answer = _Answer.model_validate_json(body)
        except ValidationError as error:
            fault = error.errors(include_input=False, include_url=False)[0]
            raise BrokenAnswer(f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['type']}") from None
        options = tuple(_option(each) for each in answer.options)
        if len({option.code for option in options}) < len(options):
            raise BrokenAnswer("two options have one code")
        if any(option.price.currency != currency for option in options):
            raise BrokenAnswer("a price is in another currency")
        if any(option.price.amount > max_price for option in options):
            raise BrokenAnswer("a price is absurd")
        return options

    return read


def _option(given: _Option) -> Option:
    price, days = Money(given.price.amount, given.price.currency), given.days
    return Option(given.code, given.service, price, days.min if days else None, days.max if days else None)
