"""Model files in the object store, and the row that makes one current (docs/adr/0030).

    models/<model>/<version>/model.<format>    the file
    models/<model>/<version>/manifest.json     what it is, for whoever finds the folder

The file is stored first, then the manifest, then the row: what is half there is never served. A process trusts the row,
and of the store nothing that does not have the row's hash.
"""

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic_core import to_json
from sqlalchemy import delete, insert, select, update

from core.clock import Clock
from core.database import Database, WriteSession, announce
from core.inference.errors import (
    ModelFileMissing,
    ModelHashMismatch,
    ModelTooLarge,
    ModelTruncated,
    ModelVersionNotFound,
    UnknownModelFormat,
)
from core.inference.formats import Format, format_of
from core.inference.models import ModelVersionRow
from core.objects import Objects
from core.repository import Repository

Role = Literal["current", "shadow", "kept"]
MODELS = "models"  # the hub's topic: another version is current
MAX_BYTES = 64 * 1024 * 1024  # twice what 100,000 products with 32 neighbours each take
KEPT_VERSIONS = 5
_HALF_KEPT = timedelta(days=1)  # files without a row: longer than any publishing takes
Transaction = Callable[[], AbstractAsyncContextManager[WriteSession]]


@dataclass(frozen=True, slots=True)
class Trained:
    """What a trainer made. `features_as_of`: the newest that it learned from."""

    model: str
    data: bytes = field(repr=False)
    trained_at: datetime
    features_as_of: datetime | None
    metrics: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is known of a version. `size` is in bytes, `sha256` hex digits."""

    model: str
    version: str
    role: Role
    format: Format
    sha256: str
    size: int
    trained_at: datetime
    features_as_of: datetime | None
    metrics: dict[str, Any]
    parameters: dict[str, Any]

    @property
    def content_hash(self) -> str:
        return f"sha256:{self.sha256}"

    @property
    def key(self) -> str:
        return f"{_folder(self.model, self.version)}/model.{self.format}"


def manifest_of(trained: Trained, role: Role = "current") -> Manifest:
    """Raises UnknownModelFormat, ModelTruncated, ModelTooLarge."""
    if len(trained.data) > MAX_BYTES:
        raise ModelTooLarge(f"{trained.model} has {len(trained.data)} bytes, and {MAX_BYTES} are the most")
    sha256 = hashlib.sha256(trained.data).hexdigest()
    return Manifest(
        trained.model,
        f"{trained.trained_at:%Y%m%dT%H%M%S.%fZ}-{sha256[:8]}",
        role,
        format_of(trained.data),
        sha256,
        len(trained.data),
        trained.trained_at,
        trained.features_as_of,
        trained.metrics,
        trained.parameters,
    )


_COLUMNS = [getattr(ModelVersionRow, each.name) for each in fields(Manifest)]


class VersionRepository(Repository):
    async def in_use(self) -> list[Manifest]:
        """The current version of each model, and its shadow where it has one."""
        rows = await self._session.execute(select(*_COLUMNS).where(ModelVersionRow.role != "kept"))
        return [Manifest(*row) for row in rows]

    async def current(self, model: str) -> str | None:
        row = ModelVersionRow
        version: str | None = await self._session.scalar(
            select(row.version).where(row.model == model, row.role == "current")
        )
        return version

    async def listed(self, model: str | None = None) -> list[Manifest]:
        """By model, the newest first."""
        statement = select(*_COLUMNS).order_by(ModelVersionRow.model, ModelVersionRow.number.desc())
        if model is not None:
            statement = statement.where(ModelVersionRow.model == model)
        return [Manifest(*row) for row in await self._session.execute(statement)]


class Artifacts:
    """Per process."""

    def __init__(self, database: Database, objects: Objects, clock: Clock) -> None:
        self._database = database
        self._objects = objects
        self._clock = clock

    async def publish(
        self, trained: Trained, *, role: Role = "current", transaction: Transaction | None = None
    ) -> Manifest:
        """`transaction` is the one that says so: a job's, which commits only while the job is its worker's. Raises as
        `manifest_of`, and ObjectsUnavailable.
        """
        manifest = await asyncio.to_thread(manifest_of, trained, role)
        await self._objects.put(manifest.key, trained.data)
        await self._objects.put(_manifest_key(manifest), to_json(asdict(manifest), indent=2))
        async with (transaction or self._database.write)() as session:
            await _vacate(session, manifest.model, role)
            await session.execute(insert(ModelVersionRow).values(**asdict(manifest)))
            announce(session, MODELS)
        await self.forget_old(manifest.model)
        return manifest

    async def use(self, model: str, version: str, role: Role) -> None:
        """Makes a version that is kept the current one, or the shadow. Raises ModelVersionNotFound."""
        async with self._database.write() as session:
            await assign(session, model, version, role)

    async def read(self, manifest: Manifest) -> bytes:
        """The file, when it is what the manifest says. Raises ModelRefused, ObjectsUnavailable."""
        if manifest.size > MAX_BYTES:
            raise ModelTooLarge(f"{manifest.model} {manifest.version} has {manifest.size} bytes")
        found = await self._objects.head(manifest.key)
        if found is None:
            raise ModelFileMissing(f"{manifest.key} is not in the store")
        if found.size < manifest.size:
            raise ModelTruncated(f"{manifest.key} has {found.size} bytes of {manifest.size}")
        data = await self._objects.get(manifest.key, end=manifest.size)
        await asyncio.to_thread(_check, manifest, data)
        return data

    async def forget_old(self, model: str, keep: int = KEPT_VERSIONS) -> None:
        """All but the newest versions and those in use; and files that no row came after. Rows go first."""
        async with self._database.write() as session:
            known = await VersionRepository(session).listed(model)
            old = [each.version for each in known[keep:] if each.role == "kept"]
            await session.execute(
                delete(ModelVersionRow).where(ModelVersionRow.model == model, ModelVersionRow.version.in_(old))
            )
        kept = {each.version for each in known} - set(old)
        before = self._clock.now() - _HALF_KEPT
        async for found in self._objects.list(f"models/{model}"):
            version = found.key.split("/")[2]
            if version in old or (version not in kept and found.modified < before):
                await self._objects.delete(found.key)


async def assign(session: WriteSession, model: str, version: str | None, role: Role) -> str | None:
    """Gives the version the role, which none has then but it; None: none at all. Returns which had it before. Raises
    ModelVersionNotFound.
    """
    before = await _vacate(session, model, role)
    if version is not None:
        named = ModelVersionRow.model == model, ModelVersionRow.version == version
        changed = await session.execute(
            update(ModelVersionRow).where(*named).values(role=role).returning(ModelVersionRow.number)
        )
        if changed.one_or_none() is None:
            raise ModelVersionNotFound(f"no version {version[:100]!r} of {model[:100]!r}")
    announce(session, MODELS)
    return before


async def _vacate(session: WriteSession, model: str, role: Role) -> str | None:
    """Returns which version had it."""
    held = ModelVersionRow.model == model, ModelVersionRow.role == role
    freed = update(ModelVersionRow).where(*held).values(role="kept").returning(ModelVersionRow.version)
    version: str | None = (await session.execute(freed)).scalar_one_or_none()
    return version


def _check(manifest: Manifest, data: bytes) -> None:
    if hashlib.sha256(data).hexdigest() != manifest.sha256:
        raise ModelHashMismatch(f"{manifest.key} is not the file that was published")
    if format_of(data) != manifest.format:
        raise UnknownModelFormat(f"{manifest.key} is not {manifest.format}")


def _folder(model: str, version: str) -> str:
    return f"models/{model}/{version}"


def _manifest_key(manifest: Manifest) -> str:
    return f"{_folder(manifest.model, manifest.version)}/manifest.json"
