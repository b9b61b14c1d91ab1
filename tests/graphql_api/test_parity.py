"""Every rule, price, permission and error code is the same on REST and in GraphQL: one table, asked of both doors.

Each door has a shop of its own, alike to the last row, and leaves it alike: anew for each thing that is done; what is
refused, or only read, leaves it as it was. Four differences are meant:

- What cannot be found, and `me` of nobody, is null in GraphQL, and has a code on REST.
- A fault of a read has its place on REST alone.
- What the schema's types rule out, such as text for a number, GraphQL refuses before any rule of the shop is asked:
  with the code that REST has for it, but without a place. So it does with text that no database stores, a NUL.
- OAuth's form, which REST signs in by, takes an empty field for one that is missing.
"""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import make_url

from commerce.accounts.throttling import SignInThrottle, admit_registration
from commerce.catalog.filters import SORT_NAMES
from core.ids import new_id
from core.resources import Resources
from core.settings import DataSettings, Settings
from graphql_api.schema import build_schema
from public_api.catalog.schemas import SliceQuery
from public_api.orders.schemas import OrderQuery
from tests.conftest import Administer
from tests.fixtures.application import LogEntries
from tests.graphql_api.doors import (
    ORDER_FILTERS,
    PRODUCT_FILTERS,
    Answer,
    Given,
    Operation,
    by_graphql,
    by_rest,
    cancel,
    comparable,
    create_product,
    named,
    orders,
    place,
    products,
    register,
    send_message,
    sign_in,
    update_product,
)
from tests.graphql_api.parity_shop import Shop, fill, opened, rows
from tests.graphql_api.parity_table import ADA, HAT, HELLO, MUG, READS, TABLE, Row

BOTH = (by_rest, by_graphql)
Door = tuple[httpx2.AsyncClient, Resources]
Fresh = Callable[[], AbstractAsyncContextManager[Door]]


@dataclass(frozen=True)
class Filled:
    """`rows` is all that is in the shop before anybody asks."""

    shop: Shop
    settings: Settings
    rows: dict[str, Any]


async def filled(settings: Settings) -> Filled:
    shop = await fill(settings)
    async with opened(settings) as (_, resources):
        return Filled(shop, settings, await rows(resources.database))


@pytest.fixture(autouse=True)
def quiet(log_entries: LogEntries) -> None:
    """No log on stderr."""


@pytest.fixture(scope="module")
async def shop(module_settings: Settings, sqlite_template: Path) -> Filled:
    module_settings.data.data_dir.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(sqlite_template, module_settings.data.data_dir / "portico.db")
    return await filled(module_settings)


@pytest.fixture(scope="module")
def fresh(shop: Filled, tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    """A door of a shop of its own."""

    @asynccontextmanager
    async def fresh() -> AsyncIterator[Door]:
        folder = tmp_path_factory.mktemp("door") / "var"
        shutil.copytree(shop.settings.data.data_dir, folder)
        async with opened(Settings(data=DataSettings(data_dir=folder), server=shop.settings.server)) as door:
            yield door

    return fresh


@pytest.fixture(scope="module")
async def standing(fresh: Fresh) -> AsyncIterator[tuple[Door, Door]]:
    """For what changes nothing: the same two doors, again and again."""
    async with fresh() as rest, fresh() as graphql:
        yield rest, graphql


def name_of(row: Row) -> str:
    operation, who, given, code = row[:4]
    return f"{operation.name} {who} {given} {code}"[:100]


@pytest.mark.parametrize("row", [row for row in TABLE if row in READS or row[3]], ids=name_of)
async def test_both_doors_say_the_same_and_change_nothing(shop: Filled, standing: tuple[Door, Door], row: Row) -> None:
    operation, who, given, *rest_of_row = row
    row = (operation, who, {"key": new_id("key")} | given, *rest_of_row)  # type: ignore[assignment]

    rest, graphql = [await asked(row, shop.shop, door, ask) for door, ask in zip(standing, BOTH, strict=True)]

    require_alike(row, rest, graphql)
    left = [await rows(resources.database) for _, resources in standing]
    assert left[0] == left[1] == shop.rows | {"idempotency_keys": left[0]["idempotency_keys"]}


@pytest.mark.parametrize("row", [row for row in TABLE if row not in READS and not row[3]], ids=name_of)
async def test_both_doors_do_the_same(shop: Filled, fresh: Fresh, row: Row) -> None:
    await do_the_same(shop, fresh, row)


async def do_the_same(shop: Filled, fresh: Fresh, row: Row) -> None:
    answers, left = [], []
    for ask in BOTH:
        async with fresh() as door:
            answers.append(await asked(row, shop.shop, door, ask))
            left.append(await rows(door[1].database))

    require_alike(row, *answers)
    assert left[0] == left[1]
    if row[3]:  # a refusal is kept under its key, and is all that is left of it
        assert left[0] | {"idempotency_keys": 0} == shop.rows


async def asked(row: Row, shop: Shop, door: Door, ask: Any) -> Answer:
    answer: Answer = await ask(door[0], row[0], named(row[2], shop), shop.headers[row[1]])
    return replace(answer, value=comparable(answer.value, shop))


def require_alike(row: Row, rest: Answer, graphql: Answer) -> None:
    operation, code = row[0], row[3]
    assert rest.code == code
    assert graphql.code == ("null" if code in operation.nulls and graphql.faults is None else code)
    assert (rest.retryable, rest.value) == (graphql.retryable, graphql.value)
    if graphql.faults is not None and code != "invalid_idempotency_key":
        places = [f"{operation.places}/{name}" for name in row[4].split()] if len(row) > 4 else []
        assert [place for place, _ in graphql.faults] == places
        # What is null is a fault of type on REST.
        assert [(place, kind.replace("string_type", "invalid")) for place, kind in rest.faults or ()] == graphql.faults


@pytest.mark.parametrize("sort", SORT_NAMES)
async def test_both_doors_page_alike_to_the_end(shop: Filled, standing: tuple[Door, Door], sort: str) -> None:
    given: Given = {"limit": 2, "sort": sort}
    seen = []

    while given.get("after", "") is not None:
        row: Row = (products, "editor", given, "")
        rest, graphql = [await asked(row, shop.shop, door, ask) for door, ask in zip(standing, BOTH, strict=True)]
        assert rest == graphql
        seen += [product["handle"] for product in rest.value["items"]]
        given = given | {"after": rest.value["next"]}

    assert len(seen) == len(set(seen)) == rest.value["total"] == 9


# An operation, what is given, what else the same key is then refused for, and the code of the first.
KEYS: list[tuple[Operation, str, Given, Given, str]] = [
    (register, "anonymous", ADA, ADA | {"name": "Other"}, ""),
    (
        register,
        "anonymous",
        ADA | {"email": "ada@example.com"},
        ADA | {"email": "ada@example.com", "name": "B"},
        "email_taken",
    ),
    (place, "ada", {"lines": [MUG]}, {"lines": [MUG, MUG]}, ""),
    (place, "ada", {"lines": [MUG | {"quantity": 6}]}, {"lines": [MUG]}, "out_of_stock"),
    (cancel, "ada", {"id": "$placed"}, {"id": "$paid"}, ""),
    (cancel, "ada", {"id": "$shipped"}, {"id": "$placed"}, "invalid_order_state"),
    (create_product, "editor", HAT, HAT | {"vendor": "B"}, ""),
    (create_product, "editor", HAT | {"handle": "mug"}, HAT, "duplicate_handle"),
    (update_product, "editor", {"id": "$mug", "title": "A"}, {"id": "$mug", "title": "B"}, ""),
    (update_product, "editor", {"id": "$mug", "version": 1}, {"id": "$mug"}, "stale_version"),
    (send_message, "ada", HELLO, HELLO | {"text": "B"}, ""),
    (send_message, "ada", HELLO | {"to": "$bob"}, HELLO, "unknown_recipient"),
]


@pytest.mark.parametrize("doors", [BOTH, BOTH[::-1]], ids=["rest first", "graphql first"])
@pytest.mark.parametrize(("operation", "who", "given", "other", "code"), KEYS)
async def test_key_of_one_door_is_known_at_the_other(
    shop: Filled, fresh: Fresh, doors: Any, operation: Operation, who: str, given: Given, other: Given, code: str
) -> None:
    headers, given, other = shop.shop.headers[who], named(given, shop.shop), named(other, shop.shop)
    one, another = doors

    async with fresh() as (client, resources):
        first = await one(client, operation, given, headers)
        left = await rows(resources.database)
        again = await another(client, operation, given, headers)
        reused = await another(client, operation, other, headers)
        left_then = await rows(resources.database)

    assert (first.code, first.replayed) == (code, False)
    assert again == replace(first, replayed=True)
    assert (reused.code, reused.faults) == ("idempotency_key_reused", [("/idempotencyKey", "idempotency_key_reused")])
    assert left_then == left


@pytest.mark.parametrize("operation", [register, sign_in], ids=lambda operation: operation.name)
async def test_both_doors_tell_alike_who_tries_too_often(shop: Filled, fresh: Fresh, operation: Operation) -> None:
    given = ADA if operation is register else {"email": "eve@example.com", "password": "x"}
    answers = []

    for ask in BOTH:
        async with fresh() as (client, resources):
            for _ in range(60):
                await admit_registration(resources.limiter, "127.0.0.1")
            for _ in range(10):
                await SignInThrottle(resources.limiter).admit("eve@example.com", "127.0.0.1")
            answers.append(await ask(client, operation, given, {}))
            assert await rows(resources.database) == shop.rows

    assert [(answer.code, answer.retryable) for answer in answers] == [("quota_exceeded", True)] * 2


# One row for each thing that can be said to each write: databases differ where they refuse and where they write.
ON_POSTGRESQL = list({(row[0].name, row[3]): row for row in TABLE if row[0].writes and row[1] != "anonymous"}.values())


@pytest.fixture(scope="module")
async def postgres_shop(
    postgres_url: str, postgres_template: str, administer: Administer, module_settings: Settings
) -> Filled:
    name = new_id("filled")
    administer(f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    return await filled(_at(module_settings, postgres_url, name))


@pytest.fixture(scope="module")
def postgres_fresh(postgres_shop: Filled, administer: Administer) -> Fresh:
    @asynccontextmanager
    async def fresh() -> AsyncIterator[Door]:
        url = postgres_shop.settings.database_url
        name = new_id("test")
        administer(f"CREATE DATABASE {name} TEMPLATE {make_url(url).database}")
        async with opened(_at(postgres_shop.settings, url, name)) as door:
            yield door
        administer(f"DROP DATABASE {name} WITH (FORCE)")

    return fresh


def _at(settings: Settings, url: str, database: str) -> Settings:
    renamed = make_url(url).set(database=database).render_as_string(hide_password=False)
    data = DataSettings(data_dir=settings.data.data_dir, database_url=renamed)
    return Settings(data=data, server=settings.server)


@pytest.mark.parametrize("row", ON_POSTGRESQL, ids=name_of)
async def test_both_doors_do_the_same_on_postgresql(postgres_shop: Filled, postgres_fresh: Fresh, row: Row) -> None:
    await do_the_same(postgres_shop, postgres_fresh, row)


def test_table_has_every_filter_sort_and_mutation() -> None:
    schema = build_schema(production=False)._schema
    mutations, queries = schema.mutation_type, schema.query_type
    given = {
        operation.name: {name for row in TABLE if row[0].name == operation.name for name in row[2]}
        for operation in (products, orders)
    }

    assert mutations is not None
    assert queries is not None
    asked = {row[0].name for row in TABLE}
    assert asked >= set(mutations.fields)
    assert set(queries.fields) - asked == {"node", "nodes", "recommendations"}, "without a twin on REST"
    assert set(SliceQuery.model_fields) == {*PRODUCT_FILTERS, "sort", "limit", "after", "count"}
    assert set(OrderQuery.model_fields) == {*ORDER_FILTERS, "page", "size"}
    assert given["products"] >= {*PRODUCT_FILTERS, "sort", "limit", "after"}
    assert given["orders"] >= {*ORDER_FILTERS, "size"}
