"""One small catalogue that tests of reading share."""

from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json

from commerce.catalog.commands import ProductData
from commerce.catalog.filters import ProductFilter, SortName
from commerce.catalog.reading import CatalogReader
from commerce.catalog.repository import ProductRepository
from commerce.catalog.service import CatalogService
from core.database import Database
from core.projections.items import Item
from tests.factories.clocks import FakeClock
from tests.factories.products import a_product, a_variant

# Made a minute after another, in this order; `boots` and `cap` tie on the price, `cap` and `cap-2` on the title.
CATALOGUE = [
    a_product(
        handle="anorak",
        title="Ánorak",
        vendor="Ridge",
        category="Rain Jackets",
        tags=("new", "rain"),
        description="<p>A shell for <b>storms</b></p>",
        options=("Size",),
        variants=(
            a_variant(options={"Size": "Small"}, price=1000, stock=0, sku="ANO-S"),
            a_variant(options={"Size": "Large"}, price=3000, stock=2, sku="ANO-L"),
        ),
    ),
    a_product(
        handle="boots",
        title="boots",
        vendor="Ridge",
        category="Shoes",
        tags=("rain",),
        variants=(a_variant(price=2000, stock=0),),
    ),
    a_product(handle="cap", title="Cap", vendor="Crème & Co", tags=("new",), variants=(a_variant(price=2000),)),
    a_product(
        handle="cap-2",
        title="Cap",
        vendor="Ridge",
        category="Hats",
        variants=(a_variant(price=500, stock=0, inventory_policy="continue"),),
    ),
    a_product(handle="draft", title="Draft Storm", vendor="Ridge", status="draft", variants=(a_variant(price=2000),)),
    a_product(
        handle="storm-coat",
        title="Storm Coat",
        vendor="Peak",
        category="Rain Jackets",
        tags=("rain", "sale"),
        description="<p>Not an anorak &amp; no boots</p>",
        variants=(a_variant(price=9000, stock=-1),),
    ),
    a_product(handle="archived", title="Archived", vendor="Peak", status="archived"),
]


async def fill(database: Database, products: list[ProductData], clock: FakeClock | None = None) -> None:
    clock = clock or FakeClock()
    async with database.write() as session:
        for product in products:
            await CatalogService(session, clock).create(product)
            clock.advance(minutes=1)


async def handles(repository: ProductRepository, keys: Any) -> list[str]:
    heads = await repository.heads([key.id for key in keys])
    return [heads[key.id].handle for key in keys]


async def found(repository: ProductRepository, sort: SortName | None = "title", **wanted: Any) -> list[str]:
    page = await repository.slice(ProductFilter(**wanted), sort, limit=100, after=None, count=True)
    assert page.total == len(page.items)
    return await handles(repository, page.items)


async def shown(reader: CatalogReader, sort: SortName | None = "title", **wanted: Any) -> list[str]:
    """As `found`, of what REST reads."""
    page = await reader.page(ProductFilter(**wanted), sort, page=1, size=100)
    part = await reader.slice(ProductFilter(**wanted), sort, limit=100, after=None, count=True)
    assert page.items == part.items
    assert page.total == part.total == len(page.items)
    return handles_of(page.items)


def handles_of(items: Sequence[Item]) -> list[str]:
    return [from_json(item.json)["handle"] for item in items]
