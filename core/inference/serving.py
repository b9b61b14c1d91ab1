"""Models as a process serves them: loaded beside the event loop, tried, and put in place by one assignment."""

import asyncio
from asyncio import to_thread
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, Generic, TypeVar, cast

import structlog

from core.background import attempt
from core.clock import Clock
from core.database import Database
from core.hub import Hub
from core.inference import metrics
from core.inference.artifacts import MODELS, Artifacts, Manifest, Role, VersionRepository
from core.inference.errors import ModelFailedProbe, ModelRefused, ModelTooOld
from core.inference.provenance import Provenance
from core.looking import Looking
from core.objects import Objects

T = TypeVar("T")
R = TypeVar("R")
log = structlog.get_logger("portico.models")
_LOOK_SECONDS = 5.0  # of processes that nobody wakes: a job's own has no hub of ours
# Why a model did not answer, in `Provenance.fallback_reason`.
NO_MODEL = "no_model"
TOO_OLD = ModelTooOld.code


@dataclass(frozen=True, slots=True)
class ModelType(Generic[T]):
    """What a feature says of its model. `load` and `probe` run in a thread and may import what is heavy.

    `probe` raises ModelFailedProbe for a model whose answers cannot be used. One older than `max_age` does not answer.
    """

    name: str
    load: Callable[[Manifest, bytes], T]
    probe: Callable[[T, Manifest], None]
    max_age: timedelta


@dataclass(frozen=True, slots=True)
class Loaded(Generic[T]):
    """A request takes it once and finishes on it, whatever comes meanwhile."""

    manifest: Manifest
    model: T

    def provenance(self, fallback_reason: str | None = None) -> Provenance:
        of = self.manifest
        return Provenance(of.model, of.version, of.content_hash, of.trained_at, of.features_as_of, fallback_reason)


class Serving(Generic[T]):
    """Per process and model."""

    def __init__(self, kind: ModelType[T], artifacts: Artifacts, clock: Clock) -> None:
        self.kind = kind
        self.shadow: Loaded[T] | None = None
        self._loaded: Loaded[T] | None = None
        self._artifacts = artifacts
        self._clock = clock
        self._refused: dict[Role, str] = {}  # the last version, so that it is tried and told of once
        self._told_old: str | None = None
        self._comparing: asyncio.Task[None] | None = None

    @property
    def version(self) -> str | None:
        """The one that is loaded, also where it is too old."""
        return self._loaded.manifest.version if self._loaded is not None else None

    def current(self) -> Loaded[T] | None:
        """None: something simpler answers, for the reason that `absence` gives."""
        loaded = self._loaded
        if loaded is None or not self._is_old(loaded.manifest):
            return loaded
        if self._told_old != loaded.manifest.version:
            self._told_old = loaded.manifest.version
            self._tell(loaded.manifest, ModelTooOld(f"it was trained {loaded.manifest.trained_at:%Y-%m-%d}"))
        return None

    @property
    def absence(self) -> str:
        return NO_MODEL if self._loaded is None else TOO_OLD

    def answered(self, by: Provenance, seconds: float) -> None:
        """Counts an answer, whoever gave it."""
        metrics.count_answer(by, seconds, self.kind.name)

    def compare(self, answer: Callable[[T], R], served: R, agree: Callable[[R, R], bool]) -> None:
        """Has the shadow answer too, in a thread, and counts whether that is as good as what was `served`. One at a
        time: what comes meanwhile is not compared.
        """
        shadow = self.shadow
        if shadow is None or (self._comparing is not None and not self._comparing.done()):
            return

        async def run() -> None:
            metrics.SHADOWED.labels(
                self.kind.name, await to_thread(_outcome, answer, shadow.model, served, agree)
            ).inc()

        self._comparing = asyncio.create_task(attempt("shadow", run))

    async def settle(self) -> None:
        if self._comparing is not None:
            await asyncio.wait([self._comparing])

    async def follow(self, current: Manifest | None, shadow: Manifest | None) -> None:
        """Loads what is new. Raises ObjectsUnavailable; then it is what it was."""
        if current is not None and (loaded := await self._load(current, self._loaded, "current")) is not self._loaded:
            self._loaded = loaded  # requests that began on the old one have it still
            metrics.SWAPS.labels(self.kind.name).inc()
            metrics.TRAINED.labels(self.kind.name).set(current.trained_at.timestamp())
            log.info("model_loaded", model=current.model, version=current.version)
        self.shadow = await self._load(shadow, self.shadow, "shadow") if shadow is not None else None

    async def _load(self, manifest: Manifest, before: Loaded[T] | None, role: Role) -> Loaded[T] | None:
        """What was there before where this is the same, or is refused."""
        if before is not None and before.manifest.version == manifest.version:
            return before
        if self._refused.get(role) == manifest.version:
            return before
        try:
            if self._is_old(manifest):
                raise ModelTooOld(f"it was trained {manifest.trained_at:%Y-%m-%d}")
            data = await self._artifacts.read(manifest)
            return Loaded(manifest, await to_thread(prepared, self.kind, manifest, data))
        except ModelRefused as refusal:
            self._refused[role] = manifest.version
            self._tell(manifest, refusal)
            return before

    def _is_old(self, manifest: Manifest) -> bool:
        return self._clock.now() - manifest.trained_at > self.kind.max_age

    def _tell(self, manifest: Manifest, refusal: ModelRefused) -> None:
        metrics.REFUSED.labels(manifest.model, refusal.code).inc()
        log.warning(
            "model_refused", model=manifest.model, version=manifest.version, code=refusal.code, reason=refusal.detail
        )


def prepared(kind: ModelType[T], manifest: Manifest, data: bytes) -> T:
    """The model, loaded and tried. Raises ModelRefused. Not on the event loop."""
    try:
        model = kind.load(manifest, data)
        kind.probe(model, manifest)
    except (ModelRefused, MemoryError):
        raise
    except Exception as error:  # whatever a library says of such bytes: the file is at fault
        raise ModelFailedProbe(f"{type(error).__name__}: {error}"[:500]) from error
    return model


def _outcome(answer: Callable[[T], R], model: T, served: R, agree: Callable[[R, R], bool]) -> str:
    try:
        return "agreed" if agree(answer(model), served) else "differed"
    except Exception:
        log.exception("shadow_failed")
        return "failed"


class Models(Looking):
    """`async with models:` What is current is loaded, and followed, from then until it is left; before, nothing is.

    Per process. A feature asks for its `serving` at each request.
    """

    def __init__(
        self, database: Database, objects: Objects, hub: Hub, clock: Clock, *, look_seconds: float = _LOOK_SECONDS
    ) -> None:
        super().__init__("models", hub, MODELS, look_seconds)
        self.artifacts = Artifacts(database, objects, clock)
        self._looked_at = database
        self._clock = clock
        self._servings: dict[str, Serving[Any]] = {}
        self._looking = asyncio.Lock()  # who looks meanwhile would load, and refuse, the same once more

    def serving(self, kind: ModelType[T]) -> Serving[T]:
        """The one of this model."""
        found = self._servings.get(kind.name)
        if found is None:
            found = self._servings[kind.name] = Serving(kind, self.artifacts, self._clock)
        return cast("Serving[T]", found)

    def loaded(self) -> dict[str, str | None]:
        """The version of each that this process has; None where it has none."""
        return {name: serving.version for name, serving in self._servings.items()}

    def look_at(self, database: Database) -> None:
        """From now on the connections of `database` are looked with: not those which requests wait for."""
        self._looked_at = database

    async def look(self) -> None:
        """Raises DatabaseUnavailable, ObjectsUnavailable."""
        async with self._looking:
            async with self._looked_at.read() as session:
                found = {(each.model, each.role): each for each in await VersionRepository(session).in_use()}
            for name, serving in list(self._servings.items()):
                await serving.follow(found.get((name, "current")), found.get((name, "shadow")))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        for serving in self._servings.values():
            await serving.settle()
