"""The process's cache of answers, and what ends an answer: writes here before they are answered, writes elsewhere when
they are heard of.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from commerce.catalog.sharing import tags_of
from commerce.operations.registry import OperationRegistry
from commerce.operations.service import OPERATIONS
from core.resources import Resources
from core.tailer import Tailer
from core.web.response_cache.store import ResponseCache

_MEGABYTE = 1024**2


@asynccontextmanager
async def sharing(
    resources: Resources, tailer: Tailer, operations: OperationRegistry
) -> AsyncIterator[ResponseCache | None]:
    """None where the settings leave it out."""
    megabytes = resources.settings.server.response_cache_mb
    if not megabytes:
        yield None
        return

    def registered() -> None:
        cache.purge((OPERATIONS,))

    async with ResponseCache(megabytes * _MEGABYTE, tailer.looked.is_set) as cache:
        resources.database.on_changed = lambda changes: cache.purge(tags_of(changes))
        operations.on_changed = registered
        leave = [
            tailer.follow(lambda events: cache.purge(tags_of((event.type, event.subject) for event in events))),
            resources.hub.subscribe(OPERATIONS, registered),
        ]
        try:
            yield cache
        finally:
            for each in leave:
                each()
