"""The default model: a level, times a factor for each weekday, with a spread. What few sales say is drawn towards the
category, and the category towards the shop.

Sums over days weigh half as much each four weeks back. With A the units, B the days and Q the squared units of a
weekday d, m the mean of a category's product-days, and mu the level times the factor:

    factor(category, d) = (A(d) + 20 factor(shop, d)) / (m B(d) + 20)
    level(product)      = (sum A + 7 m) / (sum factor(category, d) B(d) + 7)
    factor(product, d)  = (A(d) + 20 factor(category, d)) / (level B(d) + 20)
    spread(product)     = (sum (Q - 2 mu A + mu^2 B - mu B) + 5 spread(category)) / (sum mu^2 B + 5)

which are means under gamma priors worth 7 days and 20 units, and the moments of the negative binomial (Cameron and
Trivedi, "Regression Analysis of Count Data", 2nd ed. 2013, section 3.3.2).
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from commerce.forecast.entities import Asked, Bands, Basis
from commerce.forecast.history import History
from commerce.forecast.quantiles import Numbers, count_quantiles
from core.inference.errors import ModelFailedProbe

_HALF_LIFE = 28.0  # days
_PRIOR_DAYS, _PRIOR_UNITS, _PRIOR_SPREAD = 7.0, 20.0, 5.0
_MOST_SPREAD = 10.0  # beyond it nine days of ten are nought whatever the level


@dataclass(frozen=True, slots=True)
class Seasonal:
    """`means` by row and weekday, Monday first. Categories' rows are those of a product without sales of its own; the
    first is the shop's.
    """

    ids: NDArray[np.bytes_]
    means: NDArray[np.float32]
    spreads: NDArray[np.float32]
    category_ids: NDArray[np.bytes_]
    category_means: NDArray[np.float32]
    category_spreads: NDArray[np.float32]

    def forecast(self, asked: Asked, first: date) -> tuple[Basis, Bands]:
        basis, mean, spread = self._row(asked)
        places = (np.arange(asked.days) + first.weekday()) % 7
        quantiles = count_quantiles(mean.astype(np.float64), np.full(7, spread, np.float64))
        return basis, Bands(mean.astype(np.float64)[None, places], quantiles[None, places])

    def _row(self, asked: Asked) -> tuple[Basis, NDArray[np.float32], float]:
        row = place_of(self.ids, asked.product_id)
        if row is not None:
            return "product", self.means[row], float(self.spreads[row])
        category = place_of(self.category_ids, asked.category_id or "") or 0
        basis: Basis = "category" if category else "shop"
        return basis, self.category_means[category], float(self.category_spreads[category])

    def tensors(self) -> dict[str, NDArray[Any]]:
        return {
            "ids": letters(self.ids),
            "means": self.means,
            "spreads": self.spreads,
            "category_ids": letters(self.category_ids),
            "category_means": self.category_means,
            "category_spreads": self.category_spreads,
        }

    @classmethod
    def of(cls, tensors: dict[str, NDArray[Any]]) -> "Seasonal":
        """Raises KeyError, ValueError."""
        texts = {name: words(tensors[name]) for name in ("ids", "category_ids")}
        return cls(**tensors | texts)

    def check(self) -> None:
        """Raises ModelFailedProbe."""
        for ids, means, spreads in (
            (self.ids, self.means, self.spreads),
            (self.category_ids, self.category_means, self.category_spreads),
        ):
            if means.shape != (len(ids), 7) or spreads.shape != (len(ids),) or (ids[1:] <= ids[:-1]).any():
                raise ModelFailedProbe("the rows are not those of products in their order")
            if not (np.isfinite(means).all() and np.isfinite(spreads).all()) or (means < 0).any():
                raise ModelFailedProbe("there are levels that are no numbers, or below nought")
        if not len(self.category_ids):
            raise ModelFailedProbe("there is no row for the shop")


def fit(history: History) -> Seasonal:
    """The same for the same history, to the byte."""
    weights = 0.5 ** ((history.days - 1 - np.arange(history.days)) / _HALF_LIFE)
    by_day = history.by_weekday * weights[:, None]
    units = history.units.astype(np.float64)
    sold, squared = units @ by_day, units**2 @ by_day
    # From the day that a product was there: sums from each column to the last.
    days = np.concatenate([np.cumsum(by_day[::-1], axis=0)[::-1], np.zeros((1, 7))])[history.born]
    count = len(history.category_ids)
    grouped = [_grouped(each, history.categories, count) for each in (sold, days, squared)]
    mean = _ratio(grouped[0].sum(1), grouped[1].sum(1), grouped[0][0].sum() / max(grouped[1][0].sum(), 1e-9))
    shop = _ratio(grouped[0][0], grouped[1][0] * mean[0], 1.0)
    factors = (grouped[0] + _PRIOR_UNITS * shop) / (mean[:, None] * grouped[1] + _PRIOR_UNITS)
    means = mean[:, None] * factors
    spreads = np.clip(_ratio(*_moments(means, *grouped), 0.0), 0, _MOST_SPREAD)
    own, category = factors[history.categories], history.categories
    level = (sold.sum(1) + _PRIOR_DAYS * mean[category]) / ((own * days).sum(1) + _PRIOR_DAYS)
    own = (sold + _PRIOR_UNITS * own) / (level[:, None] * days + _PRIOR_UNITS)
    own_means = level[:, None] * own
    over, under = _moments(own_means, sold, days, squared)
    spread = (over + _PRIOR_SPREAD * spreads[category]) / (under + _PRIOR_SPREAD)
    return Seasonal(
        np.array([each.encode() for each in history.ids], np.bytes_),
        own_means.astype(np.float32),
        np.clip(spread, 0, _MOST_SPREAD).astype(np.float32),
        np.array([each.encode() for each in history.category_ids], np.bytes_),
        means.astype(np.float32),
        spreads.astype(np.float32),
    )


def predict(model: Seasonal, history: History, days: int) -> Bands:
    """Of all its products, from the day after the history's last."""
    places = (np.arange(days) + history.last_day.weekday() + 1) % 7
    means = model.means.astype(np.float64)
    spreads = np.repeat(model.spreads.astype(np.float64), 7)
    quantiles = count_quantiles(means.reshape(-1), spreads).reshape(len(means), 7, -1)
    return Bands(means[:, places], quantiles[:, places])


def _grouped(rows: Numbers, categories: NDArray[np.int32], count: int) -> Numbers:
    """Sums by category; the first is that of all."""
    found = np.zeros((count, rows.shape[1]))
    np.add.at(found, categories, rows)
    found[0] = rows.sum(axis=0)
    return found


def _moments(means: Numbers, sold: Numbers, days: Numbers, squared: Numbers) -> tuple[Numbers, Numbers]:
    """What the variance is over the mean, and what that is a multiple of."""
    over = squared - 2 * means * sold + means**2 * days - means * days
    return over.sum(axis=1), (means**2 * days).sum(axis=1)


def _ratio(over: Numbers, under: Numbers, otherwise: float) -> Numbers:
    found: Numbers = np.divide(over, under, out=np.full(over.shape, otherwise), where=under > 0)
    return found


def place_of(ids: NDArray[np.bytes_], named: str) -> int | None:
    """In ids that are sorted."""
    key = np.bytes_(named.encode())
    row = int(np.searchsorted(ids, key))
    return row if row < len(ids) and ids[row] == key else None


def letters(ids: NDArray[np.bytes_]) -> NDArray[np.uint8]:
    """As safetensors keeps text."""
    return ids.view(np.uint8).reshape(len(ids), ids.itemsize)


def words(text: NDArray[Any]) -> NDArray[np.bytes_]:
    text = np.ascontiguousarray(text)
    return text.view(f"S{text.shape[1]}").reshape(-1)
