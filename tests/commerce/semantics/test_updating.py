"""Vectors follow the catalogue, whatever happens to who makes them."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence

import pytest
from sqlalchemy import select, update

from commerce.catalog.entities import Product
from commerce.semantics.models import ProductVectorRow, SemanticsStateRow
from commerce.semantics.sources import model_version
from core.database import Database
from core.eventlog import EventLogStateRow
from core.inference.embedding_worker import StoredVector
from tests.commerce.semantics.conftest import numbered
from tests.factories.catalogue import Catalogue
from tests.factories.meanings import embed, state_of, updated, updater
from tests.factories.products import a_product, a_variant
from tests.factories.statements import recorded


async def vectors(database: Database) -> dict[str, StoredVector]:
    columns = select(ProductVectorRow.product_id, ProductVectorRow.vector, ProductVectorRow.scale)
    async with database.read() as session:
        return {row[0]: StoredVector(row[1], row[2]) for row in await session.execute(columns)}


def ids(*products: Product) -> set[str]:
    return {product.head.id for product in products}


async def test_each_product_on_sale_has_the_vector_of_its_text_and_no_other_has_one(
    database: Database, catalogue: Catalogue
) -> None:
    jacket = await catalogue.create(
        title="Rain Jacket", category="Coats", tags=("dry", "light"), description="<p>For &amp; in <b>storms</b></p>"
    )
    await catalogue.create(handle="draft", status="draft")
    await catalogue.create(handle="archived", status="archived")

    await updated(database)

    (expected,) = await embed(["Rain Jacket. Coats. dry, light. Rain Jacket. For & in  storms"])
    assert await vectors(database) == {jacket.head.id: expected}
    state = await state_of(database)
    assert (state.model, state.filled_to, state.complete) == (model_version(), None, True)


async def test_the_first_filling_goes_batch_by_batch_and_says_how_far_it_is(
    database: Database, catalogue: Catalogue
) -> None:
    made = await catalogue.upsert(*numbered(7))
    assert len(made) == 7

    done = await updated(database, batch=3)

    assert [(each.embedded, each.more) for each in done] == [(0, True), (3, True), (3, True), (1, True), (0, False)]
    assert sorted(await vectors(database))[2] == done[1].filled_to


async def test_a_process_that_is_killed_while_it_fills_leaves_the_rest_to_the_next(
    database: Database, database_url: str, catalogue: Catalogue
) -> None:
    await catalogue.upsert(*numbered(60))
    command = [sys.executable, "-m", "tests.commerce.semantics.program", "fill", database_url, "2"]

    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: ASYNC220  killed within a second
        assert process.stdout is not None
        for _ in range(6):
            await asyncio.to_thread(process.stdout.readline)
        process.kill()
    kept = await vectors(database)
    done = await updated(database)

    assert 10 <= len(kept) < 60
    assert (await state_of(database)).complete
    assert sum(each.embedded for each in done) == 60 - len(kept)
    assert len(await vectors(database)) == 60


async def test_only_what_means_something_else_is_embedded_again(
    database: Database, catalogue: Catalogue, products: dict[str, Product]
) -> None:
    await updated(database)
    before, began = await vectors(database), await state_of(database)

    await catalogue.update(products["kettle"], variants=(a_variant(price=1),))
    dearer = await updated(database)
    unchanged = await state_of(database)
    await catalogue.update(products["kettle"], title="Copper Teapot")
    renamed = await updated(database)

    assert sum(each.embedded for each in dearer) == 0
    assert (unchanged.version, unchanged.filling) == (began.version, began.filling)  # nothing was begun anew
    assert unchanged.position > began.position
    assert sum(each.embedded for each in renamed) == 1
    assert (await state_of(database)).filling == began.filling
    after = await vectors(database)
    assert {each for each in after if after[each] != before[each]} == ids(products["kettle"])


async def test_what_is_deleted_or_taken_off_sale_has_no_vector_any_more(
    database: Database, catalogue: Catalogue, products: dict[str, Product]
) -> None:
    await updated(database)

    await catalogue.delete(products["kettle"].head.id)
    await catalogue.update(products["novel"], status="draft")
    await updated(database)
    gone = products.keys() - {each for each in products if products[each].head.id in await vectors(database)}
    await catalogue.update(await _named(catalogue, "novel"), status="active")
    await updated(database)

    assert gone == {"kettle", "novel"}
    assert (await vectors(database)).keys() == ids(*products.values()) - ids(products["kettle"])


async def _named(catalogue: Catalogue, handle: str) -> Product:
    return (await catalogue.everything())[handle]


async def test_a_change_while_its_product_is_embedded_is_not_missed(
    database: Database, catalogue: Catalogue, products: dict[str, Product]
) -> None:
    async def slowly(texts: Sequence[str]) -> list[StoredVector]:
        found = await embed(texts)
        if any("Steel Kettle" in text for text in texts):
            await catalogue.update(await _named(catalogue, "kettle"), title="Copper Teapot")
            await catalogue.delete(products["novel"].head.id)
        return found

    await updated(database, by=slowly)

    (expected,) = await embed(["Copper Teapot. Copper Teapot. Boils water for tea on a stove."])
    found = await vectors(database)
    assert found[products["kettle"].head.id] == expected
    assert products["novel"].head.id not in found


async def test_another_model_makes_all_anew_and_there_is_no_index_meanwhile(
    database: Database, products: dict[str, Product]
) -> None:
    await updated(database)
    before = await state_of(database)

    await updater(database, model="another").step()
    meanwhile = await state_of(database)
    done = await updated(database, model="another")

    assert (meanwhile.model, meanwhile.complete) == ("another", False)
    assert meanwhile.filling != before.filling
    assert sum(each.embedded for each in done) == len(products)
    assert (await state_of(database)).complete


async def test_where_events_are_gone_the_whole_catalogue_is_gone_through(
    database: Database, catalogue: Catalogue, products: dict[str, Product]
) -> None:
    await updated(database)
    await catalogue.delete(products["kettle"].head.id)
    await catalogue.create(handle="late", title="Late")
    position = (await state_of(database)).position
    async with database.write() as session:
        await session.execute(update(EventLogStateRow).values(trimmed_to=position + 1))

    done = await updated(database)

    assert [(each.embedded, each.removed) for each in done] == [(0, 0), (1, 1), (0, 0)]


async def test_a_cursor_that_the_log_does_not_reach_is_not_believed(
    database: Database, catalogue: Catalogue, products: dict[str, Product]
) -> None:
    """The log was put back from a backup: events get positions again that were passed."""
    await updated(database)
    async with database.write() as session:
        await session.execute(update(SemanticsStateRow).values(position=10_000))
    await catalogue.create(handle="late", title="Late")

    done = await updated(database)

    assert sum(each.embedded for each in done) == 1
    assert len(await vectors(database)) == len(products) + 1


@pytest.mark.parametrize("count", [2, 40])
async def test_a_batch_costs_the_same_statements_however_many_products_changed(
    database: Database, catalogue: Catalogue, count: int
) -> None:
    await updated(database)
    await catalogue.upsert(*numbered(count))
    made = updater(database)

    with recorded(database.reader) as read, recorded(database.writer) as written:
        done = await made.step()

    assert done.embedded == count
    # State, both ends of the log, events, what is kept, products and tags; without categories, of which there are none.
    assert len(read) == 9
    assert len(written) == 3


async def test_hostile_texts_have_vectors(database: Database, catalogue: Catalogue) -> None:
    texts = ["🎉" * 50, "<" * 3_000, "a" * 50_000, "\u202e \u200b"]
    for number, text in enumerate(texts):
        await catalogue.add(a_product(handle=f"h{number}", title="T", description=text))

    await updated(database)

    assert len(await vectors(database)) == len(texts)
