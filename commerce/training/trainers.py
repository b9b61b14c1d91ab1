"""What models there are, and what trains each. The same for a job and for whoever trains on the command line."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from commerce.forecast.serving import BASELINE, FORECAST
from commerce.recommendations.serving import RECOMMENDATIONS
from core.errors import Invalid
from core.inference.artifacts import Manifest, Role, Trained, Transaction, manifest_of
from core.inference.serving import ModelType, prepared
from core.resources import Resources

ModelName = Literal["recommendations", "forecast"]
Way = Literal["default", "gradient-boosting"]
# What processes serve.
KINDS: dict[str, ModelType[Any]] = {kind.name: kind for kind in (RECOMMENDATIONS, FORECAST, BASELINE)}
MODEL_NAMES: tuple[ModelName, ...] = get_args(ModelName)
# Told how far it is, from 0 to 1, in any thread; what it raises ends the training.
Tell = Callable[[float], Any]


class UnknownWay(Invalid):
    """The model cannot be trained in this way, or not here: what it needs is not installed."""

    code = "unknown_way_to_train"
    title = "Cannot be trained so"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`refusal`: why nothing was published, and what was current still is."""

    published: tuple[Manifest, ...] = ()
    refusal: str | None = None

    @property
    def result(self) -> dict[str, Any]:
        """For a job."""
        names = ("model", "version", "metrics")
        published = [{name: asdict(each)[name] for name in names} for each in self.published]
        return {"published": published, "refusal": self.refusal}


async def train(
    resources: Resources,
    model: ModelName,
    tell: Tell = lambda _done: None,
    *,
    way: Way = "default",
    role: Role = "current",
    transaction: Transaction | None = None,
) -> Outcome:
    """What was made is published when it passes the probe that each process gives it too. Raises ModelRefused,
    UnknownWay, and ObjectsUnavailable.
    """
    trained, refusal = await _TRAINERS[model](resources, way, tell)
    artifacts, published = resources.models.artifacts, []
    for each in trained:
        kind = KINDS[each.model]
        await asyncio.to_thread(prepared, kind, manifest_of(each), each.data)
        # A yardstick that was made beside a shadow is the one that answers.
        its_role: Role = role if each.model == model else "current"
        published.append(await artifacts.publish(each, role=its_role, transaction=transaction))
    return Outcome(tuple(published), refusal)


_Made = tuple[list[Trained], str | None]


async def _recommendations(resources: Resources, way: Way, tell: Tell) -> _Made:
    from commerce.recommendations.training import train as train_recommendations  # noqa: PLC0415  with numpy

    if way != "default":
        raise UnknownWay(f"recommendations are not trained with {way}")
    made = await train_recommendations(resources.database, resources.clock, tell)
    return ([made], None) if made is not None else ([], "no two products were ordered together often enough")


async def _forecast(resources: Resources, way: Way, tell: Tell) -> _Made:
    from commerce.forecast.training import train as train_forecast  # noqa: PLC0415  with numpy

    try:
        made = await train_forecast(resources.database, resources.clock, "seasonal" if way == "default" else way, tell)
    except ImportError as error:
        raise UnknownWay(f"{way} needs the extra `train`: pip install 'portico[train]'") from error
    return made.models, made.refusal


_TRAINERS: dict[ModelName, Callable[[Resources, Way, Tell], Awaitable[_Made]]] = {
    "recommendations": _recommendations,
    "forecast": _forecast,
}
