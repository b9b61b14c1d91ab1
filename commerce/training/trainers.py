"""What trains each model. The same for a job and for whoever trains on the command line."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from core.inference.artifacts import Manifest, Role, Trained, Transaction
from core.resources import Resources

ModelName = Literal["recommendations"]
MODEL_NAMES: tuple[ModelName, ...] = get_args(ModelName)
# Told how far it is, from 0 to 1, in any thread; what it raises ends the training.
Tell = Callable[[float], Any]


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
    role: Role = "current",
    transaction: Transaction | None = None,
) -> Outcome:
    """Publishes what was made when it passes the probe that each process gives it too."""
    trained, refusal = await _TRAINERS[model](resources, tell)
    artifacts = resources.models.artifacts
    published = [await artifacts.publish(each, role=role, transaction=transaction) for each in trained]
    return Outcome(tuple(published), refusal)


async def _recommendations(resources: Resources, tell: Tell) -> tuple[list[Trained], str | None]:
    from commerce.recommendations.training import train as train_recommendations  # noqa: PLC0415  with numpy

    made = await train_recommendations(resources.database, resources.clock, tell)
    return ([made], None) if made is not None else ([], "no two products were ordered together often enough")


_TRAINERS: dict[ModelName, Callable[[Resources, Tell], Awaitable[tuple[list[Trained], str | None]]]] = {
    "recommendations": _recommendations
}
