"""Many products at once, and many writers at once."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from commerce.catalog.entities import Product
from commerce.catalog.errors import DuplicateSku, InvalidProduct
from commerce.catalog.service import CatalogService
from core.database import Database
from tests.factories.catalogue import FULL, Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.products import a_product, a_variant, an_image
from tests.factories.statements import recorded


async def test_upsert_gives_a_verdict_on_each_product(catalogue: Catalogue, clock: FakeClock) -> None:
    same = await catalogue.add(replace(FULL, handle="same"))
    changed = await catalogue.create(handle="changed")
    clock.advance(minutes=5)

    outcomes = await catalogue.upsert(
        a_product(handle="new"), replace(FULL, handle="same"), a_product(handle="changed", title="Changed")
    )

    assert [outcome.verdict for outcome in outcomes] == ["created", "unchanged", "updated"]
    found = await catalogue.everything()
    assert found["same"] == same
    assert (found["changed"].head.id, found["changed"].head.title) == (changed.head.id, "Changed")
    assert {handle: product.head.version for handle, product in found.items()} == {"new": 1, "same": 1, "changed": 2}


async def test_dry_run_gives_the_verdicts_and_writes_nothing(catalogue: Catalogue) -> None:
    same = await catalogue.create(handle="same")

    outcomes = await catalogue.upsert(
        a_product(handle="new", category="New"),
        a_product(handle="same"),
        a_product(handle="bad", title=""),
        dry_run=True,
    )

    assert [outcome.verdict for outcome in outcomes] == ["created", "unchanged", "failed"]
    assert await catalogue.everything() == {"same": same}
    assert await catalogue.slugs() == {}


async def test_broken_rule_does_not_spoil_the_batch(catalogue: Catalogue) -> None:
    outcomes = await catalogue.upsert(
        a_product(handle="a"), a_product(handle="b", title=""), a_product(handle="c", category="Hats")
    )

    assert [outcome.verdict for outcome in outcomes] == ["created", "failed", "created"]
    assert isinstance(outcomes[1].error, InvalidProduct)
    assert sorted(await catalogue.everything()) == ["a", "c"]


async def test_taken_sku_does_not_spoil_the_batch(catalogue: Catalogue) -> None:
    owner = await catalogue.create(handle="owner", variants=(a_variant(sku="A"),))
    before = await catalogue.create(handle="before")

    outcomes = await catalogue.upsert(
        a_product(handle="a", category="Hats"),
        a_product(handle="before", title="Lost", variants=(a_variant(sku="A"),)),
        a_product(handle="b", variants=(a_variant(sku="B"),)),
        a_product(handle="c", variants=(a_variant(sku="B"),)),
        a_product(handle="owner", variants=(a_variant(sku="A"),)),
    )

    assert [outcome.verdict for outcome in outcomes] == ["created", "failed", "created", "failed", "unchanged"]
    errors = [outcome.error.detail for outcome in outcomes if outcome.error]
    assert errors == ["SKU 'A' belongs to product 'owner'", "SKU 'B' belongs to product 'b'"]
    assert isinstance(outcomes[1].error, DuplicateSku)
    found = await catalogue.everything()
    assert sorted(found) == ["a", "b", "before", "owner"]
    assert (found["owner"], found["before"]) == (owner, before)


async def test_batch_of_many_is_written_with_a_few_statements(catalogue: Catalogue) -> None:
    with recorded(catalogue.database.writer) as few:
        await catalogue.upsert(replace(FULL, handle="a", variants=FULL.variants[:1]))
    batch = [
        a_product(
            handle=f"p{number}",
            category="Jackets",
            tags=("a", "b"),
            images=(an_image(),),
            variants=(a_variant(sku=f"P-{number}"),),
        )
        for number in range(50)
    ]

    with recorded(catalogue.database.writer) as many:
        outcomes = await catalogue.upsert(*batch)

    assert {outcome.verdict for outcome in outcomes} == {"created"}
    assert len(many) <= len(few)


async def at_once(*calls: Callable[[], Coroutine[Any, Any, Any]]) -> list[Any]:
    return await asyncio.gather(*(call() for call in calls), return_exceptions=True)


async def test_one_of_two_creators_of_a_handle_wins(catalogue: Catalogue) -> None:
    results = await at_once(lambda: catalogue.create(title="One"), lambda: catalogue.create(title="Two"))

    assert sorted(type(result).__name__ for result in results) == ["DuplicateHandle", "Product"]
    (winner,) = [result for result in results if isinstance(result, Product)]
    assert await catalogue.everything() == {"rain-jacket": winner}


async def test_creators_of_one_new_category_both_succeed(catalogue: Catalogue) -> None:
    results = await at_once(
        *(lambda n=number: catalogue.create(handle=f"p{n}", category="Hats") for number in range(4))
    )

    assert [type(result) for result in results] == [Product] * 4
    assert await catalogue.slugs() == {"Hats": "hats"}


async def test_upsert_and_update_at_once_make_two_versions(catalogue: Catalogue) -> None:
    product = await catalogue.create()

    results = await at_once(
        lambda: catalogue.update(product, title="By hand"),
        lambda: catalogue.upsert(a_product(title="By import")),
        lambda: catalogue.upsert(a_product(title="By another import")),
    )

    assert [result for result in results if isinstance(result, Exception)] == []
    assert (await catalogue.everything())["rain-jacket"].head.version == 4


async def test_product_as_large_as_the_rules_allow_is_stored(catalogue: Catalogue) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    variants = tuple(
        a_variant(
            options={name: f"{letters * 9}{number}{name}" for name in ("A", "B", "C")},
            sku=f"{letters * 9}{number}",
        )
        for number in range(2_048)
    )

    made = await catalogue.create(options=("A", "B", "C"), variants=variants, description="word " * 100_000)

    assert len(made.variants) == 2_048


async def test_price_column_refuses_what_the_rules_would_not_have_let_through(database: Database) -> None:
    async with database.write() as session:
        await CatalogService(session, FakeClock()).create(a_product())

    with pytest.raises(Exception, match="price_not_negative"):
        async with database.write() as session:
            await session.execute(text("UPDATE variants SET price = -1"))
