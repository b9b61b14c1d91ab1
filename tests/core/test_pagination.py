import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Column, ColumnElement, MetaData, String, Table, select

from core.database import UtcDateTime
from core.pagination import InvalidCursor, Keyset, Slice

TABLE = Table(
    "things",
    MetaData(),
    Column("id", String),
    Column("title", String),
    Column("price", BigInteger),
    Column("made", UtcDateTime()),
)


def keyset(name: str, *, descending: bool = False) -> Keyset:
    return Keyset(name, TABLE.c[name], TABLE.c.id, descending=descending)


def bound_after(order: Keyset, cursor: str) -> set[Any]:
    """The values that the condition of the next page compares with."""
    return set(order.after(select(TABLE.c.id), cursor).compile().params.values())


def cursor_of(*parts: object) -> str:
    return encoded(json.dumps(parts).encode())


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@given(title=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_cursor_leads_back_to_its_text(title: str) -> None:
    order = keyset("title")

    assert bound_after(order, order.encode(title, "prod_1")) == {title, "prod_1"}


@given(price=st.integers(-(2**63) + 1, 2**63 - 1))
def test_cursor_leads_back_to_its_number(price: int) -> None:
    order = keyset("price", descending=True)

    assert bound_after(order, order.encode(price, "prod_1")) == {price, "prod_1"}


@given(made=st.datetimes(timezones=st.just(UTC)))
def test_cursor_leads_back_to_its_moment(made: datetime) -> None:
    order = keyset("made")

    assert bound_after(order, order.encode(made, "prod_1")) == {made, "prod_1"}


def test_cursor_is_fit_for_an_address() -> None:
    order = keyset("title")

    cursors = [order.encode(title, "prod_1") for title in ("~?>", "a", "ab", "abc")]

    assert not set("".join(cursors)) & set("=+/&?%")


@pytest.mark.parametrize(
    "other",
    [keyset("title", descending=True), keyset("price"), keyset("made")],
    ids=["other direction", "other column", "other type"],
)
def test_cursor_of_another_sort_is_refused(other: Keyset) -> None:
    cursor = keyset("title").encode("Rain Jacket", "prod_1")

    with pytest.raises(InvalidCursor):
        other.after(select(TABLE.c.id), cursor)


@pytest.mark.parametrize(
    ("name", "cursor"),
    [
        ("title", ""),
        ("title", "!"),
        ("title", "é"),
        ("title", "\ud800"),
        ("title", "a" * 5),
        ("title", "prod_01h455vb4pex5vsknk084sn02q"),
        ("title", encoded(b"\xff\xfe")),
        ("title", encoded(b"[" * 100_000)),
        ("title", encoded(b'["title","a"')),
        ("title", encoded(b"null")),
        ("title", encoded(b"7")),
        ("title", cursor_of()),
        ("title", cursor_of("title", "a")),
        ("title", cursor_of("title", "a", "b", "c")),
        ("title", cursor_of(["title"], "a", "b")),
        ("title", cursor_of("title", None, "b")),
        ("title", cursor_of("title", 7, "b")),
        ("title", cursor_of("title", ["a"], "b")),
        ("title", cursor_of("title", "a", None)),
        ("title", cursor_of("title", "a", 7)),
        ("title", cursor_of("title", "a\0", "b")),
        ("title", cursor_of("title", "a", "b\0")),
        ("title", cursor_of("title", "\ud800", "b")),
        ("title", cursor_of("title", "a", "\udfff")),
        ("price", cursor_of("price", "7", "b")),
        ("price", cursor_of("price", 7.5, "b")),
        ("price", cursor_of("price", True, "b")),
        ("price", cursor_of("price", 2**63, "b")),
        ("price", encoded(b'["price",NaN,"b"]')),
        ("price", encoded(b'["price",' + b"9" * 10_000 + b',"b"]')),
        ("made", cursor_of("made", "yesterday", "b")),
        ("made", cursor_of("made", 7, "b")),
        ("made", cursor_of("made", "2026-03-01", "b")),
        ("made", cursor_of("made", "2026-03-01T12:00:00", "b")),
        ("made", cursor_of("made", "0001-01-01T00:00:00+23:59", "b")),
    ],
)
def test_hostile_cursor_is_refused(name: str, cursor: str) -> None:
    with pytest.raises(InvalidCursor) as refused:
        keyset(name).after(select(TABLE.c.id), cursor)

    assert refused.value.code == "invalid_cursor"
    assert [fault.pointer for fault in refused.value.errors] == ["/query/after"]


@given(data=st.binary(max_size=60))
def test_no_cursor_gives_anything_but_invalid_cursor(data: bytes) -> None:
    with pytest.raises(InvalidCursor):
        keyset("title").after(select(TABLE.c.id), encoded(data))


def test_next_cursor_is_the_last_ones_while_more_follow() -> None:
    assert Slice(["a", "b"], ["1", "2"], has_next=True).next_cursor == "2"
    assert Slice(["a", "b"], ["1", "2"], has_next=False).next_cursor is None


@pytest.mark.parametrize(("descending", "expected"), [(False, ["ASC", "ASC"]), (True, ["DESC", "DESC"])])
def test_ties_are_broken_by_id_in_the_same_direction(descending: bool, expected: list[str]) -> None:
    order: tuple[ColumnElement[Any], ...] = keyset("price", descending=descending).order()

    assert [str(part).split()[-1] for part in order] == expected
