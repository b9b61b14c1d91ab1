"""Overrides: what single callers may spend, instead of what everybody may."""

from dataclasses import dataclass
from datetime import datetime

from commerce.limits.plans import PlanName

MOST_POINTS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Terms:
    """Either a plan or points per minute. It ends by itself at `expires_at`; None: never."""

    plan: PlanName | None
    points: int | None
    reason: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Override:
    """`subject`: as commerce.limits.subjects writes it."""

    subject: str
    terms: Terms
    changed_at: datetime

    def points(self, plans: dict[PlanName, int]) -> int:
        terms = self.terms
        return plans[terms.plan] if terms.plan is not None else terms.points or 0
