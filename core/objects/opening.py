"""The adapter of a URL. That of a local folder is loaded when a file is first asked for: it takes 4 MB of a process, of
which most never do.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from core.objects import Objects


@asynccontextmanager
async def open_objects(url: str) -> AsyncIterator[Objects]:
    """`file:///folder`, `s3://bucket[/prefix]` with the usual AWS_* variables, or `memory://`. S3 is not asked yet.

    Raises OSError where the folder cannot be made.
    """
    scheme = urlsplit(url).scheme
    if scheme not in ("file", "s3", "memory"):
        raise ValueError(f"objects cannot be stored at {scheme!r}")
    folder = _folder(url) if scheme == "file" else None

    def load() -> Objects:
        from core.objects.store import stored_at  # noqa: PLC0415

        return stored_at(url, folder)

    yield cast("Objects", _Later(load)) if folder is not None else load()


def _folder(url: str) -> Path:
    folder = Path(unquote(url.removeprefix("file://"))).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class _Later:
    def __init__(self, load: Callable[[], Objects]) -> None:
        self._load = load

    @cached_property
    def _loaded(self) -> Objects:
        return self._load()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loaded, name)
