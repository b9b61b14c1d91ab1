"""Requests that ask for the same have equal keys, and no others."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams
from starlette.types import Scope

from core.web.response_cache.keys import Area, Keys, operation_of, sorted_query

AREA = Area("/shop/")
QUERY = Area("/query", varies=(b"accept",), posts=True)
KEYS = Keys((AREA, QUERY), ("https://a.example", "https://b.example"))


def a_request(*headers: tuple[bytes, bytes], **changes: Any) -> Scope:
    return {
        "type": "http",
        "scheme": "http",
        "path": "/shop/things",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"a"), *headers],
    } | changes


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (a_request(), a_request((b"user-agent", b"x"), (b"x-request-id", b"y"))),
        (a_request(query_string=b"a=1&b=2"), a_request(query_string=b"b=2&a=1")),
        (a_request((b"accept-encoding", b"br")), a_request((b"accept-encoding", b"br, gzip"))),
        (a_request((b"origin", b"https://x.example")), a_request((b"origin", b"https://y.example"))),
        (a_request((b"accept", b"text/html")), a_request()),
    ],
)
def test_what_does_not_matter_is_left_out(one: Scope, other: Scope) -> None:
    assert KEYS.of(one, AREA) == KEYS.of(other, AREA) is not None


@pytest.mark.parametrize(
    "other",
    [
        a_request(path="/shop/others"),
        a_request(root_path="/shop"),
        a_request(scheme="https"),
        a_request(headers=[(b"host", b"b")]),
        a_request(query_string=b"a=1"),
        a_request((b"accept-encoding", b"br")),
        a_request((b"origin", b"https://a.example")),
        a_request((b"origin", b"https://b.example")),
        a_request((b"origin", b"https://x.example")),
    ],
)
def test_what_matters_makes_another_key(other: Scope) -> None:
    others = [KEYS.of(each, AREA) for each in (a_request(), other)]

    assert None not in others
    assert len(set(others)) == 2


def test_all_origins_are_one_where_all_are_allowed() -> None:
    keys = Keys((AREA,), ("*",))
    one, other, none = (
        keys.of(each, AREA)
        for each in (a_request((b"origin", b"https://x.example")), a_request((b"origin", b"null")), a_request())
    )

    assert one == other != none


@pytest.mark.parametrize(
    "request_",
    [
        a_request((b"authorization", b"Bearer x")),
        a_request((b"authorization", b"")),
        a_request((b"cookie", b"a=b")),
        a_request(query_string=b"ticket=x"),
        a_request(query_string=b"a=1&ticket=x"),
        a_request(headers=[]),
        a_request((b"host", b"b")),
        a_request((b"accept-encoding", b"br"), (b"accept-encoding", b"gzip")),
        a_request(query_string=b"a=" + b"x" * 3_000),
    ],
)
def test_what_may_be_somebody_s_own_has_no_key(request_: Scope) -> None:
    assert KEYS.of(request_, AREA) is None


def test_area_is_found_behind_a_proxy_s_prefix() -> None:
    assert KEYS.area(a_request()) is AREA
    assert KEYS.area(a_request(path="/x/shop/things", root_path="/x")) is AREA
    assert KEYS.area(a_request(path="/query")) is QUERY
    assert KEYS.area(a_request(path="/x/shop/things")) is None


def test_headers_that_an_area_varies_by_are_in_its_keys() -> None:
    accepts = [a_request(), a_request((b"accept", b"a/b")), a_request((b"accept", b"*/*"))]

    assert len({KEYS.of(each, QUERY) for each in accepts}) == 3


PAIRS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "%61", "a+", "c%5B", "", "é"]), st.sampled_from(["1", "2", "%32", "", "x=y"])),
    max_size=5,
)


def meaning(query: bytes) -> dict[str, list[str]]:
    read = QueryParams(query)
    return {name: read.getlist(name) for name in read}


@given(PAIRS, st.randoms(use_true_random=False))
def test_queries_with_one_key_mean_the_same(pairs: list[tuple[str, str]], chance: Any) -> None:
    """As the application reads them: each name's values, in their order."""
    turned = list(pairs)
    chance.shuffle(turned)
    one, other = (
        "&".join(f"{name}={value}" for name, value in each).encode("latin-1", "replace") for each in (pairs, turned)
    )

    if sorted_query(one) == sorted_query(other):
        assert meaning(one) == meaning(other)


def test_values_of_one_name_keep_their_order() -> None:
    assert sorted_query(b"b=1&a=2&a=1") == b"a=2&a=1&b=1"
    assert sorted_query(b"%61=1&a=2") == b"%61=1&a=2"
    assert sorted_query(b"a=2&%61=1") == b"a=2&%61=1"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b'{"query": "{a}", "variables": {"x": 1, "y": 2}}', b'{"variables":{"y":2,"x":1},"query":"{a}"}', True),
        (b'{"query": "{a}", "variables": {"x": 1}}', b'{"query": "{a}", "variables": {"x": 1.0}}', False),
        (b'{"query": "{a}", "variables": {"x": 1}}', b'{"query": "{a}", "variables": {"x": true}}', False),
        (b'{"query": "{a}", "variables": {"x": [1, 2]}}', b'{"query": "{a}", "variables": {"x": [2, 1]}}', False),
        (b'{"query": "{a}"}', b'{"query": "{ a }"}', False),
        (b'{"query": "{a}", "operationName": "A"}', b'{"query": "{a}"}', False),
        (b'{"documentId": "a"}', b'{"documentId": "b"}', False),
        (b'{"query": "{a}", "query": "{b}"}', b'{"query": "{b}"}', True),
    ],
)
def test_operations_are_equal_where_all_that_they_say_is(one: bytes, other: bytes, *, same: bool) -> None:
    assert operation_of(one) is not None
    assert (operation_of(one) == operation_of(other)) is same


NO_QUERIES = [b"", b"x", b"[]", b"1", b"null", b'{"query": 1}', b"[" * 99_999]


@pytest.mark.parametrize("body", [*NO_QUERIES, b'{"query": "mutation {a}"}', b'{"query": "subscription {a}"}'])
def test_what_is_no_query_has_no_operation(body: bytes) -> None:
    assert operation_of(body) is None
