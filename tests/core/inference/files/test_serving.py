"""Models as they are served: swapped when a new one is good, kept when it is not, and silent when they are too old."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from prometheus_client import REGISTRY
from safetensors.numpy import load

from core.database import Database
from core.hub.memory import MemoryHub
from core.inference.artifacts import Manifest
from core.inference.errors import ModelFailedProbe
from core.inference.provenance import Provenance
from core.inference.serving import Loaded, Models, ModelType, Serving
from core.objects.store import StoredObjects
from tests.core.inference.files.conftest import trained
from tests.factories.clocks import NOON, FakeClock
from tests.factories.model_files import tensors
from tests.fixtures.application import LogEntries


class Times:
    """Multiplies by its one weight."""

    loads = 0

    def __init__(self, manifest: Manifest, data: bytes) -> None:
        del manifest
        Times.loads += 1
        self.weight = float(load(data)["weight"][0])

    def probe(self, manifest: Manifest) -> None:
        if not np.isfinite(self.weight) or manifest.metrics.get("error", 0) > 1:
            raise ModelFailedProbe("it cannot multiply")


TIMES: ModelType[Times] = ModelType("times", Times, Times.probe, timedelta(days=7))


@pytest.fixture
async def models(database: Database, objects: StoredObjects, clock: FakeClock) -> Models:
    """Looks when it is told, or asked to."""
    database.on_announced = (hub := MemoryHub()).publish
    Times.loads = 0
    return Models(database, objects, hub, clock, look_seconds=3600)


@pytest.fixture
def serving(models: Models) -> Serving[Times]:
    return models.serving(TIMES)


@pytest.fixture
def counted() -> Callable[..., float]:
    """How much a metric of the model has grown."""
    before: dict[Any, float] = {}

    def value(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(f"portico_model_{name}_total", {"model": "times", **labels}) or 0.0

    for name, labels in (
        ("refused", {"code": "model_hash_mismatch"}),
        ("refused", {"code": "model_failed_probe"}),
        ("refused", {"code": "model_too_old"}),
        ("shadow", {"outcome": "agreed"}),
        ("shadow", {"outcome": "differed"}),
        ("shadow", {"outcome": "failed"}),
        ("swaps", {}),
        ("answers", {"fallback": "none"}),
        ("answers", {"fallback": "no_model"}),
    ):
        before[name, *labels.values()] = value(name, **labels)
    return lambda name, **labels: value(name, **labels) - before[name, *labels.values()]


def weight(serving: Serving[Times]) -> float:
    loaded = serving.current()
    assert loaded is not None
    return loaded.model.weight


async def swapped(serving: Serving[Times], version: str) -> None:
    async with asyncio.timeout(60):
        while serving.version != version:  # noqa: ASYNC110  nobody tells of it but itself
            await asyncio.sleep(0.005)


def told(log_entries: LogEntries) -> list[str]:
    return [entry["code"] for entry in log_entries if entry["event"] == "model_refused"]


async def test_nothing_is_there_before_anything_is_published(models: Models, serving: Serving[Times]) -> None:
    await models.look()

    assert (serving.current(), serving.absence, serving.version) == (None, "no_model", None)
    assert models.serving(TIMES) is serving


async def test_new_version_is_loaded_when_the_hub_tells_of_it(models: Models, serving: Serving[Times]) -> None:
    async with models:
        first = await models.artifacts.publish(trained(1))
        await swapped(serving, first.version)
        begun = serving.current()
        second = await models.artifacts.publish(trained(2, at=NOON + timedelta(minutes=1)))
        await swapped(serving, second.version)

    assert begun is not None
    assert (begun.model.weight, begun.provenance().version) == (1, first.version)  # a request that had begun
    assert weight(serving) == 2


async def test_what_is_loaded_is_not_loaded_again(
    models: Models, serving: Serving[Times], counted: Callable[..., float]
) -> None:
    await models.artifacts.publish(trained(1))

    for _ in range(3):
        await models.look()

    assert (Times.loads, counted("swaps"), weight(serving)) == (1, 1, 1)


async def test_corrupt_file_is_refused_once_and_the_old_version_stays(
    models: Models,
    serving: Serving[Times],
    objects: StoredObjects,
    log_entries: LogEntries,
    counted: Callable[..., float],
) -> None:
    await models.artifacts.publish(trained(1))
    await models.look()
    second = await models.artifacts.publish(trained(2, at=NOON + timedelta(minutes=1)))
    await objects.put(second.key, (await objects.get(second.key))[:-1] + b"\xff")

    for _ in range(3):
        await models.look()

    assert weight(serving) == 1
    assert told(log_entries) == ["model_hash_mismatch"]
    assert counted("refused", code="model_hash_mismatch") == 1

    third = await models.artifacts.publish(trained(3, at=NOON + timedelta(minutes=2)))
    await models.look()
    assert (serving.version, weight(serving)) == (third.version, 3)


@pytest.mark.parametrize(
    "bad",
    [
        {"number": float("nan")},
        {"number": 2, "metrics": {"error": 1.5}},
        {"number": 2, "data": tensors(another=[2])},  # its loader cannot read it
    ],
)
async def test_version_that_fails_its_probe_is_refused_and_the_old_one_stays(
    models: Models, serving: Serving[Times], log_entries: LogEntries, bad: dict[str, Any]
) -> None:
    await models.artifacts.publish(trained(1))
    await models.look()

    await models.artifacts.publish(trained(at=NOON + timedelta(minutes=1), **bad))
    await models.look()
    await models.look()

    assert weight(serving) == 1
    assert told(log_entries) == ["model_failed_probe"]


async def test_version_that_has_grown_too_old_does_not_answer(
    models: Models,
    serving: Serving[Times],
    clock: FakeClock,
    log_entries: LogEntries,
    counted: Callable[..., float],
) -> None:
    await models.artifacts.publish(trained(1))
    await models.look()
    clock.advance(days=7)
    assert weight(serving) == 1

    clock.advance(seconds=1)

    assert [serving.current(), serving.current(), serving.absence] == [None, None, "model_too_old"]
    assert told(log_entries) == ["model_too_old"]
    assert counted("refused", code="model_too_old") == 1
    await models.artifacts.publish(trained(2, at=clock.now()))
    await models.look()
    assert weight(serving) == 2


async def test_version_that_is_too_old_already_is_not_loaded(
    models: Models, serving: Serving[Times], log_entries: LogEntries
) -> None:
    await models.artifacts.publish(trained(1, at=NOON - timedelta(days=8)))

    await models.look()

    assert (serving.current(), Times.loads) == (None, 0)
    assert told(log_entries) == ["model_too_old"]


async def test_store_that_is_away_refuses_nothing(
    models: Models, serving: Serving[Times], monkeypatch: pytest.MonkeyPatch
) -> None:
    await models.artifacts.publish(trained(1))

    async def away(_manifest: Manifest) -> bytes:
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(models.artifacts, "read", away)
        with pytest.raises(ConnectionError):
            await models.look()
    assert serving.current() is None

    await models.look()
    assert weight(serving) == 1


async def test_answers_are_counted_by_who_gave_them(serving: Serving[Times], counted: Callable[..., float]) -> None:
    by = Provenance("times", "1", "sha256:00")
    serving.answered(by, 0.001)
    serving.answered(Provenance("rule", "1", "sha256:01", fallback_reason="no_model"), 0.001)

    assert (counted("answers", fallback="none"), counted("answers", fallback="no_model")) == (1, 1)


async def test_shadow_answers_beside_and_is_compared(
    models: Models, serving: Serving[Times], counted: Callable[..., float]
) -> None:
    await models.artifacts.publish(trained(2))
    await models.artifacts.publish(trained(3, at=NOON + timedelta(minutes=1)), role="shadow")
    await models.look()
    assert (weight(serving), serving.shadow is not None) == (2, True)

    answers: list[Callable[[Times], float]] = [lambda model: model.weight, lambda _: 2.0, lambda _: 1 / 0]
    for answer in answers:
        serving.compare(answer, 2.0, lambda one, other: one == other)
        await serving.settle()

    assert [counted("shadow", outcome=each) for each in ("agreed", "differed", "failed")] == [1, 1, 1]


async def test_shadow_is_asked_one_thing_at_a_time_and_nothing_where_there_is_none(
    models: Models, serving: Serving[Times], counted: Callable[..., float]
) -> None:
    await models.artifacts.publish(trained(2))
    await models.look()
    serving.compare(lambda model: model.weight, 2.0, lambda one, other: one == other)
    await serving.settle()
    assert counted("shadow", outcome="agreed") == 0

    await models.artifacts.publish(trained(2, at=NOON + timedelta(minutes=1)), role="shadow")
    await models.look()
    for _ in range(5):
        serving.compare(lambda model: model.weight, 2.0, lambda one, other: one == other)
    await serving.settle()
    assert counted("shadow", outcome="agreed") == 1


def test_provenance_is_that_of_the_file() -> None:
    manifest = Manifest("times", "v", "current", "onnx", "ab" * 32, 1, NOON, NOON, {}, {})

    by = Loaded(manifest, None).provenance("cold")

    assert by == Provenance("times", "v", "sha256:" + "ab" * 32, NOON, NOON, "cold")
    assert by.fallback
