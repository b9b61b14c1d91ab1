"""Every write of the catalogue leaves one entry in the audit log: what changed, and who did it."""

import io
from typing import Any

import pytest

from commerce.audit.log import AuditEntry, AuditRepository
from commerce.catalog.errors import DuplicateHandle
from commerce.catalog.seed import seed_demo
from commerce.catalog.service import CatalogService
from commerce.catalog.transfer import importer
from commerce.catalog.transfer.importer import import_products
from core.database import Database
from tests.factories.catalogue import FULL, Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.products import a_product, a_variant
from tests.factories.transfers import a_row, shopify_csv


async def entries(database: Database) -> list[AuditEntry]:
    """Oldest first."""
    async with database.read() as session:
        found, _ = await AuditRepository(session).newest(limit=1000)
    return found[::-1]


async def newest(catalogue: Catalogue) -> AuditEntry:
    return (await entries(catalogue.database))[-1]


async def test_entry_of_a_new_product_has_all_that_is_shown_of_it(catalogue: Catalogue, clock: FakeClock) -> None:
    made = await catalogue.add(FULL)

    (entry,) = await entries(catalogue.database)

    small, medium = made.variants
    assert (entry.action, entry.subject, entry.actor, entry.at) == (
        "product.create",
        made.head.id,
        "system",
        clock.now(),
    )
    assert entry.before is None
    assert entry.after is not None
    assert {name: value for name, value in entry.after.items() if name not in (small.id, medium.id, "images")} == {
        "handle": "rain-jacket",
        "title": "Rain Jacket",
        "description": "<p>Dry</p>",
        "vendor": "Ridge",
        "category": "Jackets",
        "tags": ["new", "rain"],
        "status": "active",
        "options": ["Size", "Color"],
        "currency": "USD",
    }
    assert entry.after[small.id] == {
        "id": small.id,
        "sku": "R-S",
        "options": {"Size": "S", "Color": "Red"},
        "price": 4999,
        "compare_at_price": 5999,
        "stock": 3,
        "inventory_policy": "continue",
        "weight_grams": 300,
        "barcode": "0042",
    }
    assert [image["url"] for image in entry.after["images"]] == [image.url for image in made.images]
    assert "studio" not in str(entry.after)  # a kept column of an import is nobody's to read


async def test_entry_of_a_change_has_what_changed_and_nothing_else(catalogue: Catalogue) -> None:
    small = a_variant(options={"Size": "S"}, sku="A", stock=3)
    medium = a_variant(options={"Size": "M"}, sku="B")
    made = await catalogue.create(options=("Size",), variants=(small, medium), tags=("new",))
    lowered = a_variant(options={"Size": "S"}, sku="A", stock=2)

    await catalogue.update(made, title="Other", tags=(), variants=(lowered, medium))

    entry = await newest(catalogue)
    known = {"id": made.variants[0].id, "sku": "A", "options": {"Size": "S"}, "price": 1999}
    known |= {"compare_at_price": None, "inventory_policy": "deny", "weight_grams": None, "barcode": None}
    assert (entry.action, entry.subject) == ("product.update", made.head.id)
    assert entry.before == {"title": "Rain Jacket", "tags": ["new"], made.variants[0].id: known | {"stock": 3}}
    assert entry.after == {"title": "Other", "tags": [], made.variants[0].id: known | {"stock": 2}}


async def test_variants_that_come_and_go_stand_on_one_side_of_the_entry(catalogue: Catalogue) -> None:
    made = await catalogue.create(options=("Size",), variants=(a_variant(options={"Size": "S"}),))

    after = await catalogue.update(made, variants=(a_variant(options={"Size": "M"}),))

    entry = await newest(catalogue)
    assert entry.before is not None
    assert entry.after is not None
    assert (list(entry.before), list(entry.after)) == ([made.variants[0].id], [after.variants[0].id])


async def test_entry_of_a_deletion_has_what_there_was(catalogue: Catalogue) -> None:
    made = await catalogue.create()
    created = await newest(catalogue)

    await catalogue.delete(made.head.id)

    entry = await newest(catalogue)
    assert (entry.action, entry.subject, entry.before, entry.after) == (
        "product.delete",
        made.head.id,
        created.after,
        None,
    )


async def test_long_description_is_kept_in_part_and_told_apart_from_others_that_begin_alike(
    catalogue: Catalogue,
) -> None:
    made = await catalogue.create(description="x" * 300_000)

    await catalogue.update(made, description="x" * 299_999 + "y")

    entry = await newest(catalogue)
    assert entry.before is not None
    assert entry.after is not None
    before, after = entry.before["description"], entry.after["description"]
    assert before != after
    assert before.startswith("x" * 10_000 + "... (300000 characters, SHA-256 ")
    assert max(len(before), len(after)) < 10_200


async def test_update_that_changes_nothing_and_refused_writes_leave_no_entry(catalogue: Catalogue) -> None:
    made = await catalogue.create()
    await catalogue.create(handle="other")
    before = await entries(catalogue.database)

    await catalogue.update(made, title=made.head.title)
    await catalogue.upsert(a_product(), dry_run=False)
    await catalogue.upsert(a_product(handle="new"), dry_run=True)
    with pytest.raises(DuplicateHandle):
        await catalogue.update(made, handle="other")

    assert await entries(catalogue.database) == before
    assert len(before) == 2


async def test_batch_leaves_one_entry_with_what_it_made_and_changed(catalogue: Catalogue) -> None:
    await catalogue.create(handle="old")
    await catalogue.create(handle="same")

    await catalogue.upsert(
        a_product(handle="b"),
        a_product(handle="old", title="Other"),
        a_product(handle="same"),
        a_product(handle="wrong", title=""),
        a_product(handle="a"),
    )

    *_, entry = found = await entries(catalogue.database)
    assert len(found) == 3
    assert (entry.action, entry.subject, entry.before) == ("catalog.import", "batch", None)
    assert entry.after == {"counts": {"created": 2, "updated": 1}, "created": ["b", "a"], "updated": ["old"]}


async def test_actor_is_who_the_caller_says(catalogue: Catalogue) -> None:
    async with catalogue.database.write() as session:
        service = CatalogService(session, catalogue.clock, actor="user:usr_1")
        made = await service.create(a_product())
        await service.update(made.head.id, lambda _: a_product(title="Other"))
        await service.upsert([a_product(handle="other")])
        await service.delete(made.head.id)

    found = await entries(catalogue.database)
    assert [entry.action for entry in found] == ["product.create", "product.update", "catalog.import", "product.delete"]
    assert {entry.actor for entry in found} == {"user:usr_1"}


async def test_import_leaves_an_entry_a_batch_under_the_files_name(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "BATCH", 2)
    content = shopify_csv(*(a_row(f"p{number}") for number in range(5)))

    async def take(**options: Any) -> None:
        file = io.BytesIO(content)
        await import_products(
            database, FakeClock(), file, "csv", currency="USD", actor="cli", name="spring.csv", **options
        )

    await take(dry_run=True)
    assert await entries(database) == []
    await take()
    await take()  # nothing is changed any more

    found = await entries(database)
    assert {(entry.actor, entry.action, entry.subject) for entry in found} == {("cli", "catalog.import", "spring.csv")}
    assert [entry.after["created"] for entry in found if entry.after] == [["p0", "p1"], ["p2", "p3"], ["p4"]]


async def test_demo_is_the_programs_own_doing(database: Database) -> None:
    made = await seed_demo(database, FakeClock(), "USD")

    (entry,) = await entries(database)
    assert (entry.actor, entry.action, entry.subject) == ("system", "catalog.import", "demo.jsonl")
    assert entry.after is not None
    assert entry.after["counts"] == {"created": made, "updated": 0}
