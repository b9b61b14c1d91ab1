"""Files of products for tests, and a catalogue that takes them in and gives them out."""

import csv
import io
from dataclasses import dataclass

from commerce.catalog.commands import ProductData, data_of
from commerce.catalog.repository import ProductRepository, walk
from commerce.catalog.transfer.exporter import export_products
from commerce.catalog.transfer.importer import Report, import_products
from commerce.catalog.transfer.records import Format
from core.database import Database
from tests.factories.clocks import FakeClock


def shopify_csv(*rows: dict[str, str], columns: list[str] | None = None) -> bytes:
    """The rows under all columns that they name."""
    names = columns or list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def a_row(handle: str, **cells: str) -> dict[str, str]:
    """A whole product in one row."""
    return {"Handle": handle, "Title": handle.title(), "Variant Price": "10.00"} | cells


@dataclass(frozen=True, slots=True)
class Shop:
    database: Database

    async def takes(self, content: bytes, kind: Format = "csv", *, dry_run: bool = False) -> Report:
        file = io.BytesIO(content)
        return await import_products(self.database, FakeClock(), file, kind, currency="USD", dry_run=dry_run)

    async def gives(self, kind: Format = "csv", *, include_unpublished: bool = True) -> bytes:
        pieces = export_products(self.database, kind, currency="USD", public_only=not include_unpublished)
        return b"".join([piece async for piece in pieces])

    async def products(self) -> dict[str, ProductData]:
        batches = walk(self.database, include_unpublished=True, batch=100)
        return {product.head.handle: data_of(product) async for batch in batches for product in batch}

    async def versions(self) -> dict[str, int]:
        async with self.database.read() as session:
            repository = ProductRepository(session)
            ids = await repository.ids_after("", 1000, include_unpublished=True)
            return {head.handle: head.version for head in (await repository.heads(ids)).values()}
