"""Behind a proxy: whoever stands in front, every address that a client is given leads back through it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from commerce.catalog.service import CatalogService
from core.clock import SystemClock
from core.settings import DataSettings, ServerSettings, Settings, with_embedded_secrets
from tests.factories.products import a_product
from tests.fixtures.application import LogEntries, key_with, new_app
from tests.fixtures.asgi import Served, client_of, exchange, serve, websocket
from tests.fixtures.pages import without_hashes
from tests.fixtures.probes import add_probes, applications, read_error

HOST = "http://portico.test"
PROXY = ("10.1.2.3", 40000)
STRANGER = ("203.0.113.9", 40000)


@dataclass(frozen=True)
class Shop:
    served: Served
    key: dict[str, str]


@pytest.fixture(scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> AsyncIterator[Shop]:
    """Trusts the network 10.0.0.0/8; has a product that was renamed from old-jacket to rain-jacket."""
    settings = with_embedded_secrets(
        Settings(
            data=DataSettings(data_dir=tmp_path_factory.mktemp("proxy")),
            server=ServerSettings(trusted_proxies=("10.0.0.0/8",)),
        )
    )
    app = new_app(settings, sqlite_template)
    for each in applications(app).values():
        add_probes(each)
    async with serve(app) as served:
        resources = served.state["resources"]
        async with resources.database.write() as session:
            catalog = CatalogService(session, SystemClock())
            product = await catalog.create(a_product(handle="old-jacket"))
            await catalog.update(product.head.id, lambda _: a_product(handle="rain-jacket"))
        yield Shop(served, await key_with(resources, "catalog:write"))


@pytest.fixture(autouse=True)
def quiet(log_entries: LogEntries) -> None:
    """Log lines stay out of the test's own output."""


@dataclass(frozen=True)
class Way:
    """How requests come: `put` is what stands before the path on the wire, `base` what the client must see."""

    headers: dict[str, str]
    put: str
    base: str
    peer: tuple[str, int]
    root_path: str = ""


PREFIX = {"X-Forwarded-Prefix": "/shop/eu"}
WAYS = {
    "direct": Way({}, "", "", PROXY),
    "direct, stranger": Way({}, "", "", STRANGER),
    "stripped": Way(PREFIX, "", "/shop/eu", PROXY),
    "unstripped": Way(PREFIX, "/shop/eu", "/shop/eu", PROXY),
    "stripped, trailing slash": Way({"X-Forwarded-Prefix": "/shop/eu/"}, "", "/shop/eu", PROXY),
    "stripped, two proxies": Way({"X-Forwarded-Prefix": "/shop/eu, /inner"}, "", "/shop/eu", PROXY),
    "stripped, stranger": Way(PREFIX, "", "", STRANGER),
    "the server's root_path": Way({}, "/shop/eu", "/shop/eu", STRANGER, root_path="/shop/eu"),
    "the server's root_path and another prefix": Way(
        {"X-Forwarded-Prefix": "/other"}, "/shop/eu", "/shop/eu", PROXY, root_path="/shop/eu"
    ),
}


@asynccontextmanager
async def coming(shop: Shop, way: Way) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(shop.served, client=way.peer, root_path=way.root_path, headers=way.headers) as client:
        yield client


@pytest.fixture(params=list(WAYS.values()), ids=list(WAYS))
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


async def test_docs_page_links_and_loads_through_the_proxy(shop: Shop, way: Way) -> None:
    async with coming(shop, way) as client:
        page = without_hashes((await client.get(f"{way.put}/public/docs")).text)
        script = await client.get(f"{way.put}/static/swagger-ui/swagger-ui-bundle.js")
        stylesheet = await client.get(f"{way.put}/static/portico.css")

    for address in (
        f'href="{way.base}/"',
        f'href="{way.base}/public/docs/v2"',
        f'href="{way.base}/public/problems"',
        f'href="{way.base}/static/portico.css"',
        f'src="{way.base}/static/swagger-ui/swagger-ui-bundle.js"',
        f'src="{way.base}/static/docs.js"',
        f'data-openapi="{way.base}/public/v1/openapi.json"',
    ):
        assert address in page
    assert (script.status_code, stylesheet.status_code) == (200, 200)


async def test_landing_page_links_through_the_proxy(shop: Shop, way: Way) -> None:
    async with coming(shop, way) as client:
        page = without_hashes((await client.get(f"{way.put}/")).text)

    for path in ("/public/docs", "/public/v1/products?size=5", "/public/problems", "/graphql", "/healthz", "/readyz"):
        assert f'href="{way.base}{path}"' in page
    assert f'src="{way.base}/static/logo.svg"' in page


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_document_names_the_server_as_the_client_sees_it(shop: Shop, way: Way, version: str) -> None:
    async with coming(shop, way) as client:
        document = (await client.get(f"{way.put}/public/{version}/openapi.json")).json()

    assert document["servers"] == [{"url": f"{way.base}/public/{version}"}]


async def test_location_of_a_created_product_leads_to_it(shop: Shop, way: Way) -> None:
    body = {"title": "Thing", "variants": [{"price": {"amount": 100}}]}

    async with coming(shop, way) as client:
        created = await client.post(f"{way.put}/public/v1/products", json=body, headers=shop.key)

    assert created.status_code == 201
    assert created.headers["location"] == f"{HOST}{way.base}/public/v1/products/{created.json()['id']}"


async def test_successor_link_leads_to_v2(shop: Shop, way: Way) -> None:
    async with coming(shop, way) as client:
        response = await client.get(f"{way.put}/public/v1/products")

    assert response.headers["link"] == f'<{HOST}{way.base}/public/v2/products>; rel="successor-version"'


async def test_next_link_of_v2_leads_to_the_next_page(shop: Shop, way: Way) -> None:
    async with coming(shop, way) as client:
        created = await client.post(
            f"{way.put}/public/v1/products",
            json={"title": "Another", "variants": [{"price": {"amount": 100}}]},
            headers=shop.key,
        )
        response = await client.get(f"{way.put}/public/v2/products?limit=1")

    assert created.status_code == 201
    cursor = response.json()["next"]
    assert response.headers["link"] == f'<{HOST}{way.base}/public/v2/products?limit=1&after={cursor}>; rel="next"'


async def test_renamed_handle_leads_to_the_new_one(shop: Shop, way: Way) -> None:
    async with coming(shop, way) as client:
        response = await client.get(f"{way.put}/public/v1/products/old-jacket")

    assert response.status_code == 301
    assert response.headers["location"] == f"{HOST}{way.base}/public/v1/products/rain-jacket"


async def test_superfluous_slash_leads_to_the_address_without(shop: Shop, way: Way) -> None:
    async with coming(shop, way) as client:
        response = await client.get(f"{way.put}/public/v1/categories/")

    assert response.status_code == 307
    assert response.headers["location"] == f"{HOST}{way.base}/public/v1/categories"


async def test_problem_names_addresses_as_the_client_sees_them(shop: Shop, way: Way) -> None:
    async with coming(shop, way) as client:
        response = await client.get(f"{way.put}/public/v1/products/nothing")

    problem = response.json()
    assert problem["type"] == f"{way.base}/public/problems/product_not_found"
    assert problem["instance"] == f"{way.base}/public/v1/products/nothing"


@pytest.mark.parametrize("path", ["/probe/ws/echo", "/public/v1/probe/ws/echo", "/graphql/probe/ws/echo"])
async def test_websocket_connects_through_the_proxy(shop: Shop, way: Way, path: str) -> None:
    async with coming(shop, way) as client, websocket(client, f"{way.put}{path}") as socket:
        await socket.send_text("hello")
        answer = await socket.receive_text()

    assert answer == "hello"


async def test_prefix_left_on_by_a_stranger_is_part_of_the_path(shop: Shop) -> None:
    async with client_of(shop.served, client=STRANGER, headers=PREFIX) as client:
        response = await client.get("/shop/eu/public/v1/products")

    assert response.status_code == 404
    assert read_error("pages", response).code == "not_found"


@pytest.mark.parametrize(
    "prefix",
    [
        "//evil.example",
        "https://evil.example",
        "evil.example",
        "/a/../b",
        "/..",
        "/./a",
        "/a//b",
        "/a b",
        '/"><script>',
        "/a\r\nSet-Cookie: x=1",
        "/a\n",
        "/%2e%2e",
        "/ä",
        "/" + "a" * 300,
        "/a" * 200,
        "",
        "/",
    ],
)
async def test_hostile_prefix_is_ignored(shop: Shop, prefix: str) -> None:
    answer = await exchange(
        shop.served, "GET", "/public/v1/products/old-jacket", [("X-Forwarded-Prefix", prefix)], client=PROXY
    )

    assert answer.status == 301
    assert answer.headers["location"] == f"{HOST}/public/v1/products/rain-jacket"


@pytest.mark.parametrize(
    ("peer", "scheme", "client"),
    [(PROXY, "https", "198.51.100.7"), (STRANGER, "http", STRANGER[0]), (None, "http", None)],
)
async def test_scheme_and_client_are_believed_from_trusted_peers_alone(
    shop: Shop, log_entries: LogEntries, peer: Any, scheme: str, client: str | None
) -> None:
    # The first address is whatever the client claimed; the last was added by the proxy.
    headers = [("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "192.0.2.66, 198.51.100.7")]

    answer = await exchange(shop.served, "GET", "/public/v1/products/old-jacket", headers, client=peer)

    assert answer.headers["location"] == f"{scheme}://portico.test/public/v1/products/rain-jacket"
    assert log_entries.access[0]["client"] == client


async def test_scheme_that_is_none_is_ignored(shop: Shop) -> None:
    headers = [("X-Forwarded-Proto", "javascript")]

    answer = await exchange(shop.served, "GET", "/public/v1/products/old-jacket", headers, client=PROXY)

    assert answer.headers["location"].startswith("http://portico.test/")


async def test_everyone_is_trusted_where_the_setting_says_so(tmp_path: Path, sqlite_template: Path) -> None:
    server = ServerSettings(trusted_proxies=("*",))
    settings = with_embedded_secrets(Settings(data=DataSettings(data_dir=tmp_path), server=server))

    async with serve(new_app(settings, sqlite_template)) as served:
        answer = await exchange(served, "GET", "/public/v1/products/nothing", list(PREFIX.items()), client=STRANGER)

    assert b'"type":"/shop/eu/public/problems/product_not_found"' in b"".join(answer.chunks)


async def test_public_url_is_the_home_of_problems_and_documents(tmp_path: Path, sqlite_template: Path) -> None:
    server = ServerSettings(public_url="https://api.shop.example/base/")
    settings = with_embedded_secrets(Settings(data=DataSettings(data_dir=tmp_path), server=server))

    async with serve(new_app(settings, sqlite_template)) as served, client_of(served) as client:
        problem = (await client.get("/public/v1/products/nothing")).json()
        document = (await client.get("/public/v2/openapi.json")).json()

    assert problem["type"] == "https://api.shop.example/base/public/problems/product_not_found"
    assert document["servers"] == [{"url": "https://api.shop.example/base/public/v2"}]
