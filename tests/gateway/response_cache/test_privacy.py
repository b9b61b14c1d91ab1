"""Nobody gets an answer that was made for another: with the cache every request is answered as without it."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.settings import DataSettings, ServerSettings, Settings, with_embedded_secrets
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.people import a_user, signed_in
from tests.factories.shop import CATALOGUE
from tests.fixtures.application import key_with, new_app
from tests.fixtures.asgi import Served, serve
from tests.gateway.response_cache.shop import LIST, PRODUCTS, UNPACK, Got, get, heard

ORIGINS = ("https://shop.example", "https://till.example")
QUERIES = [
    {"query": "{products(first: 9) {nodes {handle title status}} me {email}}"},
    {"query": "{products(first: 9) {nodes {handle}}}"},
    {"query": '{product(handle: "draft") {title}}'},
    {"query": "query Q($h: String) {product(handle: $h) {title}}", "variables": {"h": "cap"}},
]
Header = tuple[bytes, bytes]


@pytest.fixture(scope="module")
def module_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("module") / "var"
    server = ServerSettings(cors_origins=ORIGINS, trusted_hosts=("portico.test", "*.portico.test"))
    return with_embedded_secrets(Settings(data=DataSettings(data_dir=folder), server=server))


@dataclass
class House:
    served: Served
    credentials: dict[str, bytes]


@pytest.fixture(scope="module")
async def house(module_settings: Settings, sqlite_template: Path) -> AsyncIterator[House]:
    async with serve(new_app(module_settings, sqlite_template)) as served:
        resources = served.state["resources"]
        await served.state["tailer"].looked.wait()
        for data in CATALOGUE:
            await Catalogue(resources.database, FakeClock()).add(data)
        people = {role: await a_user(resources, role, f"{role}@example.com") for role in ("customer", "editor")}
        credentials = {
            "customer": await signed_in(resources, people["customer"]),
            "editor": await signed_in(resources, people["editor"]),
            "key": await key_with(resources, "catalog:write"),
        }
        await heard(served)
        yield House(served, {name: each["Authorization"].encode() for name, each in credentials.items()})


PATHS = st.sampled_from(
    [PRODUCTS, f"{PRODUCTS}/cap", f"{PRODUCTS}/draft", LIST, f"{LIST}?limit=2", f"{LIST}?ticket=x", "/public/v1/me"]
)
OPTIONAL: dict[bytes, list[bytes]] = {
    b"cookie": [b"session=1"],
    b"accept-encoding": [b"gzip", b"br", b"zstd", b"gzip;q=0"],
    b"range": [b"bytes=0-3"],
    b"origin": [*(origin.encode() for origin in ORIGINS), b"https://evil.example", b"null"],
    b"accept": [b"application/json", b"application/graphql-response+json", b"text/html", b"*/*"],
    b"if-none-match": [b"*", b'W/"other"'],
    b"cache-control": [b"no-cache", b"only-if-cached"],
    b"x-client-name": [b"web", b"ios"],
    b"content-encoding": [b"gzip"],
}
CREDENTIALS = st.sampled_from(["", "", "", "customer", "editor", "key", "bad", "basic", "empty"])


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    host = draw(st.sampled_from([b"portico.test", b"portico.test", b"a.portico.test", b"evil.example"]))
    headers: list[Header] = [(b"host", host)]
    headers += draw(st.sampled_from([[], [], [], [(b"host", b"portico.test")]]))
    for name in draw(st.lists(st.sampled_from(sorted(OPTIONAL)), max_size=3)):
        headers.append((name, draw(st.sampled_from(OPTIONAL[name]))))
    query = draw(st.sampled_from([None, None, *QUERIES]))
    method = draw(st.sampled_from(["GET", "GET", "GET", "HEAD", "OPTIONS", "DELETE"]))
    wish = {"path": draw(PATHS), "method": method, "headers": headers, "who": draw(CREDENTIALS)}
    if query is None:
        return wish
    headers.append((b"content-type", b"application/json"))
    return wish | {"path": "/graphql", "method": "POST", "body": json.dumps(query).encode()}


async def ask(house: House, wish: dict[str, Any], *, cached: bool) -> Got:
    state = house.served.state
    known, state["responses"] = state["responses"], state["responses"] if cached else None
    others = {"bad": b"Bearer nonsense", "basic": b"Basic YTpi", "empty": b""}
    credential = {**house.credentials, **others}.get(wish["who"])
    headers = [*wish["headers"], *([(b"authorization", credential)] if credential is not None else [])]
    try:
        return await get(house.served, wish["path"], method=wish["method"], headers=headers, body=wish.get("body", b""))
    finally:
        state["responses"] = known


def content(got: Got) -> Any:
    """Without what is each request's own: its id, and what is left to its caller."""
    try:
        body = json.loads(UNPACK[dict(got.headers).get(b"content-encoding", b"").decode()](got.body))
    except ValueError:  # there is none, or it is a page
        return got.body
    body.pop("request_id", None)
    body.get("extensions", {}).get("cost", {}).pop("remaining", None)
    for error in body.get("errors", ()):
        error.get("extensions", {}).pop("request_id", None)
    return body


def meant(got: Got, method: str) -> tuple[Any, ...]:
    """HEAD of the cache tells the length and the encoding of its GET, which the application does not know."""
    left_out = {b"content-length", *((b"content-encoding", b"vary") if method == "HEAD" else ())}
    return got.status, [header for header in got.headers if header[0] not in left_out], content(got)


@settings(max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wishes=st.lists(requests(), min_size=8, max_size=20))
async def test_every_answer_is_the_one_without_a_cache(house: House, wishes: list[dict[str, Any]]) -> None:
    """Each is asked between two of a stranger who asks for the same: what one was given must not reach the other."""
    for wish in wishes:
        stranger = wish | {"who": ""}
        first = await ask(house, stranger, cached=True)
        through = await ask(house, wish, cached=True)
        direct = await ask(house, wish, cached=False)
        again = await ask(house, stranger, cached=True)

        assert meant(through, wish["method"]) == meant(direct, wish["method"])
        assert meant(again, wish["method"]) == meant(first, wish["method"])
        if wish["who"] or b"cookie" in dict(wish["headers"]):
            assert not through.told.startswith("hit")
        if first.told.endswith("stored") and b"cache-control" not in dict(wish["headers"]):
            assert again.told == "hit; ttl=60"


@pytest.mark.parametrize("who", ["cookie", "customer", "editor", "key", "bad", "basic", "empty"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_who_shows_anything_of_their_own_is_given_nothing_kept(house: House, who: str, method: str) -> None:
    headers = [(b"host", b"portico.test"), (b"content-type", b"application/json")]
    of_method = {"path": "/graphql", "body": json.dumps(QUERIES[1]).encode()} if method == "POST" else {"path": LIST}
    plain: dict[str, Any] = {"method": method, "headers": headers, "who": "", **of_method}
    own = plain | ({"headers": [*headers, (b"cookie", b"session=1")]} if who == "cookie" else {"who": who})
    await ask(house, plain | ({"method": "GET"} if method == "HEAD" else {}), cached=True)
    assert (await ask(house, plain, cached=True)).told.startswith("hit")

    assert not (await ask(house, own, cached=True)).told.startswith("hit")


@pytest.mark.parametrize("who", ["editor", "key"])
async def test_what_only_some_may_see_reaches_nobody_else(house: House, who: str) -> None:
    draft: dict[str, Any] = {"path": f"{PRODUCTS}/draft", "method": "GET", "headers": [(b"host", b"portico.test")]}
    everything = draft | {"path": f"{LIST}?limit=99"}
    for _ in range(2):
        assert (await ask(house, draft | {"who": who}, cached=True)).status == 200
        assert b"draft" in (await ask(house, everything | {"who": who}, cached=True)).body
        assert (await ask(house, draft | {"who": ""}, cached=True)).status == 404
        assert b"draft" not in (await ask(house, everything | {"who": ""}, cached=True)).body
        assert (await ask(house, draft | {"who": "customer"}, cached=True)).status == 404


async def test_host_that_is_not_ours_gets_nothing_kept_and_keeps_nothing(house: House) -> None:
    wish: dict[str, Any] = {"path": LIST, "method": "GET", "who": ""}
    await ask(house, wish | {"headers": [(b"host", b"portico.test")]}, cached=True)
    before = len(house.served.state["responses"])
    for _ in range(2):
        got = await ask(house, wish | {"headers": [(b"host", b"evil.example")]}, cached=True)

        assert (got.status, got.told) == (400, "fwd=uri-miss")
    assert len(house.served.state["responses"]) == before
