"""Statements in traces, as each database is sent them: SQLAlchemy's, those that go past it, and those that fail."""

from collections.abc import Iterator

import pytest
from sqlalchemy import String, insert, select, text

from commerce.catalog.models import CategoryRow
from core import tracing
from core.database import Database, DuplicateValue, table_of
from core.direct import compiled, named
from core.settings import ServerSettings, Settings
from tests.fixtures.collector import Collector, Span, collecting

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ORIGIN = f"00-{TRACE}-00f067aa0ba902b7-01 the-request"
SECRET = "hunter2-is-secret"
NOWHERE = text("SELECT 'hunter2-is-secret' FROM nowhere")
NAMES = select(CategoryRow.name).where(CategoryRow.slug == named()("slug", String()))


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


def category(name: str) -> dict[str, str]:
    return {"id": f"cat_{name}", "name": name, "slug": name.lower()}


async def add_all(database: Database, *names: str) -> None:
    async with database.write() as session:
        await session.execute(insert(table_of(CategoryRow)), [category(name) for name in names])


async def name_of(database: Database, slug: str) -> str | None:
    async with database.read() as session:
        found: str | None = await session.scalar(select(CategoryRow.name).where(CategoryRow.slug == slug))
        return found


async def use(url: str) -> None:
    """Writes, reads in both ways, and fails in both."""
    database = Database(url)
    with tracing.led_by(ORIGIN, "job_1", "job x"):
        await add_all(database, SECRET, "Jackets", "Kettles")
        assert await name_of(database, "jackets") == "Jackets"
        assert [row[0] for row in await database.fetch(compiled(NAMES, database.dialect), {"slug": "kettles"})] == [
            "Kettles"
        ]
        with pytest.raises(DuplicateValue):
            await add_all(database, SECRET)
        with pytest.raises(Exception, match="nowhere"):
            await database.fetch(compiled(NOWHERE, database.dialect), {})
    await database.close()


def told(spans: list[Span], name: str) -> list[Span]:
    return [span for span in spans if span.name == name]


async def test_statements_are_parts_of_what_sent_them_and_show_no_value(
    database_url: str, collector: Collector
) -> None:
    async with tracing.open_tracing(Settings(server=ServerSettings.model_validate({"otlp_endpoint": collector.url}))):
        await use(database_url)

    spans = collector.trace(TRACE)
    (whole,) = told(spans, "job x")
    statements = [span for span in spans if span is not whole]
    system = "postgresql" if database_url.startswith("postgresql") else "sqlite"
    assert {span.parent for span in statements} == {whole.id}
    assert {(span.kind, span.values["db.system.name"]) for span in statements} == {("client", system)}
    added, refused = told(spans, "INSERT categories")
    assert (added.failed, refused.failed) == (False, True)
    assert refused.values["error.type"].endswith("IntegrityError" if system == "sqlite" else "UniqueViolationError")
    assert [span.failed for span in told(spans, "SELECT categories")] == [False, False]
    (missing,) = told(spans, "SELECT nowhere")
    assert missing.failed
    assert missing.values["db.query.text"] == "SELECT ? FROM nowhere"
    mark = "?" if system == "sqlite" else "$1"
    assert all(mark in span.values["db.query.text"] for span in told(spans, "SELECT categories"))
    assert SECRET.encode() not in collector.bytes


async def test_statements_outside_of_any_trace_are_not_told(database_url: str, collector: Collector) -> None:
    async with tracing.open_tracing(Settings(server=ServerSettings.model_validate({"otlp_endpoint": collector.url}))):
        database = Database(database_url)
        await add_all(database, "Jackets")
        assert await name_of(database, "jackets") == "Jackets"
        await database.close()

    assert collector.spans == []
