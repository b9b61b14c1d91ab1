"""Limits of callers as JSON."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictInt, model_validator

from commerce.limits.entities import MOST_POINTS, Override, Terms
from commerce.limits.plans import PlanName
from commerce.limits.zones import ZONES
from core.ratelimit import Verdict
from internal_api.parameters import Text


class OverrideRead(BaseModel):
    """What a caller has of its own."""

    model_config = ConfigDict(title="Override")

    plan: PlanName | None
    points: int | None = Field(description="A minute; null where a plan says it.")
    reason: str
    expires_at: datetime | None = Field(description="From then on everybody's limit holds again; null: never.")
    changed_at: datetime


class RateLimit(BaseModel):
    subject: str = Field(examples=["api_key:4fJ2kQ9xTbLm", "user:usr_01jd0a3v5t", "address:2001:db8::/64"])
    points: int = Field(description="What it may spend in any minute, now.", examples=[1_000_000])
    remaining: int = Field(description="What is left of that.")
    override: OverrideRead | None = Field(description="null: the limit is everybody's.")


class Zone(BaseModel):
    """A limit beside the points, the same for all."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(examples=["sign-in:account"])
    amount: int
    seconds: int
    fails_closed: bool = Field(description="Refused, with 503, while it cannot be counted for all servers.")


class RateLimitPage(BaseModel):
    """`items` are the callers that have a limit of their own, by name."""

    items: list[RateLimit]
    page: int
    size: int
    total: int
    plans: dict[PlanName, int] = Field(description="Points a minute; `standard` is everybody's.")
    zones: list[Zone]


class RateLimitQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    page: Annotated[int, Field(ge=1, le=10_000)] = 1
    size: Annotated[int, Field(ge=1, le=100)] = 50


class RateLimitSet(BaseModel):
    """Either a plan or points."""

    model_config = ConfigDict(extra="forbid")

    plan: PlanName | None = None
    points: Annotated[StrictInt, Field(ge=1, le=MOST_POINTS, description="A minute.")] | None = None
    reason: Annotated[Text, Field(min_length=1, description="For those who read the audit log.")]
    expires_at: AwareDatetime | None = Field(None, description="Without one it holds until it is deleted.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.plan is None) == (self.points is None):
            raise ValueError("give either a plan or points")
        return self

    def terms(self) -> Terms:
        return Terms(self.plan, self.points, self.reason, self.expires_at)


def rate_limit_schema(subject: str, verdict: Verdict, override: Override | None) -> RateLimit:
    own = None
    if override is not None:
        terms = override.terms
        own = OverrideRead(
            plan=terms.plan,
            points=terms.points,
            reason=terms.reason,
            expires_at=terms.expires_at,
            changed_at=override.changed_at,
        )
    return RateLimit(subject=subject, points=verdict.limit.amount, remaining=verdict.remaining, override=own)


def zones() -> list[Zone]:
    return [Zone.model_validate(zone) for zone in ZONES]
