"""What can be done to the catalogue. Callers own the transaction; nothing here commits.

Every change is in the audit log, and in the event log as the last thing that a method writes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy.exc import IntegrityError

from commerce.audit.log import SYSTEM, AuditLog
from commerce.catalog import events
from commerce.catalog.audit import batch_facts, facts
from commerce.catalog.checking import checked
from commerce.catalog.commands import ProductData, data_of
from commerce.catalog.entities import Category, Product
from commerce.catalog.errors import DuplicateHandle, DuplicateSku, InvalidProduct, ProductNotFound
from commerce.catalog.repository import ProductRepository, SkuOwner
from commerce.catalog.rules import RESERVED_HANDLES
from commerce.catalog.storage import Save, add_categories, delete_product, save_products
from commerce.catalog.text import slugify
from core.clock import Clock
from core.database import WriteSession
from core.errors import AppError, FieldError, StaleVersion
from core.eventlog import append
from core.ids import new_id

Verdict = Literal["created", "updated", "unchanged", "failed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one product of a batch; `error` says why it failed."""

    verdict: Verdict
    error: AppError | None = None


class CatalogService:
    """Per transaction. `actor` is who does it, as the audit log has it."""

    def __init__(self, session: WriteSession, clock: Clock, *, actor: str = SYSTEM) -> None:
        self._session = session
        self._clock = clock
        self._audit = AuditLog(session, clock, actor)
        self._products = ProductRepository(session)

    async def create(self, data: ProductData) -> Product:
        """Raises InvalidProduct, DuplicateHandle, DuplicateSku."""
        save = Save(new_id("prod"), checked(data), None)
        await self._save_one(save)
        product = await self._read(save.product_id)
        await self._audit.record("product.create", save.product_id, None, facts(product))
        await append(self._session, list(events.saved(save)), self._clock.now())
        return product

    async def update(
        self, product_id: str, change: Callable[[ProductData], ProductData], *, expected_version: int | None = None
    ) -> Product:
        """Applies `change` to the product as it is now. A change that alters nothing writes nothing.

        Raises ProductNotFound, StaleVersion, and what `create` raises.
        """
        await self._lock(product_id, expected_version)
        before = await self._read(product_id)
        data = checked(change(data_of(before)))
        if data == data_of(before):
            return before
        save = Save(product_id, data, before)
        await self._save_one(save)
        product = await self._read(product_id)
        await self._audit.record("product.update", product_id, facts(before), facts(product))
        await append(self._session, list(events.saved(save)), self._clock.now())
        return product

    async def delete(self, product_id: str, *, expected_version: int | None = None) -> None:
        """Raises ProductNotFound, StaleVersion."""
        await self._lock(product_id, expected_version)
        product = await self._read(product_id)
        await delete_product(self._session, product_id)
        await self._audit.record("product.delete", product_id, facts(product), None)
        await append(self._session, [events.deleted(product)], self._clock.now())

    async def free_handle(self, title: str) -> str:
        """A handle made of the title that no product has."""
        base = slugify(title)
        handle, number = base, 1
        while handle in RESERVED_HANDLES or await self._products.ids_by_handle([handle]):
            number += 1
            handle = f"{base}-{number}"
        return handle

    async def upsert(
        self, batch: Sequence[ProductData], *, origin: str = "batch", dry_run: bool = False
    ) -> list[Outcome]:
        """Checks the products, and does with those that are valid what `save` does."""
        valid: list[ProductData] = []
        refused: dict[int, Outcome] = {}
        for index, data in enumerate(batch):
            try:
                valid.append(checked(data))
            except InvalidProduct as error:
                refused[index] = Outcome("failed", error)
        saved = iter(await self.save(valid, origin=origin, dry_run=dry_run))
        return [refused[index] if index in refused else next(saved) for index in range(len(batch))]

    async def save(
        self, batch: Sequence[ProductData], *, origin: str = "batch", dry_run: bool = False
    ) -> list[Outcome]:
        """Creates or replaces products by handle; each is atomic, and one that fails keeps no other from being saved.

        They are as `checked` gives them, their handles distinct. Products that are as they should be are not written.
        `origin` is what the batch is part of, the subject of its one entry in the audit log.
        """
        outcomes: list[Outcome] = [Outcome("unchanged")] * len(batch)
        saves: dict[int, Save] = {}
        handles = [data.handle for data in batch]
        ids = await (self._products.ids_by_handle(handles) if dry_run else self._products.lock_by_handle(handles))
        before = {product.head.handle: product for product in await self._products.products(list(ids.values()))}
        for index, given in enumerate(batch):
            old = before.get(given.handle)
            data = _with_known_sizes(given, old)
            if old is None or data_of(old) != data:
                saves[index] = Save(old.head.id if old else new_id("prod"), data, old)
        errors = await (self._refusals(saves) if dry_run else self._save_each(saves))
        for index, save in saves.items():
            if index in errors:
                outcomes[index] = Outcome("failed", errors[index])
            else:
                outcomes[index] = Outcome("updated" if save.before else "created")
        if not dry_run:
            await self._record(origin, [save for index, save in saves.items() if index not in errors])
        return outcomes

    async def _record(self, origin: str, saves: list[Save]) -> None:
        if saves:
            await self._audit.record("catalog.import", origin, None, batch_facts(saves))
            told = [event for save in saves for event in events.saved(save)]
            await append(self._session, told, self._clock.now())

    async def _save_each(self, saves: dict[int, Save]) -> dict[int, AppError]:
        """All at once, and only where that breaks a constraint one by one, to find whose fault it is."""
        if not saves:
            return {}
        try:
            async with self._session.begin_nested():
                await self._save_all(list(saves.values()))
        except IntegrityError:
            errors: dict[int, AppError] = {}
            for index, save in saves.items():
                try:
                    await self._save_one(save)
                except AppError as error:
                    errors[index] = error
            return errors
        return {}

    async def _refusals(self, saves: dict[int, Save]) -> dict[int, AppError]:
        """What saving would refuse, without a write. A SKU that its owner gives up in the same batch is free."""
        skus = {variant.sku for save in saves.values() for variant in save.data.variants if variant.sku is not None}
        owners = await self._products.sku_owners(sorted(skus))
        kept = {save.product_id: {variant.sku for variant in save.data.variants} for save in saves.values()}
        errors: dict[int, AppError] = {}
        for index, save in saves.items():
            others = {
                variant.sku: owner
                for variant in save.data.variants
                if variant.sku is not None
                and (owner := owners.get(variant.sku)) is not None
                and owner.product_id != save.product_id
                and variant.sku in kept.get(owner.product_id, {variant.sku})
            }
            if others:
                errors[index] = _duplicate_sku(save.data, others)
        return errors

    async def _save_one(self, save: Save) -> None:
        try:
            async with self._session.begin_nested():
                await self._save_all([save])
        except IntegrityError as error:
            conflict = await self._conflict(save)
            if conflict is not None:
                raise conflict from error
            # Another writer made the same category first: now it is there to be found.
            async with self._session.begin_nested():
                await self._save_all([save])

    async def _save_all(self, saves: list[Save]) -> None:
        if saves:
            categories = await self._categories({save.data.category for save in saves if save.data.category})
            await save_products(self._session, saves, categories, self._clock.now())

    async def _conflict(self, save: Save) -> AppError | None:
        """The value of this product that another one has."""
        owner = (await self._products.ids_by_handle([save.data.handle])).get(save.data.handle)
        if owner is not None and owner != save.product_id:
            return DuplicateHandle(f"handle {save.data.handle!r} belongs to another product")
        skus = [variant.sku for variant in save.data.variants if variant.sku is not None]
        owners = await self._products.sku_owners(skus)
        others = {sku: owner for sku, owner in owners.items() if owner.product_id != save.product_id}
        return _duplicate_sku(save.data, others) if others else None

    async def _categories(self, names: set[str]) -> dict[str, Category]:
        """The categories with these names; those that are missing are made."""
        found = {category.name: category for category in await self._products.categories_named(sorted(names))}
        missing = sorted(names - found.keys())
        taken = {category.slug for category in await self._products.categories()} if missing else set()
        for name in missing:
            slug = base = slugify(name)
            number = 1
            while slug in taken:
                number += 1
                slug = f"{base}-{number}"
            taken.add(slug)
            found[name] = Category(new_id("cat"), name, slug)
        await add_categories(self._session, [found[name] for name in missing])
        return found

    async def _lock(self, product_id: str, expected_version: int | None) -> None:
        key = await self._products.lock(product_id)
        if key is None:
            raise ProductNotFound(f"no product {product_id!r}")
        if expected_version is not None and expected_version != key.version:
            raise StaleVersion(f"the product is at version {key.version}, not {expected_version}")

    async def _read(self, product_id: str) -> Product:
        (product,) = await self._products.products([product_id])
        return product


def _duplicate_sku(data: ProductData, owners: Mapping[str, SkuOwner]) -> DuplicateSku:
    faults = [
        FieldError(
            f"/variants/{index}/sku",
            DuplicateSku.code,
            f"SKU {variant.sku!r} belongs to product {owners[variant.sku].handle!r}",
        )
        for index, variant in enumerate(data.variants)
        if variant.sku is not None and variant.sku in owners
    ]
    return DuplicateSku(faults[0].message, errors=tuple(faults))


def _with_known_sizes(data: ProductData, old: Product | None) -> ProductData:
    """Who does not say how large an image is leaves what was measured, as long as its address stays."""
    if old is None or not any(image.width for image in old.images):
        return data
    sizes = {image.url: (image.width, image.height) for image in old.images}
    images = [
        image
        if image.width is not None or image.url not in sizes
        else replace(image, width=sizes[image.url][0], height=sizes[image.url][1])
        for image in data.images
    ]
    return replace(data, images=tuple(images))
