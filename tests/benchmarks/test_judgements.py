"""What search by meaning finds in the demo catalogue, on the queries that were judged by hand."""

import json
from pathlib import Path

import pytest

from benchmarks.semantic_search import judged, judgements, names, ndcg
from commerce.catalog.seed import DEMO, seed_demo
from commerce.semantics.index import SemanticIndex
from core.database import Database
from core.hub.memory import MemoryHub
from tests.factories.clocks import FakeClock
from tests.factories.meanings import updated


def test_at_least_sixty_queries_are_judged_by_products_on_sale() -> None:
    products = [json.loads(line) for line in DEMO.read_text(encoding="utf-8").splitlines()]
    on_sale = {product["handle"] for product in products if product["status"] == "active"}

    assert len(judgements()) >= 60
    for query, grades in judgements().items():
        assert grades.keys() <= on_sale, query
        assert set(grades.values()) <= {1, 2, 3}, query
        assert 3 in grades.values(), query


def test_ndcg_is_one_where_the_best_come_first_and_less_where_they_do_not() -> None:
    grades = {"a": 3, "b": 1}

    assert ndcg(["a", "b", "x"], grades) == 1
    assert ndcg(["b", "a"], grades) == pytest.approx((1 + 7 / 1.584963) / (7 + 1 / 1.584963), rel=1e-6)
    assert ndcg(["x"], grades) == ndcg([], grades) == 0
    assert ndcg(["x"] * 10 + ["a"], grades) == 0


async def test_both_find_better_than_words_alone_and_names_better_than_meaning_alone(
    sqlite_database: Database, tmp_path: Path
) -> None:
    await seed_demo(sqlite_database, FakeClock(), currency="USD")
    await updated(sqlite_database)

    index = SemanticIndex(sqlite_database, MemoryHub(), tmp_path / "semantics")
    quality = await judged(sqlite_database, index, judgements())
    named = await judged(sqlite_database, index, names())

    assert quality.hybrid > quality.words
    # What was measured when this was written, less a little: it is the same each time.
    assert quality.words == pytest.approx(0.230, abs=0.002)
    assert quality.hybrid > 0.75
    assert named.words == 1
    assert named.hybrid == pytest.approx(0.995, abs=0.002)
    assert named.meaning < 0.9
