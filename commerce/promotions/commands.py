"""What a promotion is told to be, with its rules."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    computed_field,
    model_validator,
)
from pydantic_core import PydanticCustomError

from commerce.catalog.text import is_storable
from commerce.promotions.entities import Promotion
from commerce.promotions.errors import InvalidPromotion
from core.errors import FieldError
from core.money import MAX_AMOUNT

_CODE = re.compile(r"[!-~]{1,64}")


def normal_code(code: str) -> str | None:
    """As codes are stored and compared: upper case; None for what no promotion can have."""
    upper = code.strip().upper()
    return upper if _CODE.fullmatch(upper) else None


def _code(code: str) -> str:
    normal = normal_code(code)
    if normal is None:
        raise PydanticCustomError("invalid", "a code is 1 to 64 visible ASCII characters without spaces")
    return normal


def _title(title: str) -> str:
    if not title.strip() or not is_storable(title):
        raise PydanticCustomError("required", "a title says what the promotion is")
    return title.strip()


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("invalid", "beyond the years that there are in UTC") from None


Moment = Annotated[AwareDatetime, AfterValidator(_utc)]


class PromotionData(BaseModel):
    """A whole promotion, as it is to be. Raises pydantic.ValidationError; `promotion_data` turns that into ours."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Annotated[str, Field(max_length=255, examples=["Spring sale"]), AfterValidator(_title)]
    starts_at: Moment = Field(description="The first moment at which it applies.")
    ends_at: Moment = Field(description="The first moment at which it does not apply any more.")
    code: Annotated[str, AfterValidator(_code)] | None = Field(
        None, description="Kept in upper case. Without a code it applies by itself.", examples=["SPRING"]
    )
    percent_off: int | None = Field(None, ge=1, le=100, strict=True)
    amount_off: int | None = Field(None, ge=1, le=MAX_AMOUNT, strict=True, description="Minor units of `currency`.")
    currency: str | None = Field(None, pattern="^[A-Z]{3}$", description="Of `amount_off`; only with it.")

    @model_validator(mode="after")
    def _rules(self) -> "PromotionData":
        if self.ends_at <= self.starts_at:
            raise PydanticCustomError("ends_before_start", "ends_at must be after starts_at")
        if (self.percent_off is None) == (self.amount_off is None):
            raise PydanticCustomError("one_kind_of_discount", "give either percent_off or amount_off")
        if (self.amount_off is None) != (self.currency is None):
            raise PydanticCustomError("currency", "amount_off needs a currency, percent_off has none")
        return self

    @computed_field(description="How long it applies.")  # type: ignore[prop-decorator]  # mypy knows no such decorator
    @property
    def duration(self) -> timedelta:
        return self.ends_at - self.starts_at


def promotion_data(values: Mapping[str, Any]) -> PromotionData:
    """Raises InvalidPromotion with every fault."""
    try:
        return PromotionData.model_validate(values)
    except ValidationError as error:
        faults = tuple(
            FieldError("".join(f"/{part}" for part in fault["loc"]), fault["type"], fault["msg"])
            for fault in error.errors(include_url=False)
        )
        raise InvalidPromotion(faults[0].message, errors=faults) from None


def data_of(promotion: Promotion) -> PromotionData:
    """The command that would make this promotion as it is: what a change starts from."""
    return PromotionData(
        title=promotion.title,
        starts_at=promotion.starts_at,
        ends_at=promotion.ends_at,
        code=promotion.code,
        percent_off=promotion.percent_off,
        amount_off=promotion.amount_off,
        currency=promotion.currency,
    )
