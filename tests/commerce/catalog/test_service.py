import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from commerce.catalog.commands import data_of
from commerce.catalog.errors import DuplicateHandle, DuplicateSku, InvalidProduct, ProductNotFound
from commerce.catalog.models import DocumentRow, ImageRow, RetiredHandleRow, TagRow, VariantRow
from commerce.catalog.service import CatalogService
from core.errors import StaleVersion
from tests.factories.catalogue import FULL, Catalogue
from tests.factories.clocks import NOON, FakeClock
from tests.factories.products import a_product, a_variant, an_image, sized
from tests.factories.statements import recorded


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
