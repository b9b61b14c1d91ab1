"""Request bodies: how large, in which coding, of which type; each refusal in the audience's shape, with CORS."""

import gzip
import json
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import Body, FastAPI

from core.settings import Settings
from core.web.bodies import inflate
from graphql_api.limits import MAX_BODY_BYTES as GRAPHQL_LIMIT
from internal_api.routing import MAX_BODY_BYTES as INTERNAL_LIMIT
from public_api.routing import MAX_BODY_BYTES as PUBLIC_LIMIT
from public_api.routing import public_router
from tests.fixtures.application import LogEntries, new_app
from tests.fixtures.asgi import Served, client_of, exchange, serve
from tests.fixtures.probes import PREFIXES, applications, read_error

ORIGIN = {"Origin": "https://shop.example"}
LIMITS = {"public": PUBLIC_LIMIT, "v1": PUBLIC_LIMIT, "internal": INTERNAL_LIMIT, "graphql": GRAPHQL_LIMIT}
WITH_CORS = ("public", "v1", "graphql")
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
async def served(module_settings: Settings, sqlite_template: Path) -> AsyncIterator[Served]:
    """Every application takes any JSON at /take, and says how long its text is; v1 as our own routes do."""
    app = new_app(module_settings, sqlite_template)

    async def take(body: dict[str, Any] = Body()) -> int:  # noqa: B008
        return len(body["text"])

    for name, each in applications(app).items():
        if name in LIMITS:
            _add(each, take)
    async with serve(app) as served:
        yield served


def _add(app: FastAPI, take: Any) -> None:
    router = public_router()
    router.add_api_route("/take", take, methods=["POST"])
    app.include_router(router)


@pytest.fixture
async def client(
    served: Served,
    module_operator: dict[str, str],
    log_entries: LogEntries,  # noqa: ARG001  no log on stderr
) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(served) as client:
        client.headers.update(module_operator)
        yield client


def body_of(size: int) -> bytes:
    """A JSON object of so many bytes."""
    return b'{"text":"' + b"a" * (size - 11) + b'"}'


def assert_refused(audience: str, response: httpx2.Response, status: int, code: str) -> None:
    assert response.status_code == status
    assert read_error(audience, response).code == code
    assert response.headers.get("access-control-allow-origin") == ("*" if audience in WITH_CORS else None)


@pytest.mark.parametrize("audience", list(LIMITS))
async def test_body_at_the_limit_is_taken(client: httpx2.AsyncClient, audience: str) -> None:
    body = body_of(LIMITS[audience])

    response = await client.post(f"{PREFIXES[audience]}/take", content=body, headers=JSON)

    assert (response.status_code, response.json()) == (200, LIMITS[audience] - 11)


@pytest.mark.parametrize("audience", list(LIMITS))
async def test_body_whose_length_is_over_the_limit_is_refused_unread(
    client: httpx2.AsyncClient, log_entries: LogEntries, audience: str
) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        read += 1
        yield body_of(LIMITS[audience] + 1)

    headers = {**JSON, **ORIGIN, "Content-Length": str(LIMITS[audience] + 1)}
    response = await client.post(f"{PREFIXES[audience]}/take", content=body(), headers=headers)

    assert_refused(audience, response, 413, "content_too_large")
    assert read == 0
    assert [entry["code"] for entry in log_entries] == ["content_too_large"]


@pytest.mark.parametrize("audience", list(LIMITS))
async def test_body_in_chunks_is_refused_when_it_grows_over_the_limit(
    client: httpx2.AsyncClient, log_entries: LogEntries, audience: str
) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield b"a" * (LIMITS[audience] // 4)

    response = await client.post(f"{PREFIXES[audience]}/take", content=body(), headers={**JSON, **ORIGIN})

    assert_refused(audience, response, 413, "content_too_large")
    assert read == 5
    assert [entry["code"] for entry in log_entries] == ["content_too_large"]


@pytest.mark.parametrize("audience", list(LIMITS))
async def test_body_in_chunks_up_to_the_limit_is_taken(client: httpx2.AsyncClient, audience: str) -> None:
    async def body() -> AsyncIterator[bytes]:
        whole = body_of(LIMITS[audience])
        for start in range(0, len(whole), 65536):
            yield whole[start : start + 65536]

    response = await client.post(f"{PREFIXES[audience]}/take", content=body(), headers=JSON)

    assert response.status_code == 200


@pytest.mark.parametrize("length", ["-1", "1e9", "0x10", "+5", " 5", "5, 5", "9" * 5000])
async def test_content_length_that_is_none_does_not_lift_the_limit(served: Served, length: str) -> None:
    headers = [("Content-Length", length), ("Content-Type", "application/json")]
    chunks = [b"a" * PUBLIC_LIMIT, b"a"]

    answer = await exchange(served, "POST", "/public/v1/take", headers, chunks=chunks)

    assert answer.status == 413


async def post_v1(client: httpx2.AsyncClient, body: bytes, headers: dict[str, str] | None = None) -> httpx2.Response:
    return await client.post("/public/v1/take", content=body, headers={**JSON, **ORIGIN, **(headers or {})})


GZIPPED = {"Content-Encoding": "gzip"}


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip"])
async def test_zipped_body_is_read(client: httpx2.AsyncClient, coding: str) -> None:
    response = await post_v1(client, gzip.compress(body_of(1000)), {"Content-Encoding": coding})

    assert (response.status_code, response.json()) == (200, 989)


async def test_zipped_body_that_inflates_to_the_limit_is_read(client: httpx2.AsyncClient) -> None:
    response = await post_v1(client, gzip.compress(body_of(PUBLIC_LIMIT)), GZIPPED)

    assert response.status_code == 200


async def test_zipped_body_that_inflates_over_the_limit_is_refused(client: httpx2.AsyncClient) -> None:
    response = await post_v1(client, gzip.compress(body_of(PUBLIC_LIMIT + 1)), GZIPPED)

    assert_refused("v1", response, 413, "content_too_large")


def test_zip_bomb_is_inflated_no_further_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """100 MB of nothing in 100 kB; what comes out of the inflater is counted."""
    bomb = gzip.compress(bytes(100_000_000), 1)
    produced: list[int] = []
    real = zlib.decompressobj

    class Counting:
        def __init__(self, wbits: int) -> None:
            self._inner = real(wbits=wbits)

        def decompress(self, data: bytes, max_length: int = 0) -> bytes:
            out: bytes = self._inner.decompress(data, max_length)
            produced.append(len(out))
            return out

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

    monkeypatch.setattr("core.web.bodies.zlib.decompressobj", Counting)

    with pytest.raises(Exception, match="inflates to more than"):
        inflate(bomb, PUBLIC_LIMIT)

    assert sum(produced) == PUBLIC_LIMIT + 1


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"plain text", id="not gzip"),
        pytest.param(b"", id="empty"),
        pytest.param(gzip.compress(body_of(1000))[:-5], id="cut short"),
        pytest.param(gzip.compress(body_of(1000))[:-8] + b"\0\0\0\0\0\0\0\0", id="wrong checksum"),
        pytest.param(gzip.compress(body_of(100)) + b"more", id="something after it"),
        pytest.param(gzip.compress(b"{") + gzip.compress(b"}"), id="two files"),
    ],
)
async def test_body_that_is_not_gzip_is_refused(
    client: httpx2.AsyncClient, log_entries: LogEntries, body: bytes
) -> None:
    response = await post_v1(client, body, GZIPPED)

    assert_refused("v1", response, 415, "unsupported_media_type")
    assert [entry["code"] for entry in log_entries] == ["unsupported_media_type"]


@pytest.mark.parametrize("coding", ["br", "zstd", "deflate", "gzip, gzip", "rot13"])
async def test_unknown_content_encoding_is_refused(client: httpx2.AsyncClient, coding: str) -> None:
    response = await post_v1(client, body_of(100), {"Content-Encoding": coding})

    assert_refused("v1", response, 415, "unsupported_media_type")
    assert coding in response.json()["detail"]


@pytest.mark.parametrize("coding", ["identity", "Identity", ""])
async def test_identity_is_no_encoding(client: httpx2.AsyncClient, coding: str) -> None:
    response = await post_v1(client, body_of(100), {"Content-Encoding": coding})

    assert response.status_code == 200


@pytest.mark.parametrize(
    "media_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json"]
)
async def test_body_that_does_not_say_it_is_json_is_refused(client: httpx2.AsyncClient, media_type: str | None) -> None:
    headers = {**ORIGIN, **({"Content-Type": media_type} if media_type is not None else {})}

    response = await client.post("/public/v1/take", content=body_of(100), headers=headers)

    assert_refused("v1", response, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "media_type", ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"]
)
async def test_body_that_says_it_is_json_is_read(client: httpx2.AsyncClient, media_type: str) -> None:
    response = await post_v1(client, body_of(100), {"Content-Type": media_type})

    assert response.status_code == 200


@pytest.mark.parametrize(
    "body", [b"{", b'{"text": }', b"\xff\xfe", b"", b"{'text': 1}", b'{"text":"\xff"}', b"[" * 100_000]
)
async def test_body_that_is_not_json_is_refused_with_a_pointer(client: httpx2.AsyncClient, body: bytes) -> None:
    response = await post_v1(client, body)

    assert_refused("v1", response, 422, "invalid_request")
    (fault,) = response.json()["errors"]
    assert fault.keys() == {"pointer", "code", "message"}
    assert fault["pointer"] == ""
    assert len(response.content) < 2000


async def test_body_is_not_echoed_in_an_error(client: httpx2.AsyncClient) -> None:
    secret = "hunter2-" * 20

    response = await client.post("/public/v1/take", content=json.dumps([secret]), headers=JSON)

    assert response.status_code == 422
    assert "hunter2" not in response.text


@pytest.mark.parametrize(
    "path",
    ["/public/v1/products", "/public/v1/categories", "/public/v2/products", "/public/docs", "/public/problems",
     "/public/problems/conflict", "/public/v1/openapi.json", "/internal/health", "/internal/metrics"],
)  # fmt: skip
async def test_head_is_answered_as_get_without_the_body(client: httpx2.AsyncClient, path: str) -> None:
    if path.startswith("/public"):
        del client.headers["Authorization"]
    full = await client.get(path, headers={"Accept-Encoding": "identity"})

    head = await client.head(path, headers={"Accept-Encoding": "identity"})

    assert head.status_code == full.status_code == 200
    assert head.content == b""
    for name in ("content-type", "etag", "cache-control", "link", "deprecation"):
        assert head.headers.get(name) == full.headers.get(name)


async def test_head_of_a_missing_product_is_a_404_without_a_body(served: Served) -> None:
    answer = await exchange(served, "HEAD", "/public/v1/products/nothing")

    assert answer.status == 404
    assert answer.chunks == []


async def test_post_routes_do_not_answer_head(served: Served) -> None:
    answer = await exchange(served, "HEAD", "/public/v1/take")

    assert answer.status == 405


async def test_form_may_be_gzip_too(client: httpx2.AsyncClient) -> None:
    form = gzip.compress(b"username=nobody%40example.com&password=wrong-password")
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "gzip"}

    answer = await client.post("/public/v1/auth/token", content=form, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")  # and not 422: it was read
