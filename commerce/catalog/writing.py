"""Products as callers say them, made into products as they are to be: the same at every door.

Prices are in the currency of the shop, or of the product that is changed; options are put into the product's order; and
what a caller cannot say, the kept columns of an import, stays.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from commerce.catalog.commands import (
    SINGLE_VARIANT,
    CreateProduct,
    GivenVariant,
    ProductChange,
    ProductData,
    UpdateProduct,
    VariantData,
)
from commerce.catalog.entities import Product
from commerce.catalog.errors import InvalidProduct
from commerce.catalog.service import CatalogService
from core.database import WriteSession
from core.errors import FieldError
from core.resources import Resources

Action = Callable[[WriteSession], Awaitable[Product]]
_PRICE = re.compile(r"/variants/\d+/(price|compare_at_price)")


def creation(command: CreateProduct, resources: Resources, *, actor: str) -> Action:
    """The action that creates it, for `Idempotency.run`. It raises what `CatalogService.create` raises."""

    async def create(session: WriteSession) -> Product:
        catalog = CatalogService(session, resources.clock, actor=actor)
        handle = command.handle if command.handle is not None else await catalog.free_handle(command.title)
        with _as_callers_say():
            return await catalog.create(_created(command, handle, resources.settings.shop.currency))

    return create


def changing(command: UpdateProduct, resources: Resources, *, actor: str) -> Action:
    """The action that changes it, for `Idempotency.run`. It raises what `CatalogService.update` raises."""

    async def change(session: WriteSession) -> Product:
        catalog = CatalogService(session, resources.clock, actor=actor)
        with _as_callers_say():
            return await catalog.update(
                command.product_id,
                lambda before: _changed(command.change, before),
                expected_version=command.expected_version,
            )

    return change


@contextmanager
def _as_callers_say() -> Iterator[None]:
    """A product's price is a number, the one that callers say has that for its amount: a fault is there."""
    try:
        yield
    except InvalidProduct as error:
        faults = (
            replace(fault, pointer=f"{fault.pointer}/amount") if _PRICE.fullmatch(fault.pointer) else fault
            for fault in error.errors
        )
        raise InvalidProduct(error.detail, errors=tuple(faults)) from error


def _created(command: CreateProduct, handle: str, currency: str) -> ProductData:
    options = _option_names(command.variants)
    return ProductData(
        handle=handle,
        title=command.title,
        variants=_variants(command.variants, options, currency),
        currency=currency,
        description=command.description,
        vendor=command.vendor,
        category=command.category,
        tags=command.tags,
        status=command.status,
        options=options,
        images=command.images,
    )


def _changed(change: ProductChange, before: ProductData) -> ProductData:
    fields: dict[str, Any] = dict(change)
    if "variants" in change:
        options = _option_names(change["variants"])
        extras = {tuple(old.options.values()): old.extra for old in before.variants}
        fields["options"] = options
        fields["variants"] = tuple(
            replace(variant, extra=extras.get(tuple(variant.options.values()), {}))
            for variant in _variants(change["variants"], options, before.currency)
        )
    if "images" in change:
        kept = {old.url: old.extra for old in before.images}
        fields["images"] = tuple(replace(image, extra=kept.get(image.url, {})) for image in change["images"])
    return replace(before, **fields)


def _option_names(variants: Sequence[GivenVariant]) -> tuple[str, ...]:
    """Those of the first variant: the others must have the same."""
    return tuple(_options(variants[0])) if variants else tuple(SINGLE_VARIANT)


def _options(variant: GivenVariant) -> dict[str, str]:
    if variant.options:
        return variant.options
    return {"Title": variant.title} if variant.title else SINGLE_VARIANT


def _variants(variants: Sequence[GivenVariant], names: Sequence[str], currency: str) -> tuple[VariantData, ...]:
    """Raises InvalidProduct for a price in another currency."""
    foreign = [
        FieldError(f"/variants/{index}/{name}/currency", "invalid", f"prices of this shop are in {currency}")
        for index, variant in enumerate(variants)
        for name, price in (("price", variant.price), ("compare_at_price", variant.compare_at_price))
        if price is not None and price.currency not in (None, currency)
    ]
    if foreign:
        raise InvalidProduct(foreign[0].message, errors=tuple(foreign))
    return tuple(
        VariantData(
            price=variant.price.amount,
            options=_in_order(_options(variant), names),
            sku=variant.sku,
            compare_at_price=variant.compare_at_price.amount if variant.compare_at_price else None,
            stock=variant.stock,
            inventory_policy=variant.inventory_policy,
            weight_grams=variant.weight_grams,
            barcode=variant.barcode,
        )
        for variant in variants
    )


def _in_order(options: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """JSON objects have no order."""
    rank = {name: index for index, name in enumerate(names)}
    return dict(sorted(options.items(), key=lambda item: rank.get(item[0], len(rank))))
