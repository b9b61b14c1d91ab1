"""A host that is cut off from PostgreSQL in the middle of a transaction."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import make_url, text

from commerce.schema import migrations
from core.database import Database, DatabaseUnavailable, WriteSession
from core.eventlog import EventLog, NewEvent, append
from core.postgresql import Limits
from tests.faults.proxy import Proxy, proxy, to_socket
from tests.fixtures.postgres import PostgresProcess

LIMITS = Limits(statement_seconds=10)  # as a request has them
NOW = datetime(2026, 7, 1, tzinfo=UTC)


def an_event(subject: str) -> NewEvent:
    return NewEvent("order.placed", subject, {}, "staff")


@pytest.fixture
def way(postgres: PostgresProcess) -> Iterator[Proxy]:
    with proxy(to_socket(postgres.socket)) as way:
        yield way


async def test_host_that_is_cut_off_while_it_holds_the_log_of_events_loses_it_before_others_are_refused(
    postgres: PostgresProcess, way: Proxy
) -> None:
    host, port = way.address
    here = Database(postgres.url, LIMITS)
    url = make_url(postgres.url).set(host=host, port=port, query={})
    there = Database(url.render_as_string(hide_password=False), LIMITS)
    await migrations().upgrade(here)

    with pytest.raises(DatabaseUnavailable):  # noqa: PT012  its commit is what fails
        async with there.write() as session:
            await append(session, [an_event("ord_there")], NOW)
            way.set("silent")
            try:
                async with here.write() as other:
                    await append(other, [an_event("ord_here")], NOW)
            finally:
                way.set("pass")

    async with here.read() as reading:
        kept = await EventLog(reading).following(0, 10)
    assert [each.subject for each in kept] == ["ord_here"]
    await asyncio.gather(here.close(), there.close())


async def bounds(session: WriteSession) -> dict[str, int]:
    """In milliseconds, as the server has them for the session at this moment."""
    names = ("idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout")
    asked = "SELECT setting::int FROM pg_settings WHERE name = :name"
    return {name: await session.scalar(text(asked), {"name": name}) for name in names}


async def test_silent_holder_of_the_log_of_events_loses_it_before_those_who_wait_for_it_give_up(
    postgres: PostgresProcess,
) -> None:
    database = Database(postgres.url, LIMITS)
    await migrations().upgrade(database)

    async with database.write() as session:
        await append(session, [an_event("ord_one")], NOW)
        holding = await bounds(session)
    async with database.write() as session:
        afterwards = await bounds(session)
    await database.close()

    waited = {"lock_timeout": 5_000, "statement_timeout": 10_000}
    assert holding == {"idle_in_transaction_session_timeout": 3_000, **waited}
    assert afterwards == {"idle_in_transaction_session_timeout": 30_000, **waited}
