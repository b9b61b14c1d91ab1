"""Mounts take their bare path, trusted hosts guard all of them, and static files have their own rules."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI, Request, WebSocket

from core.settings import DataSettings, ServerSettings, Settings, with_embedded_secrets
from gateway.mounts import mount
from gateway.pages import static_files
from tests.fixtures.application import LogEntries, new_app
from tests.fixtures.asgi import Served, client_of, exchange, serve, websocket
from tests.fixtures.probes import PREFIXES, add_probes, applications, read_error


@pytest.mark.parametrize("path", ["/mount", "/mount/"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
async def test_mount_takes_its_path_with_and_without_the_slash(
    app: FastAPI, log_entries: LogEntries, method: str, path: str
) -> None:
    async def say(request: Request) -> str:
        return request.method

    inner = FastAPI()
    inner.add_api_route("/", say, methods=["GET", "POST", "OPTIONS", "DELETE"])
    mount(app, "mount", inner)
    async with serve(app) as served, client_of(served) as client:
        response = await client.request(method, path)

    assert (response.status_code, response.json()) == (200, method)
    assert log_entries.access[0]["path"] == path


@pytest.mark.parametrize("path", ["/mount", "/mount/", "/shop/mount", "/shop/mount/"])
async def test_mount_takes_websockets_with_and_without_the_slash(
    app: FastAPI, log_entries: LogEntries, path: str
) -> None:
    async def say(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("hello")
        await socket.close()

    inner = FastAPI()
    inner.add_api_websocket_route("/", say)
    mount(app, "mount", inner)
    prefix = "/shop" if path.startswith("/shop") else ""
    async with serve(app) as served, client_of(served, root_path=prefix) as client, websocket(client, path) as socket:
        answer = await socket.receive_text()

    assert answer == "hello"
    assert log_entries.access[0]["path"] == path


@pytest.mark.parametrize("path", ["/graphql", "/graphql/"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_graphql_is_never_redirected(client: httpx2.AsyncClient, method: str, path: str) -> None:
    preflight = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}

    response = await client.request(method, path, headers=preflight if method == "OPTIONS" else {})

    assert response.status_code not in (301, 302, 307, 308)
    if method == "OPTIONS":
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("path", ["/graphql", "/graphql/"])
async def test_graphql_takes_a_query_with_and_without_the_slash(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.post(path, json={"query": "{ __typename }"})

    assert (response.status_code, response.json()["data"]) == (200, {"__typename": "Query"})


@pytest.mark.parametrize("path", ["/graphql", "/graphql/"])
async def test_graphql_takes_a_websocket_with_and_without_the_slash(client: httpx2.AsyncClient, path: str) -> None:
    headers = {"Sec-WebSocket-Protocol": "graphql-transport-ws"}

    async with websocket(client, path, headers) as socket:
        await socket.send_json({"type": "connection_init"})
        answer = await socket.receive_json()

    assert answer["type"] == "connection_ack"


@pytest.fixture(scope="module")
async def guarded_gateway(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> AsyncIterator[Served]:
    """Answers to shop.example and the names below api.example alone."""
    server = ServerSettings(trusted_hosts=("shop.example", "*.api.example"))
    data = DataSettings(data_dir=tmp_path_factory.mktemp("guarded"))
    app = new_app(with_embedded_secrets(Settings(data=data, server=server)), sqlite_template)
    for each in applications(app).values():
        add_probes(each)
    async with serve(app) as served:
        yield served


@pytest.fixture
async def guarded(
    guarded_gateway: Served,
    log_entries: LogEntries,  # noqa: ARG001  no log on stderr
) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(guarded_gateway) as client:
        yield client


@pytest.mark.parametrize("host", ["shop.example", "SHOP.example:8443", "eu.api.example", "a.b.api.example:80"])
async def test_host_that_is_ours_is_answered(guarded: httpx2.AsyncClient, host: str) -> None:
    response = await guarded.get("/public/v1/products", headers={"Host": host})

    assert response.status_code == 200


@pytest.mark.parametrize("audience", list(PREFIXES))
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "api.example",
        "evilapi.example",
        "shop.example.evil.example",
        "shop.example@evil",
        "[::1]:80",
        "",
    ],
)
async def test_foreign_host_is_refused_in_the_shape_of_the_audience(
    guarded: httpx2.AsyncClient, log_entries: LogEntries, audience: str, host: str
) -> None:
    response = await guarded.get(f"{PREFIXES[audience]}/probe/fine", headers={"Host": host})

    assert response.status_code == 400
    assert read_error(audience, response).code == "untrusted_host"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert [entry["code"] for entry in log_entries] == ["untrusted_host"]


@pytest.mark.usefixtures("guarded")
async def test_foreign_host_is_refused_for_odd_paths_too(guarded_gateway: Served) -> None:
    for path in ("*", "", "public"):
        answer = await exchange(guarded_gateway, "OPTIONS", path, [("Host", "evil.example")])
        assert answer.status == 400


async def test_static_file_revalidates_and_its_hashed_name_never_changes(client: httpx2.AsyncClient) -> None:
    hashed = static_files().path("portico.css")
    plain = await client.get("/static/portico.css")
    immutable = await client.get(f"/static/{hashed}")
    again = await client.get("/static/portico.css", headers={"If-None-Match": plain.headers["etag"]})

    assert plain.headers["cache-control"] == "public, no-cache"
    assert immutable.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert plain.content == immutable.content
    assert plain.headers["content-type"] == "text/css; charset=utf-8"
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == plain.headers["etag"]


async def test_static_file_is_zipped_where_the_client_takes_it(served: Served) -> None:
    plain = await exchange(served, "GET", "/static/portico.css")
    zipped = await exchange(served, "GET", "/static/portico.css", [("Accept-Encoding", "br, gzip")])
    refused = await exchange(served, "GET", "/static/portico.css", [("Accept-Encoding", "gzip;q=0")])

    assert "content-encoding" not in plain.headers
    assert zipped.headers["content-encoding"] == "gzip"
    assert gzip.decompress(b"".join(zipped.chunks)) == b"".join(plain.chunks)
    assert {each.headers["vary"] for each in (plain, zipped, refused)} == {"Accept-Encoding"}
    assert "content-encoding" not in refused.headers


async def test_static_file_answers_head(client: httpx2.AsyncClient) -> None:
    full = await client.get("/static/logo.svg", headers={"Accept-Encoding": "identity"})
    head = await client.head("/static/logo.svg", headers={"Accept-Encoding": "identity"})

    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == str(len(full.content)) == full.headers["content-length"]


@pytest.mark.parametrize(
    "path", ["/static/../pyproject.toml", "/static/..%2fpages.py", "/static//etc/passwd", "/static/."]
)
async def test_static_files_are_those_of_the_folder_alone(served: Served, path: str) -> None:
    assert (await exchange(served, "GET", path)).status == 404


@pytest.mark.parametrize(
    "path", ["/static/swagger-ui/swagger-ui-bundle.js", "/static/swagger-ui/swagger-ui.css", "/static/docs.js"]
)
async def test_documentation_files_are_there(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.get(path)

    assert response.status_code == 200
    assert len(response.content) > 100
