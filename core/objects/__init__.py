"""Files of any kind under keys: one protocol, and an adapter chosen by URL (`core.objects.opening`).

What a file is called or which media type it has is not kept here but in SQL: a local folder has no room for it.
"""

import re
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from core.errors import Unavailable

MAX_KEY = 512
_RANGE = 1024 * 1024  # read and held at once
# Segments that begin with a letter or digit: none climbs, hides, or is one of the store's own unfinished files.
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


class ObjectsUnavailable(Unavailable):
    """The store of files cannot be reached, or refuses us. Nothing was changed."""

    code = "objects_unavailable"
    title = "File store unavailable"


class ObjectNotFound(Exception):
    """No object has this key. Which answer that makes is the caller's to say."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    key: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class ObjectBody:
    """An object that is read as it is iterated, once."""

    size: int
    chunks: AsyncIterator[bytes]


class Objects(Protocol):
    """Per process. Every method raises ValueError for a bad key, and ObjectsUnavailable."""

    async def put(self, key: str, data: bytes | AsyncIterable[bytes]) -> None:
        """Stores it whole or not at all, over what was there; when it returns, it is stored for good."""
        ...

    async def get(self, key: str, *, start: int = 0, end: int | None = None) -> bytes:
        """The bytes from `start` up to and without `end`. Raises ObjectNotFound, ValueError for an empty range."""
        ...

    async def head(self, key: str) -> ObjectInfo | None: ...

    async def stream(self, key: str) -> ObjectBody:
        """Raises ObjectNotFound at once, not when the first chunk is asked for."""
        ...

    async def delete(self, key: str) -> None:
        """Also where nothing is there."""
        ...

    def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        """Everything below `prefix`, which is whole segments, in no order."""
        ...

    async def forget_unfinished(self, before: datetime) -> None:
        """What is left of a `put` whose process was killed before then. S3 does it by a rule of the bucket's own."""
        ...


async def ranged(objects: Objects, key: str, start: int, end: int) -> AsyncIterator[bytes]:
    """The bytes from `start` up to and without `end`, both within the object; raises as `Objects.get` does.

    Each piece is a request of its own: unlike with `stream`, the store waits for no reader, however slow, and a client
    that leaves in between leaves nothing open.
    """
    for place in range(start, end, _RANGE):
        yield await objects.get(key, start=place, end=min(place + _RANGE, end))


def checked(key: str) -> str:
    """Raises ValueError for a key that could be taken for something else than a name below the store."""
    if len(key) > MAX_KEY or not _KEY.fullmatch(key):
        raise ValueError(f"{key[:100]!r} is not a key of an object")
    return key
