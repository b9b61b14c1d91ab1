"""Search by meaning: how long an exact search over 100,000 products takes, and how good what it finds is.

Quality is nDCG@10 (Jarvelin and Kekalainen 2002, with the gains 2^grade - 1) over the demo catalogue, of words alone,
meaning alone, and both as `/search/semantic` has them: on queries that were judged by hand (`judgements.json`), and on
the exact names that who knows the shop would type.
"""

import asyncio
import json
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import select

from benchmarks.report import Row, at_most
from commerce.catalog.filters import ProductFilter
from commerce.catalog.models import ProductRow
from commerce.catalog.reading import CatalogReader
from commerce.catalog.seed import DEMO, seed_demo
from commerce.schema import migrations
from commerce.semantics.index import SemanticIndex
from commerce.semantics.search import SemanticSearch
from commerce.semantics.sources import model_version
from commerce.semantics.updating import Updater
from core.clock import SystemClock
from core.database import Database
from core.hub.memory import MemoryHub
from core.inference.embedding import DIMENSIONS, Embedder
from core.inference.embedding_worker import embed_many
from core.workers.pool import Workers

JUDGEMENTS = Path(__file__).with_name("judgements.json")
PRODUCTS = 100_000
SEARCHES = 200
REQUIRED_MS = 20
_DEPTH = 10
Grades = Mapping[str, int]  # by handle


@dataclass(frozen=True, slots=True)
class Quality:
    """Means of nDCG@10 over all queries."""

    words: float
    meaning: float
    hybrid: float


def run() -> list[Row]:
    with TemporaryDirectory() as folder:
        by_hand, by_name = asyncio.run(_quality(Path(folder)))
        return [
            *_speed(Path(folder)),
            *_rows(f"{len(judgements())} queries", by_hand, "words alone", by_hand.words),
            *_rows(f"{len(names())} names", by_name, "meaning alone", by_name.meaning),
        ]


def judgements() -> dict[str, Grades]:
    queries: dict[str, Grades] = json.loads(JUDGEMENTS.read_text(encoding="utf-8"))["queries"]
    return queries


def names() -> dict[str, Grades]:
    """Every vendor, every product's own first word, and one SKU of each; no meaning says what they name."""
    queries: dict[str, dict[str, int]] = {}
    for line in DEMO.read_text(encoding="utf-8").splitlines():
        product = json.loads(line)
        if product["status"] == "active":
            for name in (product["vendor"], product["title"].split()[0], product["variants"][0]["sku"]):
                queries.setdefault(name, {})[product["handle"]] = 3
    return queries


def ndcg(found: Sequence[str], grades: Grades) -> float:
    """1 where the best come first."""
    best = _gain(sorted(grades.values(), reverse=True)[:_DEPTH])
    return _gain([grades.get(handle, 0) for handle in found[:_DEPTH]]) / best


def _gain(grades: Sequence[int]) -> float:
    return sum((2**grade - 1) / math.log2(place + 2) for place, grade in enumerate(grades))


async def judged(database: Database, index: SemanticIndex, queries: Mapping[str, Grades]) -> Quality:
    """Of a database that has the demo catalogue and its vectors."""
    async with database.read() as session:
        rows = await session.execute(select(ProductRow.id, ProductRow.handle))
        handles = {row.id: row.handle for row in rows}
    reader = CatalogReader(database)
    search = SemanticSearch(reader, index)
    scores: dict[str, list[float]] = {"words": [], "meaning": [], "hybrid": []}
    for query, grades in queries.items():
        words = await reader.page(ProductFilter(q=query), None, page=1, size=_DEPTH, only_keys=True)
        found = await search.find(query, limit=_DEPTH)
        rankings = {
            "words": [item.id for item in words.items],
            "meaning": [near.id for near in await index.nearest(query, _DEPTH)],
            "hybrid": [hit.item.id for hit in found.hits],
        }
        for name, ids in rankings.items():
            scores[name].append(ndcg([handles[each] for each in ids], grades))
    return Quality(**{name: statistics.fmean(values) for name, values in scores.items()})


async def _quality(folder: Path) -> tuple[Quality, Quality]:
    """On the judgements, and on names."""
    database, workers = Database(f"sqlite+aiosqlite:///{folder}/portico.db"), Workers()
    await migrations().upgrade(database)
    await seed_demo(database, SystemClock(), currency="USD")
    updater = Updater(database, database.write, lambda texts: embed_many(workers, texts), model_version())
    while (await updater.step()).more:
        pass
    index = SemanticIndex(database, MemoryHub(), folder / "semantics")
    found = await judged(database, index, judgements()), await judged(database, index, names())
    await workers.close()
    await database.close()
    return found


def _rows(queries: str, quality: Quality, above: str, least: float) -> list[Row]:
    what = f"nDCG@10 of {queries}"
    return [
        Row(f"{what}, words alone", quality.words),
        Row(f"{what}, meaning alone", quality.meaning),
        Row(f"{what}, both", quality.hybrid, "", f"above {above}, {least:.3f}", quality.hybrid > least),
    ]


def _speed(folder: Path) -> list[Row]:
    """Of one thread, as a request has it: the query's vector, and the 100 nearest in a file that is mapped."""
    import numpy as np  # noqa: PLC0415  after what measures memory

    from core.inference.vectors import Matrix, MatrixWriter, quantise  # noqa: PLC0415

    chance = np.random.default_rng(20261123)
    made = quantise(chance.normal(size=(PRODUCTS, DIMENSIONS)).astype(np.float32))
    path = folder / "speed.vectors"
    with MatrixWriter(path, model="speed", version=1, dimensions=DIMENSIONS) as writer:
        ids = [f"prod_{number:026}" for number in range(PRODUCTS)]
        writer.add(ids, [row.tobytes() for row in made.rows], made.scales.tolist())
        writer.finish()
    started = time.perf_counter()
    matrix = Matrix(path, model="speed", dimensions=DIMENSIONS)
    opened = (time.perf_counter() - started) * 1000
    embedder, hidden = Embedder(), matrix.places_of([])
    queries = list(judgements()) * (SEARCHES // len(judgements()) + 1)
    taken = [_timed(lambda query=query: _search(matrix, embedder, query, hidden)) for query in queries[:SEARCHES]]
    ranked = sorted(taken)
    return [
        at_most(f"exact search over {PRODUCTS:,} products, median", statistics.median(taken), "ms", REQUIRED_MS),
        at_most(f"exact search over {PRODUCTS:,} products, 99 %", ranked[len(ranked) * 99 // 100], "ms", REQUIRED_MS),
        Row(f"file of {PRODUCTS:,} products, opened and checked", opened, "ms"),
        Row(f"file of {PRODUCTS:,} products", path.stat().st_size / 1e6, "MB"),
    ]


def _search(matrix: Any, embedder: Embedder, query: str, hidden: Any) -> None:
    found = matrix.nearest(embedder.embed([query])[0], 100, without=hidden)
    assert len(found) == 100  # noqa: PLR2004


def _timed(work: Any) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000
