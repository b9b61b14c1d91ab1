"""A promotion's JSON, and the way to the command that makes it. The rules are the command's."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictInt, computed_field, field_serializer

from commerce.promotions import entities
from commerce.promotions.commands import PromotionData, promotion_data

_UNSAID = datetime.max.replace(tzinfo=UTC)


class Money(BaseModel):
    model_config = ConfigDict(extra="forbid")

    amount: StrictInt = Field(description="In minor units.", examples=[500])
    currency: str = Field(description="ISO 4217.", examples=["USD"])


class Promotion(BaseModel):
    id: str = Field(examples=["promo_01jd0a3v5te8zr9k1m2n3p4q5r"])
    code: str | None = Field(description="null: it applies by itself.", examples=["SPRING"])
    title: str
    percent_off: int | None
    amount_off: Money | None
    starts_at: datetime = Field(description="The first moment at which it applies.")
    ends_at: datetime = Field(description="The first moment at which it does not apply any more.")
    version: int = Field(description="Rises with every change; the ETag.")
    created_at: datetime
    updated_at: datetime

    @computed_field(description="From start to end (ISO 8601).", examples=["P31D"])  # type: ignore[prop-decorator]
    @property
    def duration(self) -> timedelta:
        return self.ends_at - self.starts_at

    @field_serializer("duration")
    def _write_duration(self, duration: timedelta) -> str:
        """Without the years that pydantic would write: they have no length."""
        seconds = f"{duration.seconds + duration.microseconds / 1_000_000:.6f}".rstrip("0").rstrip(".")
        time = f"T{seconds}S" if seconds != "0" else ""
        return f"P{duration.days}D{time}"


class PromotionSlice(BaseModel):
    items: list[Promotion]
    next: str | None = Field(description="The cursor of the next page; null on the last.")


class PromotionQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    after: Annotated[str | None, Field(max_length=2000, description="`next` of the page before.")] = None


class PromotionCreate(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str = Field(examples=["Spring sale"])
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    code: str | None = Field(None, description="Without one it applies by itself.", examples=["SPRING"])
    percent_off: StrictInt | None = None
    amount_off: Money | None = None


class PromotionUpdate(PromotionCreate):
    """What is left out stays."""

    title: str = ""
    starts_at: AwareDatetime = _UNSAID
    ends_at: AwareDatetime = _UNSAID


def promotion_schema(promotion: entities.Promotion) -> Promotion:
    amount, currency = promotion.amount_off, promotion.currency
    return Promotion(
        id=promotion.id,
        code=promotion.code,
        title=promotion.title,
        percent_off=promotion.percent_off,
        amount_off=Money(amount=amount, currency=currency) if amount is not None and currency is not None else None,
        starts_at=promotion.starts_at,
        ends_at=promotion.ends_at,
        version=promotion.version,
        created_at=promotion.created_at,
        updated_at=promotion.updated_at,
    )


def new_data(body: PromotionCreate) -> PromotionData:
    """Raises InvalidPromotion."""
    return promotion_data(_values(body, set(PromotionCreate.model_fields)))


def changed_data(body: PromotionUpdate, before: PromotionData) -> PromotionData:
    """The promotion with the fields that the body names. Raises InvalidPromotion."""
    return promotion_data({**before.model_dump(exclude={"duration"}), **_values(body, body.model_fields_set)})


def _values(body: PromotionCreate, names: set[str]) -> dict[str, Any]:
    values = {name: getattr(body, name) for name in names}
    if "amount_off" in names:
        money = body.amount_off
        values |= {"amount_off": money.amount, "currency": money.currency} if money else {"currency": None}
    return values
