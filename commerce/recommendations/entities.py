"""Recommendations as they are read: plain values, with the model that they come from."""

from dataclasses import dataclass
from typing import Literal

Reason = Literal["same_category", "popular", "new"]


@dataclass(frozen=True, slots=True)
class Recommendation:
    product_id: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Recommendations:
    """The best first. `fallback`: no trained model was there to be asked, and a simple rule stands in for it."""

    model: str
    version: str
    fallback: bool
    items: tuple[Recommendation, ...]
