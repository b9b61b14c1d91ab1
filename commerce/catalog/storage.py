"""Writes of whole products, many at a time: one statement a table, however many products.

Variants keep their ids where their options stay the same, so that what refers to them (carts, orders) stays right.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from operator import itemgetter

from sqlalchemy import Table, delete, update

from commerce.catalog.commands import SINGLE_VARIANT, ImageData, ProductData, VariantData, data_of
from commerce.catalog.entities import Category, Product
from commerce.catalog.models import (
    CategoryRow,
    DocumentRow,
    ImageRow,
    ProductRow,
    RetiredHandleRow,
    TagRow,
    VariantRow,
)
from commerce.catalog.text import fold, search_words
from commerce.catalog.uploaded import uploaded_id
from core.bulk import Row, insert_rows, insert_tables, update_rows
from core.database import WriteSession, table_of
from core.ids import new_id
from core.repository import parameter_chunks

# A tsvector holds 1 MiB, which the SKUs and options of 2,048 variants can exceed.
MAX_DETAILS = 200_000


@dataclass(frozen=True, slots=True)
class Save:
    """A product as it is to be, over what it was; `before` is None for a new one."""

    product_id: str
    data: ProductData
    before: Product | None

    @property
    def version(self) -> int:
        return self.before.head.version + 1 if self.before else 1


async def save_products(
    session: WriteSession, saves: Sequence[Save], categories: dict[str, Category], now: datetime
) -> None:
    """Writes all of them in the session's transaction. `categories` holds every category that they name.

    Raises sqlalchemy.exc.IntegrityError where a handle or SKU is taken; the caller then rolls back.
    """
    new = [save for save in saves if save.before is None]
    changed = [save for save in saves if save.before is not None]
    await update_rows(session, table_of(ProductRow), [_product(save, categories, now) for save in changed], key="id")
    await _retire_handles(session, saves)
    added = await _change_variants(session, changed)
    pictured = [*new, *await _without_images(session, changed)]
    tagged = [*new, *await _without_tags(session, changed)]

    def rows() -> Iterator[tuple[Table, list[Row]]]:
        # Both in the order of an index: in the order of the file each row would be on another page of it.
        products = [_product(save, categories, now) for save in new]
        yield table_of(ProductRow), sorted(products, key=itemgetter("vendor", "price_min"))
        yield table_of(VariantRow), [*added, *chain.from_iterable(map(_variants, new))]
        yield table_of(ImageRow), [*chain.from_iterable(map(_images, pictured))]
        tags = [row for save in tagged for row in _tags(save, now)]
        yield table_of(TagRow), sorted(tags, key=itemgetter("tag", "price_min"))
        yield table_of(DocumentRow), [_document(save) for save in new]

    await insert_tables(session, rows())
    await update_rows(session, table_of(DocumentRow), [_document(save) for save in changed], key="product_id")


async def add_categories(session: WriteSession, categories: Iterable[Category]) -> None:
    rows = [{"id": category.id, "name": category.name, "slug": category.slug} for category in categories]
    await insert_rows(session, table_of(CategoryRow), rows)


async def delete_product(session: WriteSession, product_id: str) -> None:
    await session.execute(delete(ProductRow).where(ProductRow.id == product_id))


def _product(save: Save, categories: dict[str, Category], now: datetime) -> Row:
    data, before = save.data, save.before
    prices = [variant.price for variant in data.variants]
    lowest, highest = min(prices), max(prices)
    return {
        "id": save.product_id,
        "handle": data.handle,
        "title": data.title,
        "title_order": fold(data.title),
        "description": data.description,
        "vendor": data.vendor,
        "category_id": categories[data.category].id if data.category is not None else None,
        "status": data.status,
        "options": list(data.options),
        "currency": data.currency,
        "price_min": lowest,
        "price_max": highest,
        "price_spread": highest - lowest,
        "extra": data.extra,
        "version": save.version,
        "created_at": before.head.created_at if before else now,
        "updated_at": now,
    }


async def _retire_handles(session: WriteSession, saves: Sequence[Save]) -> None:
    taken = [save.data.handle for save in saves if save.before is None or save.before.head.handle != save.data.handle]
    if taken:
        await session.execute(delete(RetiredHandleRow).where(RetiredHandleRow.handle.in_(taken)))
    renamed = [
        {"handle": save.before.head.handle, "product_id": save.product_id}
        for save in saves
        if save.before and save.before.head.handle != save.data.handle
    ]
    await insert_rows(session, table_of(RetiredHandleRow), renamed)


async def _change_variants(session: WriteSession, changed: Sequence[Save]) -> list[Row]:
    """Returns the rows of those that are new."""
    new: list[Row] = []
    moved: list[Row] = []
    gone: list[str] = []
    moved_skus: list[str] = []
    for save in changed:
        before = _by_options(save.before) if save.before else {}
        for position, variant in enumerate(save.data.variants):
            old = before.pop(tuple(variant.options.values()), None)
            if old is None:
                new.append(_variant(new_id("var"), save.product_id, position, variant))
            elif (old.position, old.data) != (position, variant):
                moved.append(_variant(old.id, save.product_id, position, variant))
                if old.data.sku is not None and old.data.sku != variant.sku:
                    moved_skus.append(old.id)
        gone.extend(variant.id for variant in before.values())
    for ids in parameter_chunks(gone):
        await session.execute(delete(VariantRow).where(VariantRow.id.in_(ids)))
    for ids in parameter_chunks(moved_skus):
        # Two variants may swap their SKUs: the unique constraint is checked row by row.
        await session.execute(update(VariantRow).where(VariantRow.id.in_(ids)).values(sku=None))
    await update_rows(session, table_of(VariantRow), moved, key="id")
    return new


@dataclass(frozen=True, slots=True)
class _StoredVariant:
    id: str
    position: int
    data: VariantData


def _by_options(product: Product) -> dict[tuple[str, ...], _StoredVariant]:
    pairs = zip(product.variants, data_of(product).variants, strict=True)
    return {
        tuple(variant.options.values()): _StoredVariant(variant.id, position, data)
        for position, (variant, data) in enumerate(pairs)
    }


def _variants(save: Save) -> list[Row]:
    """All of a new product."""
    return [
        _variant(new_id("var"), save.product_id, position, variant)
        for position, variant in enumerate(save.data.variants)
    ]


def _variant(variant_id: str, product_id: str, position: int, variant: VariantData) -> Row:
    return {
        "id": variant_id,
        "product_id": product_id,
        "position": position,
        "sku": variant.sku,
        "options": variant.options,
        "price": variant.price,
        "compare_at_price": variant.compare_at_price,
        "stock": variant.stock,
        "inventory_policy": variant.inventory_policy,
        "weight_grams": variant.weight_grams,
        "barcode": variant.barcode,
        "extra": variant.extra,
    }


async def _without_images(session: WriteSession, changed: Sequence[Save]) -> list[Save]:
    """Those whose images are others now, with none in the database."""
    touched = [save for save in changed if save.before and data_of(save.before).images != save.data.images]
    cleared = [save.product_id for save in touched if save.before and save.before.images]
    if cleared:
        await session.execute(delete(ImageRow).where(ImageRow.product_id.in_(cleared)))
    return touched


def _images(save: Save) -> list[Row]:
    """An image keeps its id while its address stays."""
    ids = {image.url: image.id for image in save.before.images} if save.before else {}
    return [
        _image(ids.pop(image.url, "") or image.id or new_id("img"), save.product_id, position, image)
        for position, image in enumerate(save.data.images)
    ]


def _image(image_id: str, product_id: str, position: int, image: ImageData) -> Row:
    return {
        "id": image_id,
        "product_id": product_id,
        "position": position,
        "url": image.url,
        "alt": image.alt,
        "width": image.width,
        "height": image.height,
        "extra": image.extra,
        "media_id": uploaded_id(image.url),
    }


async def _without_tags(session: WriteSession, changed: Sequence[Save]) -> list[Save]:
    """Those whose tags, or what goes with each, are others now, with none in the database."""
    touched = [save for save in changed if save.before and _tags_differ(save.before, save.data)]
    cleared = [save.product_id for save in touched if save.before and save.before.tags]
    if cleared:
        await session.execute(delete(TagRow).where(TagRow.product_id.in_(cleared)))
    return touched


def _tags(save: Save, now: datetime) -> list[Row]:
    """With each tag goes what its products are ordered by."""
    of_product = {
        "product_id": save.product_id,
        "created_at": save.before.head.created_at if save.before else now,
        "title_order": fold(save.data.title),
        "price_min": min([variant.price for variant in save.data.variants]),
    }
    return [of_product | {"position": position, "tag": tag} for position, tag in enumerate(save.data.tags)]


def _tags_differ(before: Product, data: ProductData) -> bool:
    was = before.tags, before.head.title, before.head.price_min
    return was != (data.tags, data.title, min(variant.price for variant in data.variants))


def _document(save: Save) -> Row:
    data = save.data
    named = [variant.options for variant in data.variants if variant.options != SINGLE_VARIANT]
    options = [value for values in named for value in values.values()]
    skus = [variant.sku for variant in data.variants if variant.sku]
    details = search_words(data.vendor, data.category or "", *data.tags, *skus, *dict.fromkeys(options))
    return {
        "product_id": save.product_id,
        "title": search_words(data.title),
        "details": details[:MAX_DETAILS],
        "description": search_words(data.description),
    }
