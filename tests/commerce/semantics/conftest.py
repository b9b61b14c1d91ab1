"""A small shop whose vectors are made when a test says so."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from commerce.catalog.commands import ProductData
from commerce.catalog.entities import Product
from commerce.semantics.index import SemanticIndex
from core.database import Database
from core.hub.memory import MemoryHub
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.products import a_product

TITLES = {
    "parka": ("Winter Parka", "A warm coat for snow and frost."),
    "kettle": ("Steel Kettle", "Boils water for tea on a stove."),
    "novel": ("Paperback Novel", "A story to read in the evening."),
    "trowel": ("Garden Trowel", "For planting seeds and bulbs in the soil."),
    "boots": ("Hiking Boots", "Leather footwear for mountain trails."),
}
SHOP = [a_product(handle=handle, title=title, description=text) for handle, (title, text) in TITLES.items()]
NewIndex = Callable[..., SemanticIndex]


def numbered(count: int) -> list[ProductData]:
    return [a_product(handle=f"p{number}", title=f"Thing number {number}") for number in range(count)]


@pytest.fixture
def catalogue(database: Database) -> Catalogue:
    return Catalogue(database, FakeClock())


@pytest.fixture
async def products(catalogue: Catalogue) -> dict[str, Product]:
    return {data.handle: await catalogue.add(data) for data in SHOP}


@pytest.fixture
def new_index(database: Database, tmp_path: Path) -> NewIndex:
    """An index as a process has it. Entered by nobody: it looks when a test says so."""

    def make(**options: Any) -> SemanticIndex:
        return SemanticIndex(database, MemoryHub(), tmp_path / "semantics", **options)

    return make
