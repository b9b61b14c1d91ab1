"""Writes the catalogue as a file, piece by piece: for the command line and for a streamed answer alike."""

import asyncio
from collections.abc import AsyncGenerator, Iterable

from commerce.catalog.entities import Product
from commerce.catalog.repository import ProductRepository, walk
from commerce.catalog.transfer.json_lines import json_line
from commerce.catalog.transfer.records import Format
from commerce.catalog.transfer.shopify_export import CsvWriter
from core.database import Database

BATCH = 100  # products read, written and held at once


async def export_products(
    database: Database, kind: Format, *, currency: str, include_unpublished: bool
) -> AsyncGenerator[bytes, None]:
    """The file in pieces, products oldest first. `currency` is the shop's own, which a CSV does not name.

    No session is open between pieces. Raises CatalogueChanged, and DatabaseUnavailable.
    """
    write = _json_lines
    if kind == "csv":
        async with database.read() as session:
            repository = ProductRepository(session)
            extras, currencies = await repository.extra_names(), await repository.currencies()
        writer = CsvWriter(extras, currencies=not currencies <= {currency})
        yield writer.header()
        write = writer.products
    async for products in walk(database, include_unpublished=include_unpublished, batch=BATCH):
        yield await asyncio.to_thread(write, products)


def _json_lines(products: Iterable[Product]) -> bytes:
    return "".join(json_line(product) for product in products).encode()
