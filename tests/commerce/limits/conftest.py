"""Limits of callers over each kind of database, by a clock that stands still."""

import pytest

from commerce.audit.log import AuditEntry, AuditRepository
from commerce.limits.entities import Override, Terms
from commerce.limits.service import LimitService
from commerce.limits.subjects import subject_named
from core.database import Database
from core.resources import Resources, assemble
from core.settings import Settings
from tests.factories.clocks import FakeClock
from tests.factories.objects import objects_in_memory

ADDRESS = "address:10.0.0.1"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def resources(database: Database, clock: FakeClock, settings: Settings) -> Resources:
    return assemble(settings, clock, database, objects_in_memory(), {})


async def give(resources: Resources, subject: str, terms: Terms) -> Override:
    async with resources.database.write() as session:
        return await LimitService(session, resources.clock, actor="user:ada").set(subject_named(subject), terms)


async def take(resources: Resources, subject: str) -> None:
    async with resources.database.write() as session:
        await LimitService(session, resources.clock, actor="user:ada").remove(subject_named(subject))


async def audited(resources: Resources) -> list[AuditEntry]:
    """Oldest first, of limits alone."""
    async with resources.database.read() as session:
        entries, _ = await AuditRepository(session).newest(limit=100)
    return [entry for entry in reversed(entries) if entry.action.startswith("rate_limit.")]
