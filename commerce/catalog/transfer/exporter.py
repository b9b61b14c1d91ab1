"""Writes the catalogue as a file, piece by piece: for the command line and for a streamed answer alike."""

from collections.abc import AsyncGenerator, Iterable
from dataclasses import replace

from commerce.catalog.entities import Product
from commerce.catalog.repository import ExtraNames, ProductRepository, walk
from commerce.catalog.transfer.json_lines import json_line
from commerce.catalog.transfer.records import Format
from commerce.catalog.transfer.shopify_export import CsvWriter
from core.database import Database
from core.threads import in_thread

BATCH = 100  # products read, written and held at once


async def export_products(
    database: Database, kind: Format, *, currency: str, public_only: bool
) -> AsyncGenerator[bytes, None]:
    """The file in pieces, products oldest first. `currency` is the shop's own, which a CSV does not name.

    `public_only` leaves out what is not on sale, and of the rest all kept columns: an imported file may hold what each
    piece costs the shop. No session is open between pieces. Raises CatalogueChanged, and DatabaseUnavailable.
    """
    write = _json_lines
    if kind == "csv":
        async with database.read_report() as session:
            repository = ProductRepository(session)
            extras = ExtraNames(set(), set(), set()) if public_only else await repository.extra_names()
            currencies = await repository.currencies()
        writer = CsvWriter(extras, currencies=not currencies <= {currency})
        yield writer.header()
        write = writer.products
    async for products in walk(database, include_unpublished=not public_only, batch=BATCH):
        shown = [_without_extras(product) for product in products] if public_only else products
        yield await in_thread(write, shown)


def _without_extras(product: Product) -> Product:
    return replace(
        product,
        head=replace(product.head, extra={}),
        variants=tuple(replace(variant, extra={}) for variant in product.variants),
        images=tuple(replace(image, extra={}) for image in product.images),
    )


def _json_lines(products: Iterable[Product]) -> bytes:
    return "".join(json_line(product) for product in products).encode()
