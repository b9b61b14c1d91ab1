import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select, text

from commerce.catalog.commands import ProductData, data_of
from commerce.catalog.entities import Product
from commerce.catalog.errors import DuplicateHandle, DuplicateSku, InvalidProduct, ProductNotFound
from commerce.catalog.models import DocumentRow, ImageRow, RetiredHandleRow, TagRow, VariantRow
from commerce.catalog.repository import ProductRepository
from commerce.catalog.service import CatalogService, Outcome
from core.database import Database
from core.errors import StaleVersion
from tests.factories.clocks import NOON, FakeClock
from tests.factories.products import a_product, a_variant, an_image, sized
from tests.factories.statements import recorded

FULL = a_product(
    description="<p>Dry</p>",
    vendor="Ridge",
    category="Jackets",
    tags=("new", "rain"),
    options=("Size", "Color"),
    variants=(
        a_variant(
            price=4999,
            options={"Size": "S", "Color": "Red"},
            sku="R-S",
            compare_at_price=5999,
            stock=3,
            inventory_policy="continue",
            weight_grams=300,
            barcode="0042",
            extra={"Variant Tax Code": "P1"},
        ),
        a_variant(price=3999, options={"Size": "M", "Color": "Red"}, sku="R-M"),
    ),
    images=(
        an_image(alt="Front", width=800, height=600, extra={"Image Source": "studio"}),
        an_image(url="https://images.example.com/back.jpg"),
    ),
    extra={"Gift Card": "false", "SEO Title": "Rain"},
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


class Catalogue:
    """One transaction a call, as a request has it."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.database = database
        self.clock = clock

    async def create(self, **changes: Any) -> Product:
        return await self.add(a_product(**changes))

    async def add(self, data: ProductData) -> Product:
        async with self.database.write() as session:
            return await CatalogService(session, self.clock).create(data)

    async def update(self, product: Product, *, expected_version: int | None = None, **changes: Any) -> Product:
        async with self.database.write() as session:
            service = CatalogService(session, self.clock)
            return await service.update(
                product.head.id, lambda data: replace(data, **changes), expected_version=expected_version
            )

    async def delete(self, product_id: str, *, expected_version: int | None = None) -> None:
        async with self.database.write() as session:
            await CatalogService(session, self.clock).delete(product_id, expected_version=expected_version)

    async def upsert(self, *batch: ProductData, dry_run: bool = False) -> list[Outcome]:
        async with self.database.write() as session:
            return await CatalogService(session, self.clock).upsert(batch, dry_run=dry_run)

    async def free_handle(self, title: str) -> str:
        async with self.database.write() as session:
            return await CatalogService(session, self.clock).free_handle(title)

    async def everything(self) -> dict[str, Product]:
        async with self.database.read() as session:
            repository = ProductRepository(session)
            ids = await repository.ids_after("", 100, include_unpublished=True)
            return {product.head.handle: product for product in await repository.products(ids)}

    async def slugs(self) -> dict[str, str]:
        async with self.database.read() as session:
            return {category.name: category.slug for category in await ProductRepository(session).categories()}

    async def renamed(self, handle: str) -> str | None:
        async with self.database.read() as session:
            return await ProductRepository(session).handle_after_rename(handle, include_unpublished=False)


@pytest.fixture
def catalogue(database: Database, clock: FakeClock) -> Catalogue:
    return Catalogue(database, clock)


async def test_created_product_is_read_back_whole(catalogue: Catalogue) -> None:
    made = await catalogue.add(FULL)

    assert data_of(made) == FULL
    assert (made.head.version, made.head.created_at, made.head.updated_at) == (1, NOON, NOON)
    assert (made.head.price_min, made.head.price_max) == (3999, 4999)
    assert made.category is not None
    assert (made.category.name, made.category.slug) == ("Jackets", "jackets")
    assert [variant.title for variant in made.variants] == ["S / Red", "M / Red"]
    assert list(made.head.extra) == ["Gift Card", "SEO Title"]
    assert await catalogue.everything() == {"rain-jacket": made}


async def test_description_is_cleaned(catalogue: Catalogue) -> None:
    made = await catalogue.create(description='<p onclick="x()">Dry<script>alert(1)</script></p>')

    assert made.head.description == "<p>Dry</p>"


async def test_invalid_product_is_refused_with_every_fault_and_not_made(catalogue: Catalogue) -> None:
    with pytest.raises(InvalidProduct) as refused:
        await catalogue.create(title="", category="Jackets", variants=(a_variant(price=-1),))

    assert [fault.pointer for fault in refused.value.errors] == ["/title", "/variants/0/price"]
    assert refused.value.detail == "title is blank (and 1 more)"
    assert await catalogue.everything() == {}
    assert await catalogue.slugs() == {}


async def test_description_that_outgrows_its_limit_when_cleaned_is_refused(catalogue: Catalogue) -> None:
    with pytest.raises(InvalidProduct) as refused:
        await catalogue.create(description="<p>" + "& " * 200_000 + "</p>")

    assert [(fault.pointer, fault.code) for fault in refused.value.errors] == [("/description", "too_long")]


async def test_update_changes_what_it_is_told_and_bumps_the_version_by_one(
    catalogue: Catalogue, clock: FakeClock
) -> None:
    before = await catalogue.add(FULL)
    clock.advance(minutes=5)

    after = await catalogue.update(before, title="Storm Jacket", tags=("sale",), images=())

    assert data_of(after) == replace(FULL, title="Storm Jacket", tags=("sale",), images=())
    assert (after.head.version, after.head.created_at) == (2, NOON)
    assert after.head.updated_at == clock.now()
    assert await catalogue.everything() == {"rain-jacket": after}


async def test_update_is_found_by_its_new_words_alone(catalogue: Catalogue) -> None:
    product = await catalogue.create(title="Rain Jacket")

    await catalogue.update(product, title="Storm Coat")

    async with catalogue.database.read() as session:
        found = await session.scalar(select(DocumentRow.title))
    assert found == "storm coat"


async def test_update_that_changes_nothing_writes_nothing_and_keeps_the_version(
    catalogue: Catalogue, clock: FakeClock
) -> None:
    before = await catalogue.add(FULL)
    clock.advance(minutes=5)

    with recorded(catalogue.database.writer) as statements:
        after = await catalogue.update(before, title=FULL.title)

    assert after == before
    assert [each for each in statements if not each.lstrip().startswith("SELECT")] == []


async def test_update_of_an_invalid_value_changes_nothing(catalogue: Catalogue) -> None:
    before = await catalogue.add(FULL)

    with pytest.raises(InvalidProduct):
        await catalogue.update(before, title="Storm Jacket", status="sold")

    assert await catalogue.everything() == {"rain-jacket": before}


async def test_expected_version_is_let_through(catalogue: Catalogue) -> None:
    product = await catalogue.create()

    after = await catalogue.update(product, title="Storm Jacket", expected_version=1)

    assert (after.head.title, after.head.version) == ("Storm Jacket", 2)


async def test_stale_version_is_refused_and_changes_nothing(catalogue: Catalogue) -> None:
    product = await catalogue.create()
    current = await catalogue.update(product, title="Storm Jacket")

    with pytest.raises(StaleVersion) as refused:
        await catalogue.update(product, title="Lost", expected_version=1)
    with pytest.raises(StaleVersion):
        await catalogue.delete(product.head.id, expected_version=1)

    assert refused.value.detail == "the product is at version 2, not 1"
    assert await catalogue.everything() == {"rain-jacket": current}


async def test_one_of_two_updates_of_the_same_version_at_once_is_stale(catalogue: Catalogue) -> None:
    product = await catalogue.create()

    results = await asyncio.gather(
        catalogue.update(product, title="One", expected_version=1),
        catalogue.update(product, title="Two", expected_version=1),
        return_exceptions=True,
    )

    assert sorted(type(result).__name__ for result in results) == ["Product", "StaleVersion"]
    assert (await catalogue.everything())["rain-jacket"].head.version == 2


async def test_updates_at_once_lose_none(catalogue: Catalogue) -> None:
    product = await catalogue.create()

    async def add_tag(number: int) -> None:
        async with catalogue.database.write() as session:
            await CatalogService(session, catalogue.clock).update(
                product.head.id, lambda data: replace(data, tags=(*data.tags, f"tag-{number}"))
            )

    await asyncio.gather(*(add_tag(number) for number in range(10)))

    after = (await catalogue.everything())["rain-jacket"]
    assert sorted(after.tags) == [f"tag-{number}" for number in range(10)]
    assert after.head.version == 11


async def test_deleted_product_leaves_nothing_behind(catalogue: Catalogue) -> None:
    product = await catalogue.add(FULL)
    await catalogue.update(product, handle="storm-jacket")

    await catalogue.delete(product.head.id, expected_version=2)

    assert await catalogue.everything() == {}
    async with catalogue.database.read() as session:
        for row in (VariantRow, ImageRow, TagRow, RetiredHandleRow, DocumentRow):
            assert await session.scalar(select(func.count()).select_from(row)) == 0


async def test_product_that_does_not_exist_cannot_be_changed(catalogue: Catalogue) -> None:
    gone = await catalogue.create()
    await catalogue.delete(gone.head.id)

    with pytest.raises(ProductNotFound):
        await catalogue.update(gone, title="Lost")
    with pytest.raises(ProductNotFound):
        await catalogue.delete(gone.head.id)


async def test_rename_leads_the_old_handle_to_the_new_one(catalogue: Catalogue) -> None:
    product = await catalogue.create(handle="one")

    product = await catalogue.update(product, handle="two")
    await catalogue.update(product, handle="three")

    assert await catalogue.renamed("one") == "three"
    assert await catalogue.renamed("two") == "three"
    assert await catalogue.renamed("three") is None


async def test_rename_back_leads_the_other_way(catalogue: Catalogue) -> None:
    product = await catalogue.create(handle="one")
    product = await catalogue.update(product, handle="two")

    await catalogue.update(product, handle="one")

    assert await catalogue.renamed("two") == "one"
    assert await catalogue.renamed("one") is None


async def test_new_product_may_claim_a_retired_handle(catalogue: Catalogue) -> None:
    old = await catalogue.create(handle="one")
    await catalogue.update(old, handle="two")

    new = await catalogue.create(handle="one")

    assert await catalogue.renamed("one") is None
    assert {handle: product.head.id for handle, product in (await catalogue.everything()).items()} == {
        "one": new.head.id,
        "two": old.head.id,
    }


async def test_retired_handle_of_a_draft_is_not_told(catalogue: Catalogue) -> None:
    product = await catalogue.create(handle="one")

    await catalogue.update(product, handle="two", status="draft")

    assert await catalogue.renamed("one") is None


async def test_variants_keep_their_ids_while_their_options_stay(catalogue: Catalogue) -> None:
    before = await catalogue.create(**sized("S", "M", "L"))
    ids = {variant.title: variant.id for variant in before.variants}

    after = await catalogue.update(before, **sized("XL", "L", "S", price=2999))

    now = {variant.title: variant.id for variant in after.variants}
    assert list(now) == ["XL", "L", "S"]
    assert (now["L"], now["S"]) == (ids["L"], ids["S"])
    assert now["XL"] not in ids.values()
    assert [variant.price for variant in after.variants] == [2999, 2999, 2999]
    assert (after.head.price_min, after.head.price_max) == (2999, 2999)


async def test_images_keep_their_ids_while_their_addresses_stay(catalogue: Catalogue) -> None:
    before = await catalogue.add(FULL)

    after = await catalogue.update(before, images=(FULL.images[1], an_image(url="https://a.example/new.jpg")))

    assert after.images[0].id == before.images[1].id
    assert after.images[1].id not in {image.id for image in before.images}


async def test_two_variants_swap_their_skus(catalogue: Catalogue) -> None:
    small, medium = a_variant(options={"Size": "S"}, sku="A"), a_variant(options={"Size": "M"}, sku="B")
    before = await catalogue.create(options=("Size",), variants=(small, medium))

    after = await catalogue.update(before, variants=(replace(small, sku="B"), replace(medium, sku="A")))

    assert [(variant.id, variant.sku) for variant in after.variants] == [
        (before.variants[0].id, "B"),
        (before.variants[1].id, "A"),
    ]


async def test_sku_moves_to_a_new_variant(catalogue: Catalogue) -> None:
    before = await catalogue.create(**sized("S", sku="A"))

    after = await catalogue.update(before, **sized("M", sku="A"))

    assert [(variant.title, variant.sku) for variant in after.variants] == [("M", "A")]


async def test_taken_sku_is_refused_by_its_owner_and_nothing_changes(catalogue: Catalogue) -> None:
    owner = await catalogue.create(handle="owner", variants=(a_variant(sku="A"),))
    other = await catalogue.create(handle="other", variants=(a_variant(sku="B"),))
    taken = (a_variant(sku="A"),)

    for attempt in (
        catalogue.create(handle="third", category="New", variants=taken),
        catalogue.update(other, title="Lost", variants=taken),
    ):
        with pytest.raises(DuplicateSku) as refused:
            await attempt
        assert refused.value.detail == "SKU 'A' belongs to product 'owner'"

    assert await catalogue.everything() == {"owner": owner, "other": other}
    assert await catalogue.slugs() == {}


async def test_taken_handle_is_refused_and_nothing_changes(catalogue: Catalogue) -> None:
    owner = await catalogue.create(handle="owner")
    other = await catalogue.create(handle="other")

    for attempt in (catalogue.create(handle="owner", title="Lost"), catalogue.update(other, handle="owner")):
        with pytest.raises(DuplicateHandle) as refused:
            await attempt
        assert refused.value.detail == "handle 'owner' belongs to another product"

    assert await catalogue.everything() == {"owner": owner, "other": other}
    assert await catalogue.renamed("other") is None


async def test_products_of_one_category_share_it(catalogue: Catalogue) -> None:
    first = await catalogue.create(handle="one", category="Rain Jackets")

    second = await catalogue.create(handle="two", category="Rain Jackets")

    assert second.category == first.category
    assert await catalogue.slugs() == {"Rain Jackets": "rain-jackets"}


async def test_categories_of_like_names_have_slugs_of_their_own(catalogue: Catalogue) -> None:
    for number, name in enumerate(("Rain Jackets", "rain jackets!", "Rain-Jackets")):
        await catalogue.create(handle=f"p{number}", category=name)

    assert await catalogue.slugs() == {
        "Rain Jackets": "rain-jackets",
        "rain jackets!": "rain-jackets-2",
        "Rain-Jackets": "rain-jackets-3",
    }


async def test_categories_of_like_names_in_one_batch_have_slugs_of_their_own(catalogue: Catalogue) -> None:
    await catalogue.upsert(a_product(handle="a", category="Hats"), a_product(handle="b", category="hats"))

    assert await catalogue.slugs() == {"Hats": "hats", "hats": "hats-2"}


async def test_category_is_taken_off(catalogue: Catalogue) -> None:
    product = await catalogue.create(category="Hats")

    after = await catalogue.update(product, category=None)

    assert after.category is None
    assert after.head.category_id is None


@pytest.mark.parametrize(
    ("title", "handle"), [("Storm Coat", "storm-coat"), ("Rain Jacket!", "rain-jacket-3"), ("Export", "export-2")]
)
async def test_free_handle_is_made_of_the_title(catalogue: Catalogue, title: str, handle: str) -> None:
    await catalogue.create(handle="rain-jacket")
    await catalogue.create(handle="rain-jacket-2")

    assert await catalogue.free_handle(title) == handle


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
