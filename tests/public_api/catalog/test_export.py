"""The catalogue as a streamed file: the command line's bytes, for whom, and at what cost."""

import asyncio
import json
import zlib
from pathlib import Path

import httpx2
import pytest
from sqlalchemy.pool import QueuePool
from typer.testing import CliRunner

from commerce.catalog.service import CatalogService
from commerce.catalog.transfer import exporter
from core.database import Database, DatabaseUnavailable
from core.resources import Resources
from core.settings import Settings
from gateway.cli.products import app as products_command
from tests.factories.products import a_product, a_variant, an_image
from tests.fixtures.application import LogEntries, key_with
from tests.fixtures.asgi import Served, exchange
from tests.fixtures.probes import read_error

EXPORT = "/public/v1/products/export"
KINDS = [("csv", "text/csv; charset=utf-8"), ("jsonl", "application/jsonl")]


@pytest.mark.parametrize(("kind", "media_type"), KINDS)
async def test_file_is_the_one_that_the_command_line_writes(
    client: httpx2.AsyncClient,
    writer: dict[str, str],
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    media_type: str,
) -> None:
    monkeypatch.setenv("PORTICO_DATA_DIR", str(settings.data.data_dir))
    file = tmp_path / f"out.{kind}"
    told = await asyncio.to_thread(CliRunner().invoke, products_command, ["export", str(file)])

    response = await client.get(EXPORT, params={"format": kind}, headers=writer)

    assert (told.exit_code, response.status_code) == (0, 200)
    assert response.content == file.read_bytes()
    assert b"rain-poncho" in response.content
    assert response.headers["content-type"] == media_type
    assert response.headers["content-disposition"] == f'attachment; filename="products.{kind}"'
    assert response.headers["cache-control"] == "private, no-store"


async def test_csv_is_the_default(client: httpx2.AsyncClient) -> None:
    response = await client.get(EXPORT)

    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.text.startswith("Handle,Title,")


async def test_who_may_not_write_sees_only_what_is_on_sale(client: httpx2.AsyncClient) -> None:
    response = await client.get(EXPORT, params={"format": "jsonl"})

    found = [json.loads(line)["handle"] for line in response.text.splitlines()]
    assert found == ["rain-jacket", "wool-cap", "tent", "émile-scarf"]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
async def test_kept_columns_are_for_those_who_may_write(
    client: httpx2.AsyncClient, resources: Resources, writer: dict[str, str], kind: str
) -> None:
    reader = await key_with(resources, "catalog:read")
    product = a_product(
        handle="costly",
        extra={"SEO Title": "hidden-title"},
        variants=(a_variant(extra={"Cost per item": "hidden-cost", "Variant Inventory Tracker": "hidden-tracker"}),),
        images=(an_image(extra={"Image Source": "hidden-source"}),),
    )
    async with resources.database.write() as session:
        await CatalogService(session, resources.clock).create(product)

    anonymous = (await client.get(EXPORT, params={"format": kind})).text
    read = (await client.get(EXPORT, params={"format": kind}, headers=reader)).text
    written = (await client.get(EXPORT, params={"format": kind}, headers=writer)).text

    assert "costly" in anonymous
    assert read == anonymous
    for secret in ("SEO Title", "Cost per item", "Image Source", "hidden-"):
        assert secret not in anonymous
        assert secret in written


@pytest.mark.parametrize(("query", "place"), [("format=xml", "/query/format"), ("fromat=csv", "/query/fromat")])
async def test_unknown_format_is_refused(client: httpx2.AsyncClient, query: str, place: str) -> None:
    response = await client.get(f"{EXPORT}?{query}")

    assert response.status_code == 422
    assert read_error("v1", response).code == "invalid_request"
    assert [fault["pointer"] for fault in response.json()["errors"]] == [place]


async def test_database_that_is_away_is_a_503(client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_self: Database) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(Database, "read_report", away)

    for kind, _ in KINDS:
        assert (await client.get(EXPORT, params={"format": kind})).status_code == 503


@pytest.mark.parametrize(("kind", "media_type"), KINDS)
async def test_head_has_the_headers_alone(client: httpx2.AsyncClient, kind: str, media_type: str) -> None:
    response = await client.head(EXPORT, params={"format": kind})

    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-type"] == media_type


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
async def test_file_is_compressed_as_it_goes(client: httpx2.AsyncClient, kind: str) -> None:
    plain = await client.get(EXPORT, params={"format": kind}, headers={"Accept-Encoding": "identity"})

    async with client.stream("GET", EXPORT, params={"format": kind}, headers={"Accept-Encoding": "gzip"}) as packed:
        raw = b"".join([part async for part in packed.aiter_raw()])

    assert packed.headers["content-encoding"] == "gzip"
    assert len(raw) < len(plain.content)
    assert zlib.decompress(raw, wbits=31) == plain.content


async def many(resources: Resources, count: int) -> None:
    async with resources.database.write() as session:
        batch = [a_product(handle=f"many-{number}") for number in range(count)]
        await CatalogService(session, resources.clock).upsert(batch)


def held(resources: Resources) -> int:
    pool = resources.database.reader.pool
    assert isinstance(pool, QueuePool)
    return pool.checkedout()


async def leaving_after(served: Served, resources: Resources, pieces: int | None) -> list[int]:
    """Leaves after some pieces; gives the connections in use whenever one arrived."""
    in_use: list[int] = []
    await exchange(
        served,
        "GET",
        EXPORT,
        on_chunk=lambda _: in_use.append(held(resources)),
        leave_after=pieces,
        query_string=b"format=jsonl",
    )
    return in_use


@pytest.mark.usefixtures("log_entries")
async def test_slow_client_holds_no_connection(
    served: Served, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporter, "BATCH", 5)
    await many(resources, 60)

    in_use = await leaving_after(served, resources, pieces=None)

    assert len(in_use) > 10
    assert set(in_use) == {0}


async def test_export_ends_when_the_client_leaves(
    served: Served, resources: Resources, monkeypatch: pytest.MonkeyPatch, log_entries: LogEntries
) -> None:
    monkeypatch.setattr(exporter, "BATCH", 5)
    await many(resources, 200)

    in_use = await leaving_after(served, resources, pieces=3)

    assert 3 <= len(in_use) <= 5
    assert held(resources) == 0
    assert log_entries.application == []


async def test_document_has_the_export_with_both_types(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/public/v1/openapi.json")).json()

    operation = document["paths"]["/products/export"]["get"]
    assert operation["summary"] == "Export all products"
    assert set(operation["responses"]["200"]["content"]) == {"text/csv", "application/jsonl"}
    assert [each["name"] for each in operation["parameters"]] == ["format"]
