"""Another model: boosted trees, which learn from all products how the days to come follow from the weeks before
(Friedman, "Greedy function approximation", Annals of Statistics 29, 2001). Trained with scikit-learn, in the extra
`train`; served by onnxruntime, from the weeks that the naive forecast keeps.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from commerce.forecast.entities import Asked, Bands, Basis
from commerce.forecast.history import History
from commerce.forecast.naive import DAYS, Naive
from commerce.forecast.quantiles import Numbers, count_quantiles
from core.inference.errors import ModelFailedProbe

if TYPE_CHECKING:
    import onnxruntime

FEATURES = 6
_LEAST_LEVEL = 0.1  # units a day, added: ratios to what hardly sells would be large and mean nothing
_MOST_ROWS = 20_000  # to learn from: three seconds of one core
_HORIZON = 14
LEAST_DAYS = DAYS + 2 * _HORIZON + 28  # of history: four folds, each with two origins to learn from
Regress = Callable[[Any], Any]  # ratios to the level, by row


def features(recent: Numbers, weekdays: NDArray[np.int64], ahead: NDArray[np.int64]) -> tuple[Numbers, Numbers]:
    """Of rows with their last eight weeks, a weekday and how many days it is ahead; and their levels."""
    month = recent[:, -28:].mean(axis=1)
    level = month + _LEAST_LEVEL
    back = (ahead - 1) % 7  # the same weekday in each of the last four weeks
    same = np.stack([recent[np.arange(len(recent)), DAYS - 7 * week + back] for week in range(1, 5)]).mean(axis=0)
    columns = (np.log1p(month), recent[:, -7:].mean(axis=1) / level, recent.mean(axis=1) / level, same / level)
    return np.stack([*columns, weekdays, ahead], axis=1).astype(np.float32).astype(np.float64), level


@dataclass(frozen=True, slots=True)
class Boosted:
    """`spread` is the negative binomial's, of all products alike."""

    session: "onnxruntime.InferenceSession"
    spread: float
    naive: Naive | None = None  # whose weeks it reads

    def forecast(self, asked: Asked, first: date) -> tuple[Basis, Bands]:
        assert self.naive is not None  # noqa: S101  the service gives it
        recent = np.repeat(self.naive.recent(asked.product_id)[None], asked.days, axis=0)
        ahead = (first - self.naive.last_day).days + np.arange(asked.days)
        weekdays = (first.weekday() + np.arange(asked.days)) % 7
        mean = means_of(self.regress, recent, weekdays, ahead)
        quantiles = count_quantiles(mean, np.full(len(mean), self.spread))
        return "product", Bands(mean[None], quantiles[None])

    def regress(self, rows: Numbers) -> Any:
        return self.session.run(None, {"X": rows.astype(np.float32)})[0]

    @classmethod
    def of(cls, data: bytes, spread: float) -> "Boosted":
        """Raises what onnxruntime raises."""
        import onnxruntime  # noqa: PLC0415  20 MB, where such a model is current

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # requests have the other cores
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return cls(onnxruntime.InferenceSession(data, sess_options=options, providers=["CPUExecutionProvider"]), spread)

    def check(self) -> None:
        """Raises ModelFailedProbe."""
        recent = np.array([np.zeros(DAYS), np.ones(DAYS), np.full(DAYS, 1e4)])
        mean = means_of(self.regress, recent, np.arange(3), np.arange(1, 4))
        if mean.shape != (3,) or not np.isfinite(mean).all() or not 0 <= self.spread <= 100:  # noqa: PLR2004  of counts
            raise ModelFailedProbe("it does not answer with one number a row")


def means_of(regress: Regress, recent: Numbers, weekdays: Any, ahead: Any) -> Numbers:
    rows, level = features(recent, np.asarray(weekdays), np.asarray(ahead))
    found: Numbers = np.maximum(np.asarray(regress(rows), np.float64).reshape(len(rows)), 0) * level
    return found


def fit(history: History) -> tuple[Any, float]:
    """A regressor of scikit-learn, and the spread. Raises ImportError without the extra `train`."""
    from sklearn.ensemble import GradientBoostingRegressor  # noqa: PLC0415  in the extra alone

    recent, weekdays, ahead, actual = _examples(history)
    rows, level = features(recent, weekdays, ahead)
    made = GradientBoostingRegressor(n_estimators=120, max_depth=3, learning_rate=0.08, subsample=0.5, random_state=0)
    made.fit(rows, actual / level)
    mean = np.maximum(made.predict(rows), 0) * level
    over, under = ((actual - mean) ** 2 - mean).sum(), (mean**2).sum()
    return made, float(np.clip(over / under if under else 0.0, 0, 10))


def predict(made: Any, spread: float, history: History, days: int) -> Bands:
    """Of all its products, from the day after the history's last."""
    count = len(history.ids)
    recent = np.repeat(history.units[:, -DAYS:].astype(np.float64), days, axis=0)
    ahead = np.tile(np.arange(1, days + 1), count)
    mean = means_of(made.predict, recent, (history.last_day.weekday() + ahead) % 7, ahead)
    quantiles = count_quantiles(mean, np.full(len(mean), spread))
    return Bands(mean.reshape(count, days), quantiles.reshape(count, days, -1))


def exported(made: Any) -> bytes:
    """As ONNX. Raises ImportError without the extra `train`."""
    from skl2onnx import to_onnx  # noqa: PLC0415  in the extra alone

    rows = np.zeros((1, FEATURES), np.float32)
    data: bytes = to_onnx(made, rows, target_opset={"": 21, "ai.onnx.ml": 3}).SerializeToString()
    return data


def _examples(history: History) -> tuple[Numbers, Any, Any, Numbers]:
    """Days of the past, each with the eight weeks before some day before it. The same for the same history."""
    random = np.random.default_rng(0)
    origins = np.arange(DAYS, history.days - _HORIZON + 1)
    count = min(_MOST_ROWS, len(history.ids) * len(origins))
    products = random.integers(0, len(history.ids), count)
    known, ahead = random.choice(origins, count), random.integers(1, _HORIZON + 1, count)
    recent = history.units[products[:, None], (known - DAYS)[:, None] + np.arange(DAYS)].astype(np.float64)
    days = known + ahead - 1
    return recent, history.weekdays[days], ahead, history.units[products, days].astype(np.float64)
