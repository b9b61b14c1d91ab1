"""The yardstick, and what answers when no model is good: as much as on the same weekday of last week.

Hyndman and Athanasopoulos, "Forecasting: Principles and Practice", 3rd ed. 2021, sections 5.2 and 5.5: the spread is
the standard deviation of seasonal differences, times the root of how many weeks ahead.
"""

from dataclasses import dataclass
from datetime import date
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from commerce.forecast.entities import QUANTILES, Asked, Bands, Basis
from commerce.forecast.history import History
from commerce.forecast.quantiles import Numbers
from commerce.forecast.seasonal import letters, place_of, words
from core.inference.errors import ModelFailedProbe

WEEKS = 8
DAYS = 7 * WEEKS
_Z = np.array([NormalDist().inv_cdf(each) for each in QUANTILES])


@dataclass(frozen=True, slots=True)
class Naive:
    """The last eight weeks of each product, which other models read too; `last_day` is that of the last column."""

    ids: NDArray[np.bytes_]
    units: NDArray[np.int32]
    last_day: date

    def forecast(self, asked: Asked, first: date) -> tuple[Basis, Bands]:
        row = self.recent(asked.product_id)
        ahead = (first - self.last_day).days
        bands = bands_of(row[None], ahead + asked.days - 1)
        return "product", Bands(bands.mean[:, ahead - 1 :], bands.quantiles[:, ahead - 1 :])

    def recent(self, product_id: str) -> Numbers:
        """Nothing but noughts for a product that did not sell."""
        row = place_of(self.ids, product_id)
        return np.zeros(DAYS) if row is None else self.units[row].astype(np.float64)

    def tensors(self) -> dict[str, NDArray[Any]]:
        last_day = np.array([self.last_day.toordinal()], np.int32)
        return {"ids": letters(self.ids), "units": self.units, "last_day": last_day}

    @classmethod
    def of(cls, tensors: dict[str, NDArray[Any]]) -> "Naive":
        """Raises KeyError, ValueError."""
        last_day = date.fromordinal(int(tensors["last_day"][0]))
        return cls(words(tensors["ids"]), tensors["units"], last_day)

    def check(self) -> None:
        """Raises ModelFailedProbe."""
        shaped = self.units.shape == (len(self.ids), DAYS)
        if not shaped or (self.units < 0).any() or (self.ids[1:] <= self.ids[:-1]).any():
            raise ModelFailedProbe("the rows are not eight weeks of products in their order")


def fit(history: History) -> Naive:
    units = np.zeros((len(history.ids), DAYS), np.int32)
    known = history.units[:, -DAYS:]
    units[:, DAYS - known.shape[1] :] = known
    return Naive(np.array([each.encode() for each in history.ids], np.bytes_), units, history.last_day)


def predict(model: Naive, days: int) -> Bands:
    """Of all its products, from the day after the last that it knows."""
    return bands_of(model.units.astype(np.float64), days)


def bands_of(units: Numbers, days: int) -> Bands:
    ahead = np.arange(days)
    mean = units[:, -7:][:, ahead % 7]
    spread = np.std(units[:, 7:] - units[:, :-7], axis=1)
    width = spread[:, None] * np.sqrt(ahead // 7 + 1)
    return Bands(mean, np.maximum(mean[:, :, None] + width[:, :, None] * _Z, 0))
