"""How far forecasts are off, beside last week's value: on real purchases by day, at rolling origins (commerce/forecast/
evaluation.py says which losses these are). Each product of the last half year of the data is forecast.
"""

import datetime as dt
import time
from typing import Any

import numpy as np

from benchmarks.harness.install import NotInstalled
from benchmarks.harness.purchases import Purchases, purchases
from benchmarks.report import Row, at_least, at_most, not_measured
from commerce.forecast import boosting, naive, seasonal
from commerce.forecast.evaluation import BOUND, evaluated, score
from commerce.forecast.history import WINDOW_DAYS, History

_EPOCH = dt.date(1970, 1, 1)
MOST_UNITS = 100  # of a line: fuel is counted in thousandths of a gallon, and is no count
LEAST_UNITS = 26  # one a week: of what sells less the best forecast is nought, whoever makes it


def run() -> list[Row]:
    try:
        bought = purchases()
    except NotInstalled as why:
        return [not_measured("seasonal: pinball loss", str(why), f"at most {BOUND} of last week's")]
    given = evaluated(history_of(bought))
    started = time.perf_counter()
    model = score(given, lambda known, days: seasonal.predict(seasonal.fit(known), known, days))
    seconds = time.perf_counter() - started
    yardstick = score(given, lambda known, days: naive.predict(naive.fit(known), days))
    trees = score(given, _boosted)
    return [
        at_most("seasonal: pinball loss", model.pinball, "units a day", round(yardstick.pinball, 4)),
        Row("last week's value: pinball loss", yardstick.pinball, "units a day"),
        Row("boosted trees: pinball loss", trees.pinball, "units a day"),
        Row("seasonal: MASE", model.mase, "of last week's error"),
        Row("last week's value: MASE", yardstick.mase, "of last week's error"),
        Row("boosted trees: MASE", trees.mase, "of last week's error"),
        at_least("seasonal: days between p10 and p90", 100 * model.coverage, "%", 75),
        Row("last week's value: days between p10 and p90", 100 * yardstick.coverage, "%"),
        Row("boosted trees: days between p10 and p90", 100 * trees.coverage, "%"),
        Row("products", float(len(given.ids)), "products"),
        Row("seasonal: to fit and to forecast four times", seconds, "s"),
    ]


def _boosted(known: History, days: int) -> Any:
    made, spread = boosting.fit(known)
    return boosting.predict(made, spread, known, days)


def history_of(bought: Purchases) -> History:
    """Of products that sold now and then; of one category, for the data's own are no categories of a shop."""
    last = int(bought.days.max())
    recent = bought.where((bought.days > last - WINDOW_DAYS) & (bought.units <= MOST_UNITS))
    names, products = np.unique(recent.products, return_inverse=True)
    units = np.zeros((len(names), WINDOW_DAYS), np.float32)
    np.add.at(units, (products, recent.days - (last - WINDOW_DAYS + 1)), recent.units)
    kept = units.sum(axis=1) >= LEAST_UNITS
    units = units[kept]
    return History(
        [f"{each:012}" for each in names[kept].tolist()],
        [""],
        np.zeros(len(units), np.int32),
        (units > 0).argmax(axis=1).astype(np.int32),
        units,
        _EPOCH + dt.timedelta(days=last),
    )
