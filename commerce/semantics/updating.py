"""Vectors that follow the catalogue: by its events, or by going through all of it.

First the position of the log is read and then the products, which are embedded in no transaction, and written with that
position. What changes meanwhile has an event after it, and is done again.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from commerce.catalog.repository import ProductRepository
from commerce.semantics.repository import Changes, Kept, SemanticsRepository, State, save
from commerce.semantics.sources import Source, sources_of
from core.database import Database, ReadSession, WriteSession
from core.eventlog import EventLog
from core.ids import new_id
from core.inference.embedding_worker import StoredVector

BATCH = 200  # products: other writers wait for one batch at most, and it is done again after a crash
Embed = Callable[[Sequence[str]], Awaitable[Sequence[StoredVector]]]
Transaction = Callable[[], AbstractAsyncContextManager[WriteSession]]


@dataclass(frozen=True, slots=True)
class Done:
    """Of one batch. `more`: there may be another. `filled_to`: of a filling, how far it came."""

    embedded: int = 0
    removed: int = 0
    more: bool = True
    filled_to: str | None = None


class Updater:
    """Per job. `model`: the present one (`sources.model_version`); where vectors are of another, all are made anew."""

    def __init__(
        self, database: Database, transaction: Transaction, embed: Embed, model: str, *, batch: int = BATCH
    ) -> None:
        self._database = database
        self._transaction = transaction
        self._embed = embed
        self._model = model
        self._batch = batch

    async def step(self) -> Done:
        """One batch, committed with how far it came: whoever goes on, goes on there."""
        async with self._database.read() as session:
            vectors = SemanticsRepository(session)
            state = await vectors.state()
            newest = await EventLog(session).newest()
            behind = state.position < await vectors.trimmed_to()
        if state.model != self._model:
            return await self._begin(newest, complete=False)
        if behind or state.position > newest:  # events are missing, or the log was restored from a backup
            return await self._begin(newest, complete=state.complete)
        return await (self._follow(state) if state.filled_to is None else self._fill(state.filled_to))

    async def _begin(self, newest: int, *, complete: bool) -> Done:
        """A filling: events after `newest` are followed when it is done."""
        nothing = Changes((), ())
        begun = {"filling": new_id("fill"), "filled_to": "", "position": newest}
        async with self._transaction() as session:
            await save(session, nothing, model=self._model, complete=complete, **begun)
        return Done(filled_to="")

    async def _fill(self, last: str) -> Done:
        async with self._database.read() as session:
            ids = await ProductRepository(session).ids_after(last, self._batch, include_unpublished=False)
            until = ids[-1] if len(ids) == self._batch else None
            kept = await SemanticsRepository(session).kept_between(last, until)
            sources = await sources_of(session, ids)
        changes = await self._changes(sources, kept, gone=kept.keys() - sources.keys())
        state = {"filled_to": until} if until is not None else {"filled_to": None, "complete": True}
        async with self._transaction() as session:
            await save(session, changes, **state)
        return Done(len(changes.made), len(changes.gone), filled_to=until)

    async def _follow(self, state: State) -> Done:
        async with self._database.read() as session:
            newest = await EventLog(session).newest()
            events = await SemanticsRepository(session).changed_products(state.position, self._batch)
            more = len(events) == self._batch
            position = events[-1][0] if more else max(newest, *(position for position, _ in events), 0)
            ids = list(dict.fromkeys(product_id for _, product_id in events))
            kept, sources = await self._of(session, ids)
        if not events:
            return Done(more=False)
        changes = await self._changes(sources, kept, gone=kept.keys() - sources.keys())
        async with self._transaction() as session:
            await save(session, changes, position=position)
        return Done(len(changes.made), len(changes.gone), more=more)

    async def _of(self, session: ReadSession, ids: Sequence[str]) -> tuple[dict[str, Kept], Mapping[str, Source]]:
        if not ids:
            return {}, {}
        return await SemanticsRepository(session).kept(ids), await sources_of(session, ids)

    async def _changes(
        self, sources: Mapping[str, Source], kept: Mapping[str, Kept], *, gone: Collection[str]
    ) -> Changes:
        """Embeds those whose text, or model, is another than before: a change of a price costs nothing."""
        other = {each: source for each, source in sources.items() if kept.get(each) != (source.digest, self._model)}
        vectors = await self._embed([source.text for source in other.values()])
        made = [
            {
                "product_id": product_id,
                "source": source.digest,
                "model": self._model,
                "vector": stored.vector,
                "scale": stored.scale,
            }
            for (product_id, source), stored in zip(other.items(), vectors, strict=True)
        ]
        return Changes(made, gone)
