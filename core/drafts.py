"""Local files that have no name: however their process ends, nothing is left of them.

What is received or made is written here first, whatever its size, and is then kept for good by `core.objects`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from core.objects import ObjectNotFound, Objects, ranged

_PIECE = 1024 * 1024


@asynccontextmanager
async def draft(folder: Path) -> AsyncIterator[BinaryIO]:
    """An empty file on the folder's disk, which is made where it is missing."""
    file = _opened(folder)
    try:
        yield file
    finally:
        await asyncio.to_thread(file.close)  # which frees its blocks


def _opened(folder: Path) -> BinaryIO:
    folder.mkdir(parents=True, exist_ok=True)
    return TemporaryFile(dir=folder)


async def keep(objects: Objects, key: str, file: BinaryIO) -> None:
    """Stores all of the file as an object. Raises as `Objects.put` does."""
    await objects.put(key, _pieces(file))


async def _pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    await asyncio.to_thread(file.seek, 0)
    while piece := await asyncio.to_thread(file.read, _PIECE):
        yield piece


async def fetch(objects: Objects, key: str, file: BinaryIO) -> None:
    """Fills an empty file with an object, and goes to its beginning. Raises ObjectNotFound, ObjectsUnavailable."""
    found = await objects.head(key)
    if found is None:
        raise ObjectNotFound(key)
    async for piece in ranged(objects, key, 0, found.size):
        await asyncio.to_thread(file.write, piece)
    await asyncio.to_thread(file.seek, 0)
