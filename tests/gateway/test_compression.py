"""Answers are compressed as the client asks, on every mount; event streams never are."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import httpx2
import pytest
import zstandard
from starlette.responses import JSONResponse, StreamingResponse

from core.settings import Settings
from tests.fixtures.application import LogEntries, new_app
from tests.fixtures.asgi import Served, client_of, exchange, serve
from tests.fixtures.probes import PREFIXES, applications

INFLATE = {
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
    "br": brotli.decompress,
    "gzip": gzip.decompress,
}
BIG = {"text": "portico " * 500}
TYPES = [
    "application/json",
    "application/problem+json",
    "application/graphql-response+json",
    "application/jsonl",
    "text/csv",
    "text/html",
]


@pytest.fixture(scope="module")
async def served(module_settings: Settings, sqlite_template: Path) -> AsyncIterator[Served]:
    app = new_app(module_settings, sqlite_template)

    async def big(media_type: str = "application/json") -> JSONResponse:
        return JSONResponse(BIG, media_type=media_type)

    async def events(chunk: str = "data: x\n\n") -> StreamingResponse:
        async def body() -> AsyncIterator[bytes]:
            for _ in range(3):
                yield chunk.encode()
                await asyncio.sleep(0)

        return StreamingResponse(body(), media_type="text/event-stream")

    for each in applications(app).values():
        each.add_api_route("/big", big)
        each.add_api_route("/ticking", events)
    async with serve(app) as served:
        yield served


@pytest.fixture
async def client(
    served: Served,
    module_operator: dict[str, str],
    log_entries: LogEntries,  # noqa: ARG001  no log on stderr
) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(served) as client:
        client.headers.update(module_operator)
        yield client


def plain_size() -> int:
    return len(JSONResponse(BIG).body)


@pytest.mark.parametrize(
    ("accepted", "used"),
    [
        ("zstd, br, gzip", "zstd"),
        ("gzip, br", "br"),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("gzip;q=0.1, identity", "gzip"),
        ("zstd;q=0, br;q=0, gzip", "gzip"),
        ("gzip;q=0", None),
        ("identity", None),
        ("deflate", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("audience", list(PREFIXES))
async def test_answer_is_compressed_as_the_client_asks(
    served: Served, module_operator: dict[str, str], audience: str, accepted: str, used: str | None
) -> None:
    headers = [("Accept-Encoding", accepted), *module_operator.items()]

    answer = await exchange(served, "GET", f"{PREFIXES[audience]}/big", headers)

    body = b"".join(answer.chunks)
    assert answer.headers.get("content-encoding") == used
    assert answer.headers["content-length"] == str(len(body))
    assert "Accept-Encoding" in answer.headers["vary"]
    assert (INFLATE[used](body) if used else body) == JSONResponse(BIG).body
    if used:
        assert len(body) < plain_size() / 10


@pytest.mark.parametrize("media_type", TYPES)
async def test_every_text_is_compressed(client: httpx2.AsyncClient, media_type: str) -> None:
    response = await client.get("/public/v1/big", params={"media_type": media_type}, headers={"Accept-Encoding": "br"})

    assert response.headers["content-encoding"] == "br"


async def test_small_answer_is_left_as_it_is(client: httpx2.AsyncClient) -> None:
    response = await client.get("/public/v1/nothing", headers={"Accept-Encoding": "zstd, br, gzip"})

    assert "content-encoding" not in response.headers


async def test_large_problem_is_compressed_once(client: httpx2.AsyncClient) -> None:
    """The catch-all stands outside the compression, the error handlers inside."""
    response = await client.get(
        "/public/v1/products", params=[(f"unknown{number}", "x") for number in range(40)],
        headers={"Accept-Encoding": "gzip", "Authorization": ""},
    )  # fmt: skip

    assert response.status_code == 422
    assert response.headers.get_list("content-encoding") == ["gzip"]
    assert response.headers["content-type"] == "application/problem+json"
    assert len(response.json()["errors"]) == 40


@pytest.mark.parametrize("chunk", ["data: x\n\n", "data: " + "x" * 5000 + "\n\n"])
@pytest.mark.parametrize("audience", list(PREFIXES))
async def test_event_stream_is_never_compressed_and_leaves_event_by_event(
    served: Served, module_operator: dict[str, str], audience: str, chunk: str
) -> None:
    headers = [("Accept-Encoding", "zstd, br, gzip"), *module_operator.items()]
    query = httpx2.QueryParams({"chunk": chunk})

    answer = await exchange(served, "GET", f"{PREFIXES[audience]}/ticking", headers, query_string=str(query).encode())

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "content-encoding" not in answer.headers
    assert answer.chunks == [chunk.encode()] * 3
    assert answer.complete


async def test_not_modified_answer_has_no_body_and_no_encoding(client: httpx2.AsyncClient) -> None:
    del client.headers["Authorization"]
    tag = (await client.get("/public/v1/products")).headers["etag"]

    response = await client.get("/public/v1/products", headers={"If-None-Match": tag, "Accept-Encoding": "gzip"})

    assert response.status_code == 304
    assert "content-encoding" not in response.headers
    assert response.content == b""


async def test_metrics_are_compressed(client: httpx2.AsyncClient) -> None:
    response = await client.get("/internal/metrics", headers={"Accept-Encoding": "gzip"})

    assert response.headers["content-encoding"] == "gzip"
    assert "portico_http_request_duration_seconds_count" in response.text
