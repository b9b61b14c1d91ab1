"""How good a forecast is: by what it would have said in the last weeks, from what was known then (rolling origins:
Tashman, International Journal of Forecasting 16, 2000).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from commerce.forecast.entities import QUANTILES, Bands
from commerce.forecast.history import History
from commerce.forecast.quantiles import Numbers

HORIZON = 7
MOST_FOLDS = 4
LEAST_DAYS = 28  # of history: two weeks to learn from, a week to try, and one to spare
MOST_ROWS = 5_000  # products that are tried: the half that sold most, and others by chance
BOUND = 1.05  # times the yardstick's loss: beyond it a model is refused
# What a way to forecast says of a history, for so many days.
Predict = Callable[[History, int], Bands]


@dataclass(frozen=True, slots=True)
class Score:
    """`pinball`: the mean loss of the quantiles, in units a day (Koenker and Bassett 1978). `mase`: the error of the
    median, as a multiple of that of last week's value within the history (Hyndman and Koehler 2006; of all products
    together, for many sell so seldom that their own would be nought). `coverage`: the part of days from p10 to p90.
    """

    pinball: float
    mase: float
    coverage: float


def evaluated(history: History) -> History:
    """The products that are tried."""
    count = len(history.ids)
    if count <= MOST_ROWS:
        return history
    best = np.argsort(-history.units.sum(axis=1), kind="stable")
    rest = np.random.default_rng(0).choice(best[MOST_ROWS // 2 :], MOST_ROWS - MOST_ROWS // 2, replace=False)
    return history.of(np.sort(np.concatenate([best[: MOST_ROWS // 2], rest])))


def folds(history: History) -> list[int]:
    """How many columns were known at each origin, the last first."""
    most = min(MOST_FOLDS, (history.days - LEAST_DAYS) // HORIZON + 1)
    return [history.days - HORIZON * fold for fold in range(1, most + 1)]


def score(history: History, predict: Predict) -> Score:
    losses, errors, scales, inside = [], [], [], []
    for known in folds(history):
        before = history.until(known)
        actual = history.units[:, known : known + HORIZON].astype(np.float64)
        bands = predict(before, HORIZON)
        losses.append(pinball(actual, bands.quantiles))
        errors.append(np.abs(actual - bands.quantiles[:, :, 1]).mean())
        scales.append(np.abs(np.diff(_weekly(before.units.astype(np.float64)), axis=0)).mean())
        inside.append(((actual >= bands.quantiles[:, :, 0]) & (actual <= bands.quantiles[:, :, 2])).mean())
    scale = float(np.mean(scales))
    mase = float(np.mean(errors)) / scale if scale else 0.0
    return Score(float(np.mean(losses)), mase, float(np.mean(inside)))


def pinball(actual: Numbers, quantiles: Numbers) -> float:
    miss = actual[:, :, None] - quantiles
    levels = np.array(QUANTILES)
    return float(np.maximum(levels * miss, (levels - 1) * miss).mean())


def _weekly(units: Numbers) -> Numbers:
    """By week, product and weekday; the oldest days that fill no week are left out."""
    weeks = units.shape[1] // 7
    return units[:, units.shape[1] - 7 * weeks :].reshape(len(units), weeks, 7).transpose(1, 0, 2)
