"""Forecasts: from the model that was trained, else from the yardstick."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, timedelta

from commerce.forecast.entities import Asked, Bands, Day, Forecaster, Forecasts, ProductForecast
from commerce.forecast.errors import ForecastNotReady
from commerce.forecast.serving import BASELINE, FORECAST
from core.clock import Clock
from core.inference.provenance import Provenance
from core.inference.serving import Models
from core.threads import in_thread

_RETRY_SECONDS = 3600  # models are trained each night
_AGREE = 0.5  # of the served interval's width: a shadow's median is within it, or by it


class ForecastService:
    """Per request. Asks nobody but the models in memory, and counts in a thread."""

    def __init__(self, models: Models, clock: Clock) -> None:
        self._trained = models.serving(FORECAST)
        self._baseline = models.serving(BASELINE)
        self._clock = clock

    async def forecast(self, asked: Sequence[Asked]) -> Forecasts:
        """From tomorrow on: of today, in UTC, a part is over. Raises ForecastNotReady."""
        started = time.perf_counter()
        model, by = self._model()
        first = self._clock.now().astimezone(UTC).date() + timedelta(days=1)
        items = await in_thread(_forecast, model, asked, first)
        self._trained.answered(by, time.perf_counter() - started)
        if not by.fallback:
            self._trained.compare(lambda other: _forecast(self._complete(other), asked[:1], first), items[:1], _agree)
        return Forecasts(by, items)

    def _model(self) -> tuple[Forecaster, Provenance]:
        trained, baseline = self._trained.current(), self._baseline.current()
        if trained is not None and (model := self._completed(trained.model)) is not None:
            return model, trained.provenance()
        if baseline is None:
            raise ForecastNotReady(retry_after_seconds=_RETRY_SECONDS)
        return baseline.model, baseline.provenance(self._trained.absence)

    def _complete(self, model: Forecaster) -> Forecaster:
        found = self._completed(model)
        if found is None:
            raise ForecastNotReady
        return found

    def _completed(self, model: Forecaster) -> Forecaster | None:
        """With the weeks that it reads, where it keeps none itself; None where there are none."""
        if not hasattr(model, "naive"):
            return model
        baseline = self._baseline.current()
        return replace(model, naive=baseline.model) if baseline is not None else None  # type: ignore[type-var]


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
