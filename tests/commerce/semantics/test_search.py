"""Search by meaning and words together, and lists that go on by meaning."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic_core import from_json

from commerce.catalog.entities import Product
from commerce.catalog.filters import ProductFilter
from commerce.catalog.reading import CatalogReader
from commerce.semantics.fusion import Ranked, fused
from commerce.semantics.search import SemanticSearch
from core.database import Database
from core.direct import Row, Sql
from core.inference import embedding
from tests.commerce.semantics.conftest import NewIndex
from tests.factories.catalogue import Catalogue
from tests.factories.meanings import updated
from tests.factories.products import a_product, a_variant
from tests.factories.shop import handles_of

COATS = [
    a_product(handle=f"coat-{number}", title=f"Overcoat {number}", description="Warm outerwear for winter.")
    for number in range(4)
]


@pytest.fixture
async def search(database: Database, new_index: NewIndex, products: dict[str, Product]) -> SemanticSearch:
    assert products
    await updated(database)
    return SemanticSearch(CatalogReader(database), new_index())


@contextmanager
def counted(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The statements of hot reads."""
    sent: list[str] = []
    fetch = database.fetch

    async def counting(sql: Sql, values: Mapping[str, Any]) -> list[Row]:
        sent.append(sql.text)
        return await fetch(sql, values)

    with monkeypatch.context() as patch:
        patch.setattr(database, "fetch", counting)
        yield sent


async def found(search: SemanticSearch, query: str, limit: int = 10) -> list[tuple[str, str]]:
    answer = await search.find(query, limit=limit)
    assert answer.provenance.fallback_reason is None
    return [(from_json(hit.item.json)["handle"], hit.reason) for hit in answer.hits]


async def listed(search: SemanticSearch, page: int = 1, size: int = 20, **wanted: Any) -> tuple[list[str], int]:
    got = await search.page(ProductFilter(**wanted), None, page=page, size=size)
    assert (got.page, got.size) == (page, size)
    return handles_of(got.items), got.total


def test_ranks_are_fused_as_the_paper_has_it() -> None:
    ranked = fused(["a", "b"], ["b", "c"])

    assert ranked == [
        Ranked("b", 1 / 62 + 1 / 61, "both"),
        Ranked("a", 1 / 61, "words"),
        Ranked("c", 1 / 62, "meaning"),
    ]


def test_of_equal_scores_words_come_first() -> None:
    assert [each.id for each in fused(["w"], ["m"])] == ["w", "m"]


async def test_what_both_find_comes_first_and_says_so(search: SemanticSearch) -> None:
    hits = await found(search, "boots")

    assert hits[0] == ("boots", "both")
    assert {reason for _, reason in hits[1:]} <= {"meaning"}


async def test_a_part_of_a_word_is_found_by_words_alone(search: SemanticSearch, catalogue: Catalogue) -> None:
    await catalogue.create(handle="part", title="Spare Part", variants=(a_variant(sku="ZQX-9917"),))

    assert await found(search, "zqx-99") == [("part", "words")]


async def test_what_shares_no_word_is_found_by_meaning(search: SemanticSearch) -> None:
    assert (await found(search, "shoes for walking"))[0] == ("boots", "meaning")


async def test_what_has_nothing_to_do_with_the_shop_finds_nothing(search: SemanticSearch) -> None:
    assert await found(search, "qwzx vbnm") == []


async def test_a_product_that_is_gone_or_not_on_sale_is_not_shown_also_before_the_index_knows(
    search: SemanticSearch, catalogue: Catalogue, products: dict[str, Product]
) -> None:
    before = [handle for handle, _ in await found(search, "warm coat, leather boots, kettle", limit=3)]

    await catalogue.delete(products["parka"].head.id)
    await catalogue.update(products["kettle"], status="draft")
    after = [handle for handle, _ in await found(search, "warm coat, leather boots, kettle", limit=3)]

    assert {"parka", "kettle"} <= set(before)
    assert not {"parka", "kettle"} & set(after)
    assert "boots" in after
    assert "parka" not in (await listed(search, q="something against the cold"))[0]


async def test_without_an_index_words_answer_and_it_says_so(
    database: Database, new_index: NewIndex, products: dict[str, Product]
) -> None:
    search = SemanticSearch(CatalogReader(database), new_index())

    answer = await search.find("boots", limit=5)

    assert products
    assert [hit.reason for hit in answer.hits] == ["words"]
    assert answer.provenance.fallback
    assert answer.provenance.fallback_reason == "index_not_built"
    assert await listed(search, q="shoes") == ([], 0)


async def test_without_the_model_words_answer_and_it_says_so(
    database: Database, new_index: NewIndex, products: dict[str, Product], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "_PACKAGE", "no_such_package")
    embedding.identity.cache_clear()
    search = SemanticSearch(CatalogReader(database), new_index())

    answer = await search.find("boots", limit=5)
    embedding.identity.cache_clear()

    assert products
    assert [hit.reason for hit in answer.hits] == ["words"]
    assert answer.provenance.fallback_reason == "index_unavailable"


async def test_a_search_costs_two_statements_and_a_list_two_more(
    database: Database, search: SemanticSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    await search.find("warm", limit=50)

    with counted(database, monkeypatch) as sent:
        await search.find("warm shoes", limit=50)
    of_search = len(sent)
    with counted(database, monkeypatch) as sent:
        got = await search.page(ProductFilter(q="shoes"), None, page=1, size=20)
    of_list = len(sent)
    with counted(database, monkeypatch) as sent:
        await search.page(ProductFilter(q="shoes"), None, page=1, size=20, only_keys=True)

    assert got.total > 0
    assert (of_search, of_list, len(sent)) == (2, 3, 2)


async def test_a_list_goes_on_by_meaning_where_words_find_little(search: SemanticSearch) -> None:
    handles, total = await listed(search, q="boots")
    none_by_words, _ = await listed(search, q="shoes")

    assert handles[0] == "boots"
    assert total == len(handles)
    assert none_by_words[0] == "boots"


async def test_pages_of_a_list_that_goes_on_follow_each_other(
    database: Database, search: SemanticSearch, catalogue: Catalogue
) -> None:
    """Words find two, meaning the other coats: whole at once, and page by page of each size."""
    await catalogue.upsert(*COATS)
    await catalogue.create(handle="wool-0", title="Woollen garment", description="Outerwear for winter and snow.")
    await catalogue.create(handle="wool-1", title="Woollen garment", description="Outerwear for winter and frost.")
    await updated(database)
    await search._index.look()

    whole, total = await listed(search, q="garment winter")

    assert set(whole[:2]) == {"wool-0", "wool-1"}
    assert {"coat-0", "coat-1", "coat-2", "coat-3", "parka"} <= set(whole[2:])
    assert total == len(whole) == len(set(whole))
    for size in (1, 2, 3, 5):
        pages = [await listed(search, page=number, size=size, q="garment winter") for number in range(1, total + 2)]
        assert [handle for handles, _ in pages for handle in handles] == whole
        assert {pages_total for _, pages_total in pages} == {total}


async def test_what_follows_by_meaning_meets_the_other_conditions(
    database: Database, search: SemanticSearch, catalogue: Catalogue
) -> None:
    await catalogue.add(
        a_product(handle="cheap", title="Winter Coat", vendor="Ridge", variants=(a_variant(price=100),))
    )
    await catalogue.add(
        a_product(handle="dear", title="Winter Coat", vendor="Ridge", variants=(a_variant(price=9000),))
    )
    await updated(database)
    await search._index.look()

    assert set((await listed(search, q="warm jacket", vendor="Ridge"))[0]) == {"cheap", "dear"}
    assert await listed(search, q="warm jacket", vendor="Ridge", max_price=500) == (["cheap"], 1)
    assert await listed(search, q="warm jacket", vendor="Nobody") == ([], 0)


async def test_a_list_that_words_fill_or_that_has_an_order_is_as_it_was(
    database: Database, search: SemanticSearch, catalogue: Catalogue
) -> None:
    await catalogue.upsert(*COATS)
    await updated(database)
    await search._index.look()
    reader = CatalogReader(database)

    many, ordered = ProductFilter(q="overcoat"), ProductFilter(q="shoes")

    assert await search.page(many, None, page=1, size=20) == await reader.page(many, None, page=1, size=20)
    assert (await search.page(many, None, page=1, size=20)).total == len(COATS)
    assert (await search.page(ordered, "title", page=1, size=20)).total == 0


@pytest.mark.parametrize("query", ["", "   ", "🎉", "a\0b", "\udcff", "x" * 200, "!!! ???", '"); DROP TABLE x'])
async def test_hostile_queries_are_answered(search: SemanticSearch, query: str) -> None:
    answer = await search.find(query, limit=5)

    assert len(answer.hits) <= 5
    assert answer.provenance.fallback_reason is None
    assert len((await listed(search, q=query))[0]) == (await listed(search, q=query))[1]
