"""The one adapter: obstore over a local folder, S3, or memory (for tests)."""

import asyncio
import os
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, MemoryStore, S3Store

from core.objects import ObjectBody, ObjectInfo, ObjectNotFound, Objects, ObjectsUnavailable, checked

if TYPE_CHECKING:
    from obstore import GetResult, ObjectMeta
    from obstore.store import ObjectStore

_PART = 5 * 1024 * 1024  # S3's smallest
# A request waits for these: obstore's own patience is three minutes.
_RETRY_FOR = timedelta(seconds=10)
_TIMEOUT = timedelta(seconds=30)


def stored_at(url: str, folder: Path | None) -> Objects:
    """`folder` where the scheme is `file`. S3 is not asked yet."""
    if folder is not None:
        return StoredObjects(LocalStore(folder, automatic_cleanup=True), folder)  # a folder goes with its last file
    if urlsplit(url).scheme == "memory":
        return StoredObjects(MemoryStore())
    plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
    store = S3Store.from_url(
        url,
        retry_config={"max_retries": 3, "retry_timeout": _RETRY_FOR},
        client_options={"timeout": _TIMEOUT, "connect_timeout": "5 seconds", "allow_http": plain},
    )
    return StoredObjects(store)


class StoredObjects:
    """`folder` is that of a local store."""

    def __init__(self, store: "ObjectStore", folder: Path | None = None) -> None:
        self._store = store
        self._folder = folder

    async def put(self, key: str, data: bytes | AsyncIterable[bytes]) -> None:
        checked(key)
        with _our_errors():
            await obstore.put_async(self._store, key, data, chunk_size=_PART, max_concurrency=2)
        if self._folder is not None:
            await asyncio.to_thread(_settle, self._folder, key)

    async def get(self, key: str, *, start: int = 0, end: int | None = None) -> bytes:
        checked(key)
        if start < 0 or (end is not None and end <= start):
            raise ValueError(f"{start} to {end} is no range")
        with _our_errors(key):
            if end is not None:
                return bytes(await obstore.get_range_async(self._store, key, start=start, end=end))
            result = await obstore.get_async(self._store, key, options={"range": {"offset": start}} if start else {})
            return bytes(await result.bytes_async())

    async def head(self, key: str) -> ObjectInfo | None:
        checked(key)
        with suppress(ObjectNotFound), _our_errors(key):
            return _info(await obstore.head_async(self._store, key))
        return None

    async def stream(self, key: str) -> ObjectBody:
        checked(key)
        with _our_errors(key):
            result = await obstore.get_async(self._store, key)
        return ObjectBody(result.meta["size"], _chunks(key, result))

    async def delete(self, key: str) -> None:
        checked(key)
        with suppress(ObjectNotFound), _our_errors(key):
            await obstore.delete_async(self._store, key)

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        if prefix:
            checked(prefix)
        with _our_errors():
            async for some in obstore.list(self._store, prefix or None, chunk_size=1000):
                for meta in some:
                    yield _info(meta)

    async def forget_unfinished(self, before: datetime) -> None:
        if self._folder is not None:
            await asyncio.to_thread(_sweep, self._folder, before.timestamp())


async def _chunks(key: str, result: "GetResult") -> AsyncIterator[bytes]:
    with _our_errors(key):
        async for chunk in result.stream(min_chunk_size=64 * 1024):
            yield bytes(chunk)


def _info(meta: "ObjectMeta") -> ObjectInfo:
    return ObjectInfo(meta["path"], meta["size"], meta["last_modified"])


def _sweep(folder: Path, before: float) -> None:
    for path in folder.rglob("*#*"):  # as the store names what is not whole yet, and as no key can be
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < before:
                path.unlink()


def _settle(folder: Path, key: str) -> None:
    """The store renames a finished file into place; this makes both the file and its name outlive a power cut."""
    for path in (folder / key, (folder / key).parent):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _our_errors(reading: str | None = None) -> Iterator[None]:
    """`reading` is the key that may be absent; elsewhere it is the bucket that is not there."""
    try:
        yield
    except (BaseError, OSError) as error:
        if reading is not None and isinstance(error, NotFoundError | FileNotFoundError):
            raise ObjectNotFound(reading) from error
        raise ObjectsUnavailable(retry_after_seconds=2) from error
