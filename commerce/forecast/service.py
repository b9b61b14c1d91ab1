"""Forecasts: from the model that was trained, else from the yardstick."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, timedelta
from typing import TYPE_CHECKING

from commerce.forecast.entities import Asked, Bands, Day, Forecaster, Forecasts, ProductForecast
from commerce.forecast.serving import BASELINE, FORECAST
from core.clock import Clock
from core.database import Database
from core.inference.serving import Loaded, Models
from core.threads import in_thread

if TYPE_CHECKING:
    from commerce.forecast.naive import Naive

_AGREE = 0.5  # of the served interval's width: a shadow's median is within it, or by it


class ForecastService:
    """Per request. Asks nobody but the models in memory, and counts in a thread. Where there is not even the yardstick,
    three statements make it of what was sold of these products.
    """

    def __init__(self, database: Database, models: Models, clock: Clock) -> None:
        self._database = database
        self._trained = models.serving(FORECAST)
        self._baseline = models.serving(BASELINE)
        self._clock = clock

    async def forecast(self, asked: Sequence[Asked]) -> Forecasts:
        """From tomorrow on: of today, in UTC, a part is over. Raises DatabaseUnavailable."""
        started = time.perf_counter()
        trained = self._trained.current()
        baseline = self._baseline.current() or await self._baseline_of_orders(asked)
        by = trained.provenance() if trained is not None else baseline.provenance(self._trained.absence)
        model = trained.model if trained is not None else baseline.model
        weeks, first = baseline.model, self._clock.now().astimezone(UTC).date() + timedelta(days=1)
        items = await in_thread(_forecast, _with(weeks, model), asked, first)
        self._trained.answered(by, time.perf_counter() - started)
        if trained is not None:
            self._trained.compare(lambda other: _forecast(_with(weeks, other), asked[:1], first), items[:1], _agree)
        return Forecasts(by, items)

    async def _baseline_of_orders(self, asked: Sequence[Asked]) -> Loaded["Naive"]:
        from commerce.forecast.untrained import baseline_of_orders  # noqa: PLC0415  numpy

        return await baseline_of_orders(self._database, self._clock, {each.product_id for each in asked})


def _with(weeks: "Naive", model: Forecaster) -> Forecaster:
    """The model with the weeks that it reads, where it keeps none itself."""
    return replace(model, naive=weeks) if hasattr(model, "naive") else model  # type: ignore[type-var]


def _forecast(model: Forecaster, asked: Sequence[Asked], first: date) -> tuple[ProductForecast, ...]:
    found = []
    for each in asked:
        basis, bands = model.forecast(each, first)
        found.append(ProductForecast(each.product_id, basis, _days(bands, first)))
    return tuple(found)


def _days(bands: Bands, first: date) -> tuple[Day, ...]:
    """Thousandths of a unit are enough for anybody."""
    rows = zip(bands.mean[0].round(3).tolist(), bands.quantiles[0].round(3).tolist(), strict=True)
    return tuple(Day(first + timedelta(days=at), mean, *levels) for at, (mean, levels) in enumerate(rows))


def _agree(shadow: tuple[ProductForecast, ...], served: tuple[ProductForecast, ...]) -> bool:
    """Most days' medians are near."""
    pairs = list(zip(shadow[0].days, served[0].days, strict=True))
    near = [abs(one.p50 - other.p50) <= max(_AGREE * (other.p90 - other.p10), 1) for one, other in pairs]
    return sum(near) >= len(near) / 2
