"""Forecasts as they are asked for and read: plain values."""

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from core.ids import new_id
from core.inference.provenance import Provenance

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# What a forecast rests on: the product's own sales, those of its category, or those of the whole shop.
Basis = Literal["product", "category", "shop"]
QUANTILES = (0.1, 0.5, 0.9)
MOST_DAYS = 90


class Asked(NamedTuple):
    product_id: str
    category_id: str | None
    days: int


class Day(NamedTuple):
    """Units in one day, UTC: the mean, and what demand stays below in 1, 5 and 9 of 10 such days."""

    date: date
    mean: float
    p10: float
    p50: float
    p90: float


@dataclass(frozen=True, slots=True)
class ProductForecast:
    product_id: str
    basis: Basis
    days: tuple[Day, ...]


@dataclass(frozen=True, slots=True)
class Forecasts:
    provenance: Provenance
    items: tuple[ProductForecast, ...]
    answer_id: str = field(default_factory=lambda: new_id("ans"), compare=False)


class Bands(NamedTuple):
    """`mean` by row and day; `quantiles` by row, day and QUANTILES."""

    mean: "NDArray[np.float64]"
    quantiles: "NDArray[np.float64]"


class Forecaster(Protocol):
    """A model that is loaded. In any thread."""

    def forecast(self, asked: Asked, first: date) -> tuple[Basis, Bands]:
        """Of one row, from the day `first` on."""
        ...
