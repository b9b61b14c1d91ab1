"""The audit log: what an entry keeps, that none is ever changed, and how entries are read."""

from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from commerce.audit.log import SYSTEM, AuditEntry, AuditLog, AuditRepository
from core.context import RequestContext, enter_request, leave_request
from core.database import Database
from tests.factories.clocks import NOON, FakeClock

Facts = dict[str, Any] | None


async def note(
    database: Database,
    before: Facts = None,
    after: Facts = None,
    *,
    actor: str = "user:usr_1",
    action: str = "product.update",
    subject: str = "prod_1",
) -> None:
    async with database.write() as session:
        await AuditLog(session, FakeClock(), actor).record(action, subject, before, after)


async def entries(database: Database, **wanted: Any) -> list[AuditEntry]:
    async with database.read() as session:
        return (await AuditRepository(session).newest(**wanted))[0]


async def test_entry_says_who_did_what_to_what_and_when(database: Database) -> None:
    await note(database, {"title": "Old"}, {"title": "New"}, actor=SYSTEM)

    (entry,) = await entries(database)

    assert entry == AuditEntry(
        entry.position, NOON, "system", "-", "product.update", "prod_1", {"title": "Old"}, {"title": "New"}
    )


async def test_entry_names_the_request_that_it_was_made_for(database: Database) -> None:
    token = enter_request(RequestContext("req-42", "trace", "span", sampled=False))
    try:
        await note(database)
    finally:
        leave_request(token)

    assert [entry.request_id for entry in await entries(database)] == ["req-42"]


async def test_change_keeps_the_fields_that_differ_and_no_others(database: Database) -> None:
    before = {"same": 1, "title": "Old", "gone": [1], "nested": {"a": 1, "b": 2}, "nothing": None}
    after = {"same": 1, "title": "New", "made": "é", "nested": {"a": 1, "b": 3}, "nothing": None}

    await note(database, before, after)

    (entry,) = await entries(database)
    assert entry.before == {"title": "Old", "gone": [1], "nested": {"a": 1, "b": 2}}
    assert entry.after == {"title": "New", "made": "é", "nested": {"a": 1, "b": 3}}


@pytest.mark.parametrize(
    ("before", "after"),
    [(None, {"title": "New"}), ({"title": "Old", "stock": None}, None), (None, None)],
)
async def test_what_was_not_there_before_or_is_not_there_after_is_none(
    database: Database, before: Facts, after: Facts
) -> None:
    await note(database, before, after)

    (entry,) = await entries(database)
    assert (entry.before, entry.after) == (before, after)


UPSERT = """
    INSERT INTO audit_log (position, at, actor, request_id, action, subject)
    SELECT position, at, 'nobody', request_id, action, subject FROM audit_log WHERE true
    ON CONFLICT (position) DO UPDATE SET actor = 'nobody'
"""


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET actor = 'nobody'",
        "UPDATE audit_log SET after = NULL WHERE actor = 'user:usr_1'",
        "DELETE FROM audit_log",
        "DELETE FROM audit_log WHERE position = 1",
        UPSERT,
    ],
)
async def test_database_refuses_to_change_an_entry(database: Database, statement: str) -> None:
    await note(database, {"title": "Old"}, {"title": "New"})
    before = await entries(database)

    with pytest.raises(DBAPIError, match="append-only"):
        async with database.write() as session:
            await session.execute(text(statement))

    assert await entries(database) == before


@pytest.mark.parametrize(
    "statement",
    ["INSERT OR REPLACE INTO audit_log SELECT * FROM audit_log", "REPLACE INTO audit_log SELECT * FROM audit_log"],
)
async def test_sqlite_refuses_to_replace_an_entry(sqlite_database: Database, statement: str) -> None:
    await note(sqlite_database, {"title": "Old"}, {"title": "New"})
    before = await entries(sqlite_database)

    with pytest.raises(DBAPIError, match="append-only"):
        async with sqlite_database.write() as session:
            await session.execute(text(statement))

    assert await entries(sqlite_database) == before


async def test_postgresql_refuses_to_empty_the_log(postgres_database: Database) -> None:
    await note(postgres_database)

    with pytest.raises(DBAPIError, match="append-only"):
        async with postgres_database.write() as session:
            await session.execute(text("TRUNCATE audit_log"))

    assert len(await entries(postgres_database)) == 1


async def test_entry_of_a_change_that_is_rolled_back_is_not_kept(database: Database) -> None:
    with suppress(RuntimeError):
        async with database.write() as session:
            await AuditLog(session, FakeClock(), SYSTEM).record("product.update", "prod_1", None, None)
            raise RuntimeError

    assert await entries(database) == []


async def test_entries_are_read_from_the_newest_back(database: Database) -> None:
    for number in range(5):
        await note(database, subject=f"prod_{number}")

    async with database.read() as session:
        log = AuditRepository(session)
        first, more = await log.newest(limit=2)
        second, more_again = await log.newest(limit=2, before=first[-1].position)
        third, at_the_end = await log.newest(limit=2, before=second[-1].position)

    subjects = [[entry.subject for entry in page] for page in (first, second, third)]
    assert subjects == [["prod_4", "prod_3"], ["prod_2", "prod_1"], ["prod_0"]]
    assert (more, more_again, at_the_end) == (True, True, False)


async def test_entries_are_found_by_actor_subject_and_action(database: Database) -> None:
    await note(database, actor="cli", subject="prod_1", action="product.create")
    await note(database, actor="cli", subject="prod_2", action="product.update")
    await note(database, actor=SYSTEM, subject="prod_1", action="product.update")

    async def found(**wanted: str) -> list[tuple[str, str]]:
        return [(entry.actor, entry.subject) for entry in await entries(database, **wanted)]

    assert await found(actor="cli") == [("cli", "prod_2"), ("cli", "prod_1")]
    assert await found(subject="prod_1") == [("system", "prod_1"), ("cli", "prod_1")]
    assert await found(action="product.update") == [("system", "prod_1"), ("cli", "prod_2")]
    assert await found(actor="cli", subject="prod_1", action="product.create") == [("cli", "prod_1")]
    assert await found(actor="nobody") == []
