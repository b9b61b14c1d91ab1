"""Both databases write values as pydantic does, byte for byte."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from pydantic_core import from_json, to_json
from sqlalchemy import BigInteger, String, bindparam, select
from sqlalchemy.types import JSON, TypeEngine

from core.database import Database, UtcDateTime
from core.direct import compiled
from core.money import MAX_AMOUNT
from core.projections.fields import Field, Scope, entries, json, money, obj, texts_of, time, value
from core.projections.sql import joined

CONTROLS = "".join(map(chr, range(1, 32)))
TEXTS = [
    "",
    " ",
    "null",
    "plain",
    CONTROLS,
    "\x7f\x80\x9f",
    "\"quoted\" 'single' `back` \\slash\\ /",
    "\\u0000 \\n %s %% :name ? $1 {} ' || '",
    "\u2028\u2029\ufeff\ufffe\uffff",
    "é e\u0301 ß İ 日本語 עברית",
    "\U0001f600\U0010ffff \U0001f468\u200d\U0001f469",
    "</script><!--",
    "'; drop table products; --",
    "x" * 100_000,
]
NUMBERS = [0, 1, -1, 4999, 2**31, 2**53, 2**53 + 1, MAX_AMOUNT * 10**6, 2**63 - 1, -(2**63)]
MOMENTS = [  # but the very first and the very last, which are no moments to asyncpg: infinity
    datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(999, 2, 28, 23, 59, 59, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 3, 1, 12, tzinfo=UTC),
    datetime(2026, 3, 1, 12, 0, 0, 120_000, tzinfo=UTC),
    datetime(2026, 3, 1, 12, 0, 0, 100, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_998, tzinfo=UTC),
]
STORABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
once_each = settings(
    max_examples=100, phases=[Phase.generate], derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def given_as(type_: TypeEngine[Any], name: str = "given") -> Any:
    return bindparam(name, type_=type_)


async def written(database: Database, field: Field, values: Mapping[str, Any]) -> str:
    statement = select(joined(["[", *field.pieces(Scope(database.dialect), None), "]"]))
    ((json,),) = await database.fetch(compiled(statement, database.dialect), values)
    return str(json[1:-1])


async def written_text(database: Database, text: str | None) -> str:
    return await written(database, value(given_as(String())), {"given": text})


@pytest.mark.parametrize("text", [*TEXTS, None], ids=lambda text: repr(text)[:20])
async def test_text_is_written_as_pydantic_writes_it(module_database: Database, text: str | None) -> None:
    assert await written_text(module_database, text) == to_json(text).decode()


@once_each
@given(text=STORABLE)
async def test_any_text_is_written_as_pydantic_writes_it(module_database: Database, text: str) -> None:
    assert await written_text(module_database, text) == to_json(text).decode()


@pytest.mark.parametrize("number", [*NUMBERS, None])
async def test_number_is_written_with_all_its_digits(module_database: Database, number: int | None) -> None:
    field = value(given_as(BigInteger()))

    assert await written(module_database, field, {"given": number}) == to_json(number).decode()


async def written_moment(database: Database, moment: datetime) -> str:
    return await written(database, time(given_as(UtcDateTime())), {"given": moment})


def by_pydantic(moment: datetime) -> str:
    return TypeAdapter(datetime).dump_json(moment).decode()


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
async def test_moment_is_written_as_pydantic_writes_it(module_database: Database, moment: datetime) -> None:
    assert await written_moment(module_database, moment) == by_pydantic(moment)


@once_each
@given(moment=st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001
async def test_any_moment_is_written_as_pydantic_writes_it(module_database: Database, moment: datetime) -> None:
    assert await written_moment(module_database, moment) == by_pydantic(moment)


@pytest.mark.parametrize(("number", "written_so"), [(1, "true"), (0, "false"), (None, "false")])
async def test_condition_that_is_unknown_does_not_hold(
    module_database: Database, number: int | None, written_so: str
) -> None:
    field = value(given_as(BigInteger()) > 0)

    assert await written(module_database, field, {"given": number}) == written_so


@pytest.mark.parametrize("amount", [0, 2**53, None])
async def test_amount_that_is_unknown_is_no_money(module_database: Database, amount: int | None) -> None:
    field = money(given_as(BigInteger()), given_as(String(), "currency"))

    found = await written(module_database, field, {"given": amount, "currency": "USD"})

    expected = None if amount is None else {"amount": amount, "currency": "USD"}
    assert found == to_json(expected).decode()


@pytest.mark.parametrize("text", ["a", None])
async def test_object_is_null_where_it_is_not_present(module_database: Database, text: str | None) -> None:
    given_text = given_as(String())
    field = obj(present=given_text.is_not(None), inner=obj(text=value(given_text)))

    found = await written(module_database, field, {"given": text})

    assert found == ('{"inner":{"text":"a"}}' if text else "null")


@once_each
@given(options=st.dictionaries(STORABLE, STORABLE, max_size=4))
async def test_objects_of_texts_keep_their_order_in_every_form(
    module_database: Database, options: dict[str, str]
) -> None:
    stored = given_as(JSON())
    field = obj(whole=json(stored), listed=entries(stored), texts=texts_of(stored, " / "))

    found = await written(module_database, field, {"given": options})

    assert from_json(found) == {
        "whole": options,
        "listed": [{"name": name, "value": text} for name, text in options.items()],
        "texts": " / ".join(options.values()),
    }
    assert list(from_json(found)["whole"]) == list(options)


async def test_object_of_a_thousand_fields_is_no_deeper_than_the_databases_allow(module_database: Database) -> None:
    field = obj(None, **{f"field_{number}": value(given_as(String())) for number in range(1000)})

    found = await written(module_database, field, {"given": "a"})

    assert from_json(found) == {f"field_{number}": "a" for number in range(1000)}
