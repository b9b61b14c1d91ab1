"""Trains the forecast, and its yardstick beside it."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal

from commerce.forecast import boosting, evaluation, naive, seasonal
from commerce.forecast.evaluation import BOUND, LEAST_DAYS, Score, evaluated, score
from commerce.forecast.history import History, midnight, read_history
from core.clock import Clock
from core.database import Database
from core.inference.artifacts import Trained

Way = Literal["seasonal", "gradient-boosting"]
Tell = Callable[[float], Any]


@dataclass(frozen=True, slots=True)
class Made:
    """`refusal`: why there is no forecast beside the yardstick."""

    models: list[Trained]
    refusal: str | None = None


async def train(database: Database, clock: Clock, way: Way, tell: Tell = lambda _done: None) -> Made:
    """The yardstick is made whenever there are orders, and comes first. Numbers are crunched in a thread. Raises
    ImportError where the way needs the extra `train` and it is not installed.
    """
    now = clock.now()
    history = await read_history(database, now)
    if not history.ids:
        return Made([], "nothing was ordered yet")
    tell(0.2)
    return await asyncio.to_thread(_train, history, way, now, tell)


def _train(history: History, way: Way, now: datetime, tell: Tell) -> Made:
    from safetensors.numpy import save  # noqa: PLC0415  loaded where a model is made

    seen = midnight(history.last_day)
    baseline = naive.fit(history)
    least = LEAST_DAYS if way == "seasonal" else boosting.LEAST_DAYS
    if history.days < least:
        found = Trained("forecast-baseline", save(baseline.tensors()), now, seen, {}, {"algorithm": "seasonal naive"})
        return Made([found], f"{history.days} days of orders are too few: it takes {least}")
    tried = evaluated(history)
    yardstick = score(tried, lambda known, days: naive.predict(naive.fit(known), days))
    tell(0.4)
    found = Trained(
        "forecast-baseline", save(baseline.tensors()), now, seen, asdict(yardstick), {"algorithm": "seasonal naive"}
    )
    model_score, make = _ways(way, history, tried)
    tell(0.7)
    metrics = _metrics(history, tried, model_score, yardstick)
    if not model_score.pinball <= BOUND * yardstick.pinball:
        loss = f"{model_score.pinball:.4f} against {yardstick.pinball:.4f}"
        return Made([found], f"the {way} forecast is worse than last week's value: a loss of {loss}")
    data, parameters = make()
    tell(0.9)
    return Made([found, Trained("forecast", data, now, seen, metrics, {"algorithm": way, **parameters})])


def _ways(way: Way, history: History, tried: History) -> tuple[Score, Callable[[], tuple[bytes, dict[str, Any]]]]:
    """The score, and what makes the file."""
    from safetensors.numpy import save  # noqa: PLC0415  as above

    if way == "seasonal":
        model_score = score(tried, lambda known, days: seasonal.predict(seasonal.fit(known), known, days))
        return model_score, lambda: (save(seasonal.fit(history).tensors()), {"window_days": history.days})

    def make() -> tuple[bytes, dict[str, Any]]:
        made, spread = boosting.fit(history)
        return boosting.exported(made), {"window_days": history.days, "spread": spread}

    def predict(known: History, days: int) -> Any:
        return partial(boosting.predict, *boosting.fit(known))(known, days)

    return score(tried, predict), make


def _metrics(history: History, tried: History, model: Score, yardstick: Score) -> dict[str, Any]:
    return {
        **asdict(model),
        **{f"baseline_{name}": value for name, value in asdict(yardstick).items()},
        "folds": len(evaluation.folds(history)),
        "products": len(history.ids),
        "evaluated": len(tried.ids),
    }
