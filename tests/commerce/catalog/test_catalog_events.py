"""Every way to write the catalogue leaves exactly the events of what it did; a refused one leaves none."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import true

from commerce.catalog.commands import ProductData
from commerce.catalog.entities import Product
from commerce.catalog.seed import seed_demo
from commerce.catalog.transfer import importer
from commerce.catalog.transfer.importer import import_products
from core.database import Database
from core.errors import AppError
from core.eventlog import MAX_LIMIT, Event, EventLog
from tests.factories.catalogue import FULL, Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.products import a_product, a_variant, sized
from tests.factories.statements import recorded
from tests.factories.transfers import a_row, shopify_csv


async def log(database: Database) -> list[Event]:
    async with database.read() as session:
        return (await EventLog(session).after(None, visible=true(), limit=MAX_LIMIT))[0]


async def told(catalogue: Catalogue) -> list[tuple[str, str]]:
    return [(event.type, event.subject) for event in await log(catalogue.database)]


def described(product: Product) -> dict[str, Any]:
    head = product.head
    return {
        "id": head.id,
        "handle": head.handle,
        "title": head.title,
        "status": head.status,
        "version": head.version,
    }


async def test_created_product_is_told_once(catalogue: Catalogue, clock: FakeClock) -> None:
    made = await catalogue.add(FULL)

    (event,) = await log(catalogue.database)

    assert event == Event(
        event.position, "product.created", made.head.id, clock.now(), described(made), "everybody", None
    )


async def test_updated_product_is_told_as_it_is_now(catalogue: Catalogue, clock: FakeClock) -> None:
    made = await catalogue.create()
    clock.advance(minutes=1)

    after = await catalogue.update(made, title="Storm Jacket", handle="storm-jacket")

    _, event = await log(catalogue.database)
    assert event == Event(
        event.position, "product.updated", made.head.id, clock.now(), described(after), "everybody", None
    )
    assert event.data["version"] == 2


async def test_deleted_product_is_told_as_it_was(catalogue: Catalogue) -> None:
    made = await catalogue.create()

    await catalogue.delete(made.head.id)

    _, event = await log(catalogue.database)
    assert (event.type, event.subject, event.data) == ("product.deleted", made.head.id, described(made))
    assert event.visibility == "everybody"


async def test_update_that_changes_nothing_is_not_told(catalogue: Catalogue) -> None:
    made = await catalogue.add(FULL)

    await catalogue.update(made, title=FULL.title)

    assert await told(catalogue) == [("product.created", made.head.id)]


async def test_stock_is_told_of_each_variant_whose_stock_changed_and_of_no_other(catalogue: Catalogue) -> None:
    small, medium, large = (a_variant(options={"Size": size}, sku=size, stock=5) for size in "SML")
    made = await catalogue.create(options=("Size",), variants=(small, medium, large))
    extra = a_variant(options={"Size": "XL"}, stock=9)

    after = await catalogue.update(
        made, variants=(replace(small, stock=4, sku="S2"), replace(medium, price=1), replace(large, stock=None), extra)
    )

    _, updated, *levels = await log(catalogue.database)
    assert updated.type == "product.updated"
    assert [(event.type, event.subject, event.visibility) for event in levels] == [
        ("stock.changed", made.head.id, "everybody")
    ] * 2
    assert [event.data for event in levels] == [
        {"product_id": made.head.id, "variant_id": after.variants[0].id, "sku": "S2", "stock": 4},
        {"product_id": made.head.id, "variant_id": after.variants[2].id, "sku": "L", "stock": None},
    ]


@pytest.mark.parametrize(
    ("before", "after", "of_product", "of_stock"),
    [
        ("active", "active", "everybody", "everybody"),
        ("active", "draft", "everybody", "editors"),
        ("draft", "active", "everybody", "everybody"),
        ("draft", "archived", "editors", "editors"),
    ],
)
async def test_who_may_see_a_change_follows_from_what_was_and_is_on_sale(
    catalogue: Catalogue, before: str, after: str, of_product: str, of_stock: str
) -> None:
    made = await catalogue.create(status=before, variants=(a_variant(stock=1),))

    await catalogue.update(made, status=after, variants=(a_variant(stock=2),))
    await catalogue.delete(made.head.id)

    events = await log(catalogue.database)
    assert [(event.type, event.visibility) for event in events] == [
        ("product.created", "everybody" if before == "active" else "editors"),
        ("product.updated", of_product),
        ("stock.changed", of_stock),
        ("product.deleted", "everybody" if after == "active" else "editors"),
    ]


async def test_batch_is_told_of_what_it_made_and_changed_in_its_order(catalogue: Catalogue) -> None:
    same = await catalogue.create(handle="same")
    old = await catalogue.create(handle="old", variants=(a_variant(stock=1),))

    await catalogue.upsert(
        a_product(handle="new"),
        a_product(handle="same"),
        a_product(handle="wrong", title=""),
        a_product(handle="old", title="Other", variants=(a_variant(stock=2),)),
    )

    new = (await catalogue.everything())["new"].head.id
    assert await told(catalogue) == [
        ("product.created", same.head.id),
        ("product.created", old.head.id),
        ("product.created", new),
        ("product.updated", old.head.id),
        ("stock.changed", old.head.id),
    ]
    versions = [event.data["version"] for event in (await log(catalogue.database)) if "version" in event.data]
    assert versions == [1, 1, 1, 2]


async def test_product_of_a_batch_that_breaks_a_constraint_is_not_told(catalogue: Catalogue) -> None:
    await catalogue.create(handle="owner", variants=(a_variant(sku="A"),))

    await catalogue.upsert(
        a_product(handle="one"), a_product(handle="thief", variants=(a_variant(sku="A"),)), a_product(handle="two")
    )

    assert [event.data["handle"] for event in await log(catalogue.database)] == ["owner", "one", "two"]


async def test_dry_run_is_not_told(catalogue: Catalogue) -> None:
    await catalogue.upsert(a_product(), dry_run=True)

    assert await log(catalogue.database) == []


Refused = Callable[[Catalogue, Product], Any]
REFUSED: dict[str, Refused] = {
    "invalid create": lambda catalogue, _: catalogue.create(title=""),
    "taken handle": lambda catalogue, _: catalogue.create(handle="rain-jacket"),
    "taken sku": lambda catalogue, _: catalogue.create(handle="x", variants=(a_variant(sku="R-S"),)),
    "invalid update": lambda catalogue, made: catalogue.update(made, status="sold"),
    "stale update": lambda catalogue, made: catalogue.update(made, title="Other", expected_version=7),
    "stale delete": lambda catalogue, made: catalogue.delete(made.head.id, expected_version=7),
    "unknown delete": lambda catalogue, _: catalogue.delete("prod_x"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_refused_write_is_not_told(catalogue: Catalogue, name: str) -> None:
    made = await catalogue.add(FULL)
    before = await log(catalogue.database)

    with pytest.raises(AppError):
        await REFUSED[name](catalogue, made)

    assert await log(catalogue.database) == before
    assert len(before) == 1


async def test_demo_is_told_product_by_product(database: Database) -> None:
    made = await seed_demo(database, FakeClock(), "USD")

    events = await log(database)
    assert made > 0
    assert [event.type for event in events] == ["product.created"] * made


async def take(database: Database, content: bytes) -> str:
    return str(await import_products(database, FakeClock(), io.BytesIO(content), "csv", currency="USD"))


async def test_import_is_told_product_by_product_with_as_many_statements_for_many_as_for_few(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "BATCH", 100)
    few = shopify_csv(*(a_row(f"few-{number}") for number in range(5)))
    many = shopify_csv(*(a_row(f"many-{number}") for number in range(200)))

    with recorded(database.writer) as for_few:
        await take(database, few)
    with recorded(database.writer) as for_many:
        await take(database, many)
    with recorded(database.writer) as for_the_same:
        await take(database, many)

    events = await log(database)
    assert [event.data["handle"] for event in events] == [
        *(f"few-{number}" for number in range(5)),
        *(f"many-{number}" for number in range(200)),
    ]
    assert len(for_many) <= 2 * len(for_few)
    assert sum("INTO events" in statement for statement in for_many) == 2  # batches
    assert sum("INTO audit_log" in statement for statement in for_many) == 2
    assert [statement for statement in for_the_same if not statement.lstrip().startswith("SELECT")] == []


async def test_event_is_the_last_thing_that_a_change_writes(catalogue: Catalogue) -> None:
    """What holds back other writers of the log is held for as short as can be."""

    async def last_table(change: Any) -> str:
        with recorded(catalogue.database.writer) as statements:
            await change
        return statements[-1].split()[2]

    made = await catalogue.add(FULL)
    big: ProductData = a_product(handle="big", **sized("S", "M", stock=1))

    assert await last_table(catalogue.create(handle="other")) == "events"
    assert await last_table(catalogue.update(made, title="New")) == "events"
    assert await last_table(catalogue.upsert(big)) == "events"
    assert await last_table(catalogue.delete(made.head.id)) == "events"
