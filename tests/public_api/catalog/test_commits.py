"""What a commit that fails, or two writers at once, leave behind: never a success that was none."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from commerce.catalog.entities import Product
from core.database import Database
from tests.fixtures.application import LogEntries
from tests.fixtures.probes import read_error
from tests.public_api.catalog.products import PRODUCTS, SMALLEST, stored


@contextmanager
def broken_commit() -> Iterator[None]:
    """The database goes away between the last statement and the commit."""

    def fail(_session: Session) -> None:
        raise OperationalError("COMMIT", {}, ConnectionResetError("lost"))

    event.listen(Session, "before_commit", fail)
    try:
        yield
    finally:
        event.remove(Session, "before_commit", fail)


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
async def test_write_whose_commit_fails_is_never_a_success(
    client: httpx2.AsyncClient,
    writer: dict[str, str],
    shop: dict[str, Product],
    database: Database,
    log_entries: LogEntries,
    method: str,
) -> None:
    before = await stored(database)
    path = PRODUCTS if method == "POST" else f"{PRODUCTS}/{shop['tent'].head.id}"
    body = None if method == "DELETE" else SMALLEST

    with broken_commit():
        response = await client.request(method, path, json=body, headers=writer)

    assert response.status_code == 503
    assert read_error("v1", response).code == "database_unavailable"
    assert response.headers["retry-after"] == "2"
    assert "location" not in response.headers
    assert "etag" not in response.headers
    assert "lost" not in response.text
    assert [entry["level"] for entry in log_entries.application] == ["warning"]
    assert await stored(database) == before
    again = await client.request(method, path, json=body, headers=writer)
    assert again.is_success


async def test_constraint_that_breaks_at_the_commit_is_never_a_success(
    client: httpx2.AsyncClient, writer: dict[str, str], database: Database
) -> None:
    """SQLite checks a deferred foreign key when it commits."""
    async with database.write() as session:
        await session.execute(text(
            "CREATE TABLE notes (handle TEXT REFERENCES products(handle) DEFERRABLE INITIALLY DEFERRED)"
        ))  # fmt: skip
        await session.execute(text(
            "CREATE TRIGGER note AFTER INSERT ON products BEGIN INSERT INTO notes VALUES ('nobody'); END"
        ))  # fmt: skip
    before = await stored(database)

    response = await client.post(PRODUCTS, json=SMALLEST, headers=writer)

    assert response.status_code == 500
    assert read_error("v1", response).code == "internal_error"
    assert "FOREIGN KEY" not in response.text
    assert await stored(database) == before


async def test_two_changes_of_one_version_leave_one_winner(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product]
) -> None:
    path = f"{PRODUCTS}/{shop['tent'].head.id}"
    headers = writer | {"If-Match": 'W/"1"'}

    answers = await asyncio.gather(
        *(client.patch(path, json={"title": f"Tent {number}"}, headers=headers) for number in range(8))
    )

    assert sorted(answer.status_code for answer in answers) == [200, *[412] * 7]
    (winner,) = [answer for answer in answers if answer.status_code == 200]
    assert (await client.get(path)).json()["title"] == winner.json()["title"]


async def test_answer_to_a_write_is_kept_by_no_cache(client: httpx2.AsyncClient, writer: dict[str, str]) -> None:
    response = await client.post(PRODUCTS, json=SMALLEST, headers=writer)

    assert "public" not in response.headers.get("cache-control", "")
    assert re.fullmatch(r'W/"\d+"', response.headers["etag"])
