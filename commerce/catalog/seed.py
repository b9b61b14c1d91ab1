"""The demo catalogue: made-up products, so that a first start has something to show."""

from dataclasses import replace
from pathlib import Path

from commerce.catalog.repository import ProductRepository
from commerce.catalog.service import CatalogService
from commerce.catalog.transfer.json_lines import read_json_lines
from core.clock import Clock
from core.database import Database

DEMO = Path(__file__).with_name("demo.jsonl")


async def seed_demo(database: Database, clock: Clock, currency: str) -> int:
    """Fills an empty catalogue, in one transaction, with the demo's amounts taken as `currency`.

    Returns how many products were made: none where there is any product already.
    """
    async with database.write() as session:
        if await ProductRepository(session).ids_after("", 1, include_unpublished=True):
            return 0
        with DEMO.open("rb") as file:
            records = list(read_json_lines(file, currency))
        batch = [replace(record.data, currency=currency) for record in records if record.data is not None]
        outcomes = await CatalogService(session, clock).upsert(batch, origin=DEMO.name)
    return sum(outcome.verdict == "created" for outcome in outcomes)
