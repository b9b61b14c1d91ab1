"""Versions: stored before they are current, read only as they were published, and forgotten in the end."""

import hashlib
import json
import pickle
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from core.database import Database, WriteSession
from core.inference.artifacts import KEPT_VERSIONS, MAX_BYTES, Artifacts, Manifest, VersionRepository
from core.inference.errors import (
    ModelFileMissing,
    ModelHashMismatch,
    ModelTooLarge,
    ModelTruncated,
    ModelVersionNotFound,
    UnknownModelFormat,
)
from core.objects.store import StoredObjects
from tests.core.inference.files.conftest import trained
from tests.factories.clocks import NOON, FakeClock
from tests.factories.model_files import an_onnx, tensors


async def in_use(database: Database) -> dict[tuple[str, str], str]:
    async with database.read() as session:
        found = await VersionRepository(session).in_use()
    return {(each.model, each.role): each.version for each in found}


async def listed(database: Database, model: str = "times") -> list[Manifest]:
    async with database.read() as session:
        return await VersionRepository(session).listed(model)


async def keys(objects: StoredObjects) -> list[str]:
    return sorted([each.key async for each in objects.list("models")])


async def test_published_version_is_current_and_is_read_as_it_was(
    artifacts: Artifacts, database: Database, objects: StoredObjects
) -> None:
    given = trained(3, metrics={"error": 0.5}, parameters={"window_days": 9})

    manifest = await artifacts.publish(given)

    assert manifest.version == f"20260301T120000.000000Z-{hashlib.sha256(given.data).hexdigest()[:8]}"
    assert manifest.content_hash == f"sha256:{hashlib.sha256(given.data).hexdigest()}"
    assert await listed(database) == [manifest]
    assert await artifacts.read(manifest) == given.data
    folder = f"models/times/{manifest.version}"
    assert await keys(objects) == [f"{folder}/manifest.json", f"{folder}/model.safetensors"]
    beside: dict[str, Any] = json.loads(await objects.get(f"{folder}/manifest.json"))
    assert beside["sha256"] == manifest.sha256
    assert (beside["metrics"], beside["parameters"]) == ({"error": 0.5}, {"window_days": 9})


async def test_newest_is_current_and_each_model_has_its_own(artifacts: Artifacts, database: Database) -> None:
    await artifacts.publish(trained(1))
    second = await artifacts.publish(trained(2, at=NOON + timedelta(days=1)))
    shadow = await artifacts.publish(trained(3, at=NOON + timedelta(days=2)), role="shadow")
    other = await artifacts.publish(trained(1, model="other", data=an_onnx().SerializeToString()))

    assert await in_use(database) == {
        ("times", "current"): second.version,
        ("times", "shadow"): shadow.version,
        ("other", "current"): other.version,
    }
    assert other.format == "onnx"


async def test_older_version_can_be_made_current_again(artifacts: Artifacts, database: Database) -> None:
    first = await artifacts.publish(trained(1))
    second = await artifacts.publish(trained(2, at=NOON + timedelta(days=1)))

    await artifacts.use("times", first.version, "current")

    assert await in_use(database) == {("times", "current"): first.version}
    with pytest.raises(ModelVersionNotFound):
        await artifacts.use("times", "another", "current")
    assert await in_use(database) == {("times", "current"): first.version}
    await artifacts.use("times", second.version, "shadow")
    assert await in_use(database) == {("times", "current"): first.version, ("times", "shadow"): second.version}


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (pickle.dumps({"weight": 1.0}), UnknownModelFormat),
        (b"GGUF" + b"\x00" * 64, UnknownModelFormat),
        (tensors(weight=[1, 2])[:-1], ModelTruncated),
        (b"\x00" * (MAX_BYTES + 1), ModelTooLarge),
    ],
)
async def test_what_may_not_be_served_is_not_even_stored(
    artifacts: Artifacts, database: Database, objects: StoredObjects, data: bytes, refusal: type[Exception]
) -> None:
    before = await artifacts.publish(trained(1))
    stored = await keys(objects)

    with pytest.raises(refusal):
        await artifacts.publish(trained(2, data=data))

    assert await keys(objects) == stored
    assert await in_use(database) == {("times", "current"): before.version}


async def test_version_whose_publishing_ended_before_its_row_is_never_current(
    artifacts: Artifacts, database: Database, objects: StoredObjects
) -> None:
    first = await artifacts.publish(trained(1))

    @asynccontextmanager
    async def lost() -> AsyncIterator[WriteSession]:
        async with database.write() as session:
            yield session
            raise LookupError

    with pytest.raises(LookupError):
        await artifacts.publish(trained(2, at=NOON + timedelta(days=1)), transaction=lost)

    assert await in_use(database) == {("times", "current"): first.version}
    assert len(await keys(objects)) == 4


async def test_file_that_is_not_what_was_published_is_refused(artifacts: Artifacts, objects: StoredObjects) -> None:
    manifest = await artifacts.publish(trained(1))
    whole = await objects.get(manifest.key)

    for data, refusal in (
        (whole[:-1], ModelTruncated),
        (b"", ModelTruncated),
        (whole[:-1] + b"\x01", ModelHashMismatch),
        (pickle.dumps(list(range(100))), ModelHashMismatch),
    ):
        await objects.put(manifest.key, data)
        with pytest.raises(refusal):
            await artifacts.read(manifest)

    await objects.delete(manifest.key)
    with pytest.raises(ModelFileMissing):
        await artifacts.read(manifest)


async def test_pickle_is_refused_also_where_the_row_has_its_hash(artifacts: Artifacts, objects: StoredObjects) -> None:
    manifest = await artifacts.publish(trained(1))
    data = pickle.dumps(list(range(100)))
    await objects.put(manifest.key, data)
    forged = replace(manifest, sha256=hashlib.sha256(data).hexdigest(), size=len(data))

    with pytest.raises(UnknownModelFormat):
        await artifacts.read(forged)
    with pytest.raises(ModelTooLarge):
        await artifacts.read(replace(forged, size=MAX_BYTES + 1))


async def test_format_that_the_row_does_not_name_is_refused(artifacts: Artifacts, objects: StoredObjects) -> None:
    manifest = await artifacts.publish(trained(1))
    data = an_onnx().SerializeToString()
    await objects.put(manifest.key, data)

    with pytest.raises(UnknownModelFormat, match="not safetensors"):
        await artifacts.read(replace(manifest, sha256=hashlib.sha256(data).hexdigest(), size=len(data)))


async def test_last_versions_are_kept_and_those_in_use(
    artifacts: Artifacts, database: Database, objects: StoredObjects
) -> None:
    first = await artifacts.publish(trained(0), role="shadow")
    later = [await artifacts.publish(trained(day, at=NOON + timedelta(days=day))) for day in range(1, 8)]

    kept = [*reversed(later[-KEPT_VERSIONS:]), first]
    assert [each.version for each in await listed(database)] == [each.version for each in kept]
    assert {key.split("/")[2] for key in await keys(objects)} == {each.version for each in kept}
    for each in kept:
        assert await artifacts.read(each)


async def test_files_without_a_row_are_removed_after_a_day(
    artifacts: Artifacts, objects: StoredObjects, clock: FakeClock
) -> None:
    await objects.put("models/times/half/model.safetensors", b"x")
    written = (await objects.head("models/times/half/model.safetensors")).modified  # type: ignore[union-attr]
    clock.advance(seconds=(written - clock.now()).total_seconds())

    await artifacts.forget_old("times")
    assert await keys(objects) == ["models/times/half/model.safetensors"]

    clock.advance(days=1, seconds=1)
    await artifacts.forget_old("times")
    assert await keys(objects) == []
