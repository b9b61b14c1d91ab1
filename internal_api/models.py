"""Models: which versions there are, how they answer, and what became of their answers; admins say which one does."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from commerce.feedback.entities import Reaction
from commerce.feedback.repository import FeedbackRepository
from commerce.training.service import Assigned, ModelService
from core.errors import NotFound
from core.inference.artifacts import Manifest, VersionRepository
from core.telemetry import collected
from core.web.dependencies import ReadSessionDep, ResourcesDep, WriteSessionDep
from internal_api.auth import Admin
from internal_api.dashboard.readings import Reading, quantile
from internal_api.parameters import Text

router = APIRouter()
_REACTIONS = timedelta(days=30)
_NO_FALLBACK = "none"
Reason = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]


class ModelVersion(BaseModel):
    version: str = Field(examples=["20261122T031100Z-3fb0a912"])
    role: str = Field(description="`current` answers, `shadow` answers beside it and is compared, `kept` does nothing.")
    format: str = Field(description="`onnx` or `safetensors`.")
    content_hash: str
    size: int = Field(description="In bytes.")
    trained_at: datetime
    features_as_of: datetime | None = Field(description="The newest that it learned from.")
    metrics: dict[str, Any] = Field(description="What its training measured.")


class Shadow(BaseModel):
    """How the answers of the shadow compare with those that were served."""

    agreed: int
    differed: int
    failed: int


class Model(BaseModel):
    name: str = Field(examples=["recommendations"])
    loaded: str | None = Field(description="The version that this process has; null: none.")
    versions: list[ModelVersion] = Field(description="The newest first.")
    answers: int = Field(description="Of all processes since their start, as all that follows but feedback.")
    fallback_rate: float | None = Field(description="The share of the answers that something simpler gave.")
    fallbacks: dict[str, int] = Field(description="By why it did.", examples=[{"cold_product": 12}])
    p50_ms: float | None = Field(description="Half of the answers took no longer.")
    p95_ms: float | None
    refused: dict[str, int] = Field(description="Versions that processes refused, by the code of why.")
    shadow: Shadow
    feedback: dict[str, dict[str, int]] = Field(
        description="Answers of the last 30 days by version, and by what became of them.",
        examples=[{"20261122T031100Z-3fb0a912": {"clicked": 31}}],
    )


class ModelList(BaseModel):
    items: list[Model]


class ModelUse(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Annotated[str, Field(min_length=1, max_length=200)]
    reason: Reason


async def get_models(principal: Admin, session: WriteSessionDep, resources: ResourcesDep) -> ModelService:
    return ModelService(session, resources.clock, actor=principal.name)


ModelsDep = Annotated[ModelService, Depends(get_models, scope="function")]


@router.get("/models", summary="List models")
async def list_models(session: ReadSessionDep, resources: ResourcesDep) -> ModelList:
    """By name; also those of which there is no version, and who answer by a rule."""
    versions = await VersionRepository(session).listed()
    reactions = await FeedbackRepository(session).reactions(resources.clock.now() - _REACTIONS)
    # With several processes this reads a file of each: not on the event loop.
    reading = Reading(0.0, await run_in_threadpool(collected))
    loaded = resources.models.loaded()
    asked = {name for (name,) in reading.sums("portico_model_answers_total", "model")}
    names = loaded.keys() | asked | {each.model for each in versions} | {each.model for each in reactions}
    return ModelList(items=[_model(name, loaded.get(name), versions, reactions, reading) for name in sorted(names)])


@router.put("/models/{model}/{role}", status_code=204, response_class=Response, summary="Choose the version of a model")
async def use_version(model: Text, role: Assigned, body: ModelUse, models: ModelsDep) -> None:
    """Each process loads and tries it, and goes on with the one that it has where it cannot be used: look at
    `refused` and `loaded` then. Back to an earlier version is the same. The next training makes its own one current.
    """
    await models.use(model, body.version, role, reason=body.reason)


@router.delete("/models/{model}/shadow", status_code=204, response_class=Response, summary="End a shadow")
async def end_shadow(model: Text, reason: Annotated[Reason, Query()], models: ModelsDep) -> None:
    if not await models.end_shadow(model, reason=reason):
        raise NotFound(f"{model[:100]!r} has no shadow")


def _model(
    name: str, loaded: str | None, versions: Sequence[Manifest], reactions: Sequence[Reaction], reading: Reading
) -> Model:
    def counts(metric: str, by: str) -> dict[str, int]:
        found = reading.sums(metric, by, where=lambda labels: labels["model"] == name)
        return {value: int(count) for (value,), count in sorted(found.items())}

    answers = counts("portico_model_answers_total", "fallback")
    fallbacks = {why: count for why, count in answers.items() if why != _NO_FALLBACK}
    asked = sum(answers.values())
    taken = {
        float(bound): count
        for (bound,), count in reading.sums(
            "portico_model_seconds_bucket", "le", where=lambda labels: labels["model"] == name
        ).items()
    }
    shadowed = counts("portico_model_shadow_total", "outcome")
    return Model(
        name=name,
        loaded=loaded,
        versions=[_version(each) for each in versions if each.model == name],
        answers=asked,
        fallback_rate=sum(fallbacks.values()) / asked if asked else None,
        fallbacks=fallbacks,
        p50_ms=_ms(0.5, taken),
        p95_ms=_ms(0.95, taken),
        refused=counts("portico_model_refused_total", "code"),
        shadow=Shadow(**{outcome: shadowed.get(outcome, 0) for outcome in Shadow.model_fields}),
        feedback=_feedback(each for each in reactions if each.model == name),
    )


def _version(each: Manifest) -> ModelVersion:
    return ModelVersion(
        version=each.version,
        role=each.role,
        format=each.format,
        content_hash=each.content_hash,
        size=each.size,
        trained_at=each.trained_at,
        features_as_of=each.features_as_of,
        metrics=each.metrics,
    )


def _feedback(reactions: Iterable[Reaction]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for each in reactions:
        found.setdefault(each.version, {})[each.kind] = each.answers
    return found


def _ms(share: float, taken: Mapping[float, float]) -> float | None:
    seconds = quantile(share, taken)
    return round(seconds * 1000, 2) if seconds is not None else None
