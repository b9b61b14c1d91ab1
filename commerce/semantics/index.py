"""The vectors as a process searches them: a file mapped into memory, and what changed since it was written."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import structlog

from commerce.semantics.files import MatrixFiles
from commerce.semantics.repository import TOPIC, SemanticsRepository, State, StoredRow
from commerce.semantics.sources import model_version
from core.database import Database
from core.errors import Unavailable
from core.hub import Hub
from core.inference.embedding import DIMENSIONS, MODEL, Embedder, EmbeddingsUnavailable, identity
from core.inference.provenance import Provenance
from core.looking import Looking
from core.single_flight import SingleFlight
from core.threads import in_thread

if TYPE_CHECKING:
    from core.inference.vectors import Few, Matrix, Near

log = structlog.get_logger("portico.semantics")
# Why nothing is found by meaning, in `Provenance.fallback_reason`.
NOT_BUILT = "index_not_built"  # the catalogue was not gone through yet
NOT_WRITTEN = "index_not_written"  # another process of this host is writing its file
UNAVAILABLE = "index_unavailable"  # the log says why
_LOOK_SECONDS = 5.0  # where the hub does not reach the process that changed vectors
_BEFORE_SERVING_SECONDS = 0.2
_NO_MODEL_SECONDS = 60.0
_READ_AT_ONCE = 5_000  # rows, 1.5 MB
# What changed is searched from memory until it is so much, or so old: what was deleted still has a place in the file.
_MOST_FRESH = 1_000
_RENEWED_SECONDS = 600.0
_REST_SECONDS = 10.0  # between two files, while an import goes on
_UNKNOWN = Provenance(MODEL, "unknown", "sha256:unknown")


@dataclass(frozen=True, slots=True)
class _Searched:
    """What is searched, replaced whole. `version`: up to which all changes are in it."""

    filling: str
    version: int
    matrix: "Matrix"
    path: Path
    fresh: "Few"
    hidden: Any  # places in the matrix of what is fresh
    since: float  # when the matrix was opened


class SemanticIndex(Looking):
    """`async with SemanticIndex(...) as index:` One per process. It looks when it is told that vectors changed, and
    every few seconds; the first time when the server serves, or when somebody searches.

    `why_not` says why nothing is found by meaning; None: it is. `on_changed` is called when answers may be others now.
    """

    def __init__(
        self,
        database: Database,
        hub: Hub,
        folder: Path,
        *,
        serving: asyncio.Event | None = None,
        look_seconds: float = _LOOK_SECONDS,
        most_fresh: int = _MOST_FRESH,
        rest_seconds: float = _REST_SECONDS,
    ) -> None:
        super().__init__("semantics", hub, TOPIC, look_seconds)
        self.on_changed: Callable[[], None] = lambda: None
        self.why_not: str | None = NOT_BUILT
        self.provenance = _UNKNOWN
        self._database = database
        self._files = MatrixFiles(folder)
        self._serving = serving
        self._most_fresh = most_fresh
        self._rest_seconds = rest_seconds
        self._flights = SingleFlight()
        self._looked = False
        self._model = ""
        self._embedder: Embedder | None = None
        self._searched: _Searched | None = None

    async def nearest(self, text: str, limit: int) -> "list[Near]":
        """Products by how near they are, also such as are not on sale any more; none where `why_not` says why."""
        await self._look_first()
        return await in_thread(self._nearest, text, limit)

    async def like(self, product_id: str, limit: int) -> "list[Near]":
        """As `nearest`, of a product, which is not among them; none for one without a vector."""
        await self._look_first()
        return await in_thread(self._like, product_id, limit)

    async def look(self) -> None:
        await self._flights.run("look", self._look)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        await self._flights.settle()

    async def _turn(self) -> float:
        if self._serving is not None and not self._serving.is_set():
            return _BEFORE_SERVING_SECONDS
        try:
            return await super()._turn()
        except EmbeddingsUnavailable as error:
            log.warning("no_model", reason=str(error))
            return _NO_MODEL_SECONDS

    async def _look_first(self) -> None:
        if not self._looked:
            try:
                await self.look()
            except Unavailable as error:
                log.warning("index_unavailable", reason=str(error))
                self.why_not = UNAVAILABLE
            except OSError as error:
                log.warning("index_unreadable", reason=str(error))
                self.why_not = UNAVAILABLE

    async def _look(self) -> None:
        if self._embedder is None:
            await asyncio.to_thread(self._load)
        async with self._database.read() as session:
            state = await SemanticsRepository(session).state()
        before = self._searched.version if self._searched is not None else None
        if state.model != self._model or not state.complete:
            self._searched = None
            self.why_not = NOT_BUILT
        else:
            self._searched = await self._renewed(state)
            self.why_not = None if self._searched is not None else NOT_WRITTEN
        self._looked = True
        if before != (self._searched.version if self._searched is not None else None):
            self.on_changed()

    def _load(self) -> None:
        self.provenance, self._model, self._embedder = identity(), model_version(), Embedder()

    async def _renewed(self, state: State) -> _Searched | None:
        """None where another process of this host is writing the first file."""
        searched = self._searched
        if searched is None or searched.filling != state.filling or searched.version > state.version:
            searched = await self._opened(state) or await self._written(state)
        if searched is not None and searched.version != state.version:
            searched = await self._with_fresh(searched, state)
        if searched is not None and self._is_worn(searched):
            other = await self._opened(state, after=searched.path) or await self._written(state)
            searched = await self._with_fresh(other, state) if other is not None else searched
        return searched

    def _is_worn(self, searched: _Searched) -> bool:
        if searched.version == searched.matrix.header.version:
            return False
        age = time.monotonic() - searched.since
        return age > _RENEWED_SECONDS or (len(searched.fresh.ids) > self._most_fresh and age > self._rest_seconds)

    async def _opened(self, state: State, *, after: Path | None = None) -> _Searched | None:
        """The newest file; None where there is none, none that can be read, or none `after` one."""
        path = await asyncio.to_thread(self._files.newest, state.filling, state.version)
        if path is None or (after is not None and path <= after):
            return None
        return await asyncio.to_thread(self._open, path, state.filling)

    def _open(self, path: Path, filling: str) -> _Searched | None:
        from core.inference.vectors import Matrix, MatrixRefused  # noqa: PLC0415  numpy

        try:
            matrix = Matrix(path, model=self._model, dimensions=DIMENSIONS)
        except MatrixRefused as refused:
            log.warning("matrix_refused", file=path.name, reason=str(refused))
            return None
        fresh = _few([])
        return _Searched(filling, matrix.header.version, matrix, path, fresh, matrix.places_of([]), time.monotonic())

    async def _written(self, state: State) -> _Searched | None:
        """A file of all that there is now; None where another process of this host writes one."""
        from core.inference.vectors import MatrixWriter  # noqa: PLC0415  numpy

        path = self._files.path(state.filling, state.version)
        with self._files.writing() as mine:
            if not mine:
                return None
            with MatrixWriter(path, model=self._model, version=state.version, dimensions=DIMENSIONS) as writer:
                last = ""
                while rows := await self._stored_after(last):
                    last = rows[-1].product_id
                    ids, vectors, scales = zip(*rows, strict=True)
                    await asyncio.to_thread(writer.add, ids, vectors, scales)
                await asyncio.to_thread(writer.finish)
            await asyncio.to_thread(self._files.remove_others, path)
            log.info("matrix_written", file=path.name)
            return await asyncio.to_thread(self._open, path, state.filling)

    async def _stored_after(self, product_id: str) -> Sequence[StoredRow]:
        async with self._database.read() as session:
            return await SemanticsRepository(session).stored_after(product_id, self._model, _READ_AT_ONCE)

    async def _with_fresh(self, searched: _Searched, state: State) -> _Searched:
        """With what came after the matrix. Of more than two files' worth the rest waits for the next file."""
        async with self._database.read() as session:
            since = searched.matrix.header.version
            rows = await SemanticsRepository(session).stored_since(since, self._model, 2 * self._most_fresh)
        fresh = await asyncio.to_thread(_few, rows)
        hidden = await asyncio.to_thread(searched.matrix.places_of, fresh.ids)
        return _Searched(searched.filling, state.version, searched.matrix, searched.path, fresh, hidden, searched.since)

    def _nearest(self, text: str, limit: int) -> "list[Near]":
        searched = self._searched
        if searched is None or self._embedder is None:
            return []
        query = self._embedder.embed([text])[0]
        return _search(searched, query, limit) if query.any() else []

    def _like(self, product_id: str, limit: int) -> "list[Near]":
        searched = self._searched
        query = searched.fresh.vector_of(product_id) if searched is not None else None
        if searched is not None and query is None:
            query = searched.matrix.vector_of(product_id)
        if searched is None or query is None:
            return []
        return [near for near in _search(searched, query, limit + 1) if near.id != product_id][:limit]


def _search(searched: _Searched, query: Any, limit: int) -> "list[Near]":
    old = searched.matrix.nearest(query, limit, without=searched.hidden)
    new = searched.fresh.nearest(query, limit)
    return sorted([*old, *new], key=lambda near: (near.score, near.id), reverse=True)[:limit]


def _few(rows: Sequence[StoredRow]) -> "Few":
    import numpy as np  # noqa: PLC0415

    from core.inference.vectors import Few, Quantised  # noqa: PLC0415

    vectors = np.frombuffer(b"".join(row.vector for row in rows), np.int8).reshape(len(rows), DIMENSIONS)
    return Few(
        tuple(row.product_id for row in rows), Quantised(vectors, np.array([row.scale for row in rows], np.float32))
    )
