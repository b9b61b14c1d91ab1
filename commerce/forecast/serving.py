"""The forecast's models, as a process serves them: the one that is trained, and the yardstick that stands in for it."""

from datetime import timedelta
from typing import TYPE_CHECKING, Union

from core.inference.artifacts import Manifest
from core.inference.errors import ModelFailedProbe
from core.inference.serving import ModelType

if TYPE_CHECKING:
    from commerce.forecast.boosting import Boosted
    from commerce.forecast.naive import Naive
    from commerce.forecast.seasonal import Seasonal

# Numpy is loaded where there is a model.


def _load(manifest: Manifest, data: bytes) -> Union["Seasonal", "Boosted"]:
    if manifest.format == "onnx":
        from commerce.forecast.boosting import Boosted  # noqa: PLC0415

        return Boosted.of(data, float(manifest.parameters["spread"]))
    from safetensors.numpy import load  # noqa: PLC0415

    from commerce.forecast.seasonal import Seasonal  # noqa: PLC0415

    return Seasonal.of(load(data))


def _probe(model: Union["Seasonal", "Boosted"], manifest: Manifest) -> None:
    from commerce.forecast.evaluation import BOUND  # noqa: PLC0415

    model.check()
    loss, yardstick = (float(manifest.metrics[name]) for name in ("pinball", "baseline_pinball"))
    if not loss <= BOUND * yardstick:  # also where one is no number
        raise ModelFailedProbe(
            f"its loss of {loss:.4f} is over {BOUND} times that of last week's value, {yardstick:.4f}"
        )


def _load_naive(_manifest: Manifest, data: bytes) -> "Naive":
    from safetensors.numpy import load  # noqa: PLC0415

    from commerce.forecast.naive import Naive  # noqa: PLC0415

    return Naive.of(load(data))


def _probe_naive(model: "Naive", _manifest: Manifest) -> None:
    model.check()


# Trained each night. A week later its levels are those of another week, and the yardstick is no worse.
FORECAST: ModelType[Union["Seasonal", "Boosted"]] = ModelType("forecast", _load, _probe, max_age=timedelta(days=8))
# It answers when nothing else can; after a month its last week says nothing of this one.
BASELINE: ModelType["Naive"] = ModelType("forecast-baseline", _load_naive, _probe_naive, max_age=timedelta(days=30))
