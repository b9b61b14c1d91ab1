"""The process's cache of answers, its part in the objects of all processes, and what ends both: writes here before they
are answered, writes elsewhere when they are heard of.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from commerce.catalog.sharing import object_tags_of, tags_of
from commerce.operations.registry import OperationRegistry
from commerce.operations.service import OPERATIONS
from commerce.semantics.index import SemanticIndex
from commerce.semantics.search import MEANING
from core.database import Change
from core.eventlog import Event
from core.resources import Resources
from core.tailer import Tailer
from core.web.response_cache.store import ResponseCache

_MEGABYTE = 1024**2


@asynccontextmanager
async def sharing(
    resources: Resources, tailer: Tailer, operations: OperationRegistry, semantics: SemanticIndex
) -> AsyncIterator[ResponseCache | None]:
    """None where the settings leave the cache of answers out."""
    objects = resources.cache

    def purge(tags: Collection[str]) -> None:
        if cache is not None:
            cache.purge(tags)

    def registered() -> None:
        purge((OPERATIONS,))

    def changed(changes: Collection[Change]) -> None:
        for kind in {kind for kind, _ in changes}:
            objects.end(object_tags_of(kind))
        purge(tags_of(changes))

    def heard(events: Sequence[Event]) -> None:
        for event in events:
            objects.end(object_tags_of(event.type), event.position)
        purge(tags_of((event.type, event.subject) for event in events))

    async with _answers(resources, tailer) as cache:
        objects.heard = lambda: tailer.position
        resources.database.on_changed = changed
        operations.on_changed = registered
        semantics.on_changed = lambda: purge((MEANING,))
        leave = [tailer.follow(heard), resources.hub.subscribe(OPERATIONS, registered)]
        try:
            yield cache
        finally:
            for each in leave:
                each()


def _answers(resources: Resources, tailer: Tailer) -> AbstractAsyncContextManager[ResponseCache | None]:
    megabytes = resources.settings.server.response_cache_mb
    return ResponseCache(megabytes * _MEGABYTE, tailer.looked.is_set) if megabytes else nullcontext()
