"""Plans: points per minute by name, so that many callers can be given the same."""

from typing import Literal

PlanName = Literal["trial", "standard", "partner"]
_POINTS: dict[PlanName, int] = {"trial": 6_000, "partner": 10_000_000}


def plans(standard: int) -> dict[PlanName, int]:
    """`standard` is everybody's, who has no other: PORTICO_POINTS_PER_MINUTE."""
    return {"standard": standard, **_POINTS}
