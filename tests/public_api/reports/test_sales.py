"""Sales reports: asked for over REST, made by the job, exact to the unit, downloaded in parts."""

import csv
import io
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from core.eventlog import EventRow
from core.jobs.models import JobRow
from core.resources import Resources
from tests.factories.clocks import NOON
from tests.factories.jobs import run_jobs
from tests.factories.order_rows import OrderRows, line
from tests.factories.people import a_user, signed_in
from tests.fixtures.application import key_with

PATH = "/public/v1/reports/sales"
MARCH = {"from": "2026-03-01", "to": "2026-04-01"}


@pytest.fixture
async def reader(resources: Resources) -> dict[str, str]:
    return await key_with(resources, "reports:read")


@pytest.fixture
async def orders(resources: Resources) -> None:
    """Three sold on two days, one of them in yen; one cancelled; one before and one at the end of March."""
    rows = OrderRows(resources.database)
    mug, hat = line(), line(variant_id="var_2", product_id="prod_2", title="=Hat", sku=None, unit_price=500)
    await rows.add(mug | {"quantity": 2}, hat, discount=100, shipping=499, state="paid")
    await rows.add(hat | {"quantity": 3}, placed_at=NOON.replace(day=2, hour=0, minute=0))
    await rows.add(mug | {"unit_price": 700}, currency="JPY", placed_at=NOON.replace(day=2, hour=23, minute=59))
    await rows.add(mug, state="cancelled")
    await rows.add(mug, placed_at=NOON.replace(month=2, day=28))
    await rows.add(mug, placed_at=NOON.replace(month=4, day=1, hour=0, minute=0))


async def made(
    client: httpx2.AsyncClient, resources: Resources, headers: dict[str, str], **wanted: Any
) -> httpx2.Response:
    asked = await client.post(PATH, json=MARCH | wanted, headers=headers)
    assert asked.status_code == 202, asked.text
    await run_jobs(resources)
    return await client.get(f"/public/v1/reports/{asked.json()['id']}/download", headers=headers)


@pytest.mark.usefixtures("orders")
async def test_days_have_what_was_placed_on_them_with_discounts_and_shipping(
    client: httpx2.AsyncClient, resources: Resources, reader: dict[str, str]
) -> None:
    report = await made(client, resources, reader, group_by="day", format="csv")

    assert report.headers["content-type"] == "text/csv; charset=utf-8"
    assert list(csv.reader(io.StringIO(report.text))) == [
        ["day", "currency", "orders", "units", "gross", "discount", "shipping", "total"],
        ["2026-03-01", "USD", "1", "3", "44.98", "1.00", "4.99", "48.97"],
        ["2026-03-02", "JPY", "1", "1", "700", "0", "0", "700"],
        ["2026-03-02", "USD", "1", "3", "15.00", "0.00", "0.00", "15.00"],
    ]


@pytest.mark.usefixtures("orders")
async def test_products_have_their_lines(
    client: httpx2.AsyncClient, resources: Resources, reader: dict[str, str]
) -> None:
    report = await made(client, resources, reader, group_by="product", format="csv")

    assert list(csv.reader(io.StringIO(report.text)))[1:] == [
        ["prod_1", "Rain Jacket", "JPY", "1", "1", "700"],
        ["prod_1", "Rain Jacket", "USD", "1", "2", "39.98"],
        ["prod_2", "'=Hat", "USD", "2", "4", "20.00"],
    ]


async def test_category_is_that_of_the_product_now(
    client: httpx2.AsyncClient, resources: Resources, reader: dict[str, str], writer: dict[str, str]
) -> None:
    variant = {"price": {"amount": 500, "currency": "USD"}}
    product = {"title": "Mug", "category": "Kitchen", "variants": [variant]}
    mug = (await client.post("/public/v1/products", json=product, headers=writer)).json()
    rows = OrderRows(resources.database)
    await rows.add(line(product_id=mug["id"], unit_price=500, quantity=2), line(unit_price=100))

    report = await made(client, resources, reader, group_by="category", format="json")

    assert report.json() == {
        "from": "2026-03-01T00:00:00Z",
        "to": "2026-04-01T00:00:00Z",
        "group_by": "category",
        "rows": [
            {"category": "", "currency": "USD", "orders": 1, "units": 1, "gross": {"amount": 100, "currency": "USD"}},
            {
                "category": "Kitchen",
                "currency": "USD",
                "orders": 1,
                "units": 2,
                "gross": {"amount": 1000, "currency": "USD"},
            },
        ],
    }


async def test_report_of_nothing_is_whole(
    client: httpx2.AsyncClient, resources: Resources, reader: dict[str, str]
) -> None:
    as_json = await made(client, resources, reader, group_by="product", format="json")
    as_csv = await made(client, resources, reader, group_by="category")

    assert as_json.json()["rows"] == []
    assert as_csv.text == "category,currency,orders,units,gross\r\n"


@pytest.mark.usefixtures("orders")
async def test_download_answers_ranges_and_hides_others_reports(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    mine, other = [await signed_in(resources, await a_user(resources, "support")) for _ in range(2)]
    whole = await made(client, resources, mine)
    path = str(whole.url)

    part = await client.get(path, headers=mine | {"Range": "bytes=4-11", "If-Range": whole.headers["ETag"]})
    beyond = await client.get(path, headers=mine | {"Range": "bytes=100000-"})
    hidden = await client.get(path, headers=other)

    assert whole.headers["Accept-Ranges"] == "bytes"
    assert (part.status_code, part.content) == (206, whole.content[4:12])
    assert part.headers["Content-Range"] == f"bytes 4-11/{len(whole.content)}"
    assert beyond.status_code == 416
    assert (hidden.status_code, hidden.json()["code"]) == (404, "report_not_found")


async def test_report_that_is_ready_is_told_to_its_owner(client: httpx2.AsyncClient, resources: Resources) -> None:
    user = await a_user(resources, "support")
    report = await made(client, resources, await signed_in(resources, user))

    async with resources.database.read() as session:
        (event,) = (await session.scalars(select(EventRow).where(EventRow.type == "report.ready"))).all()

    assert (event.visibility, event.owner_id) == ("owner", user.id)
    assert event.data["bytes"] == len(report.content)


async def test_report_is_not_there_before_its_job_has_ended(
    client: httpx2.AsyncClient, resources: Resources, reader: dict[str, str]
) -> None:
    """The file is stored before the job says so."""
    asked = await client.post(PATH, json=MARCH, headers=reader)
    path = f"/public/v1/reports/{asked.json()['id']}/download"

    early = await client.get(path, headers=reader)
    await resources.objects.put(f"reports/{asked.json()['id']}", b"day\r\n")
    stored = await client.get(path, headers=reader)

    for each in (early, stored):
        assert (each.status_code, each.json()["code"]) == (404, "report_not_found")


async def test_job_that_is_no_report_cannot_be_downloaded(
    client: httpx2.AsyncClient, resources: Resources, reader: dict[str, str], writer: dict[str, str]
) -> None:
    asked = await client.post("/public/v1/products/import?format=csv", content=b"Handle,Title\n", headers=writer)
    await run_jobs(resources)

    refused = await client.get(f"/public/v1/reports/{asked.json()['id']}/download", headers=reader)

    assert (refused.status_code, refused.json()["code"]) == (404, "report_not_found")


async def test_head_of_a_report_describes_it(
    client: httpx2.AsyncClient, resources: Resources, reader: dict[str, str]
) -> None:
    report = await made(client, resources, reader)

    head = await client.head(str(report.url), headers=reader | {"Range": "bytes=0-1", "Accept-Encoding": "identity"})

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(report.content))
    for name in ("ETag", "Accept-Ranges", "Content-Type", "Content-Disposition"):
        assert head.headers[name] == report.headers[name]


@pytest.mark.parametrize(
    ("wanted", "code", "pointer"),
    [
        ({"from": "2026-03-01", "to": "2026-03-01"}, "invalid_report", "/to"),
        ({"from": "2026-03-02", "to": "2026-03-01"}, "invalid_report", "/to"),
        ({"from": "2025-01-01", "to": "2026-01-03"}, "invalid_report", "/to"),
        ({"from": "0001-01-01T00:00:00+14:00", "to": "2026-01-03"}, "invalid_request", "/from"),
        ({"from": "2026-03-01T00:00:00", "to": "2026-04-01"}, "invalid_request", "/from"),
        ({"from": "2026-02-30", "to": "2026-04-01"}, "invalid_request", "/from"),
        (MARCH | {"group_by": "hour"}, "invalid_request", "/group_by"),
        (MARCH | {"format": "xml"}, "invalid_request", "/format"),
        (MARCH | {"more": 1}, "invalid_request", "/more"),
        ({"to": "2026-04-01"}, "invalid_request", "/from"),
    ],
)
async def test_what_no_report_can_cover_is_refused(
    client: httpx2.AsyncClient,
    resources: Resources,
    reader: dict[str, str],
    wanted: dict[str, Any],
    code: str,
    pointer: str,
) -> None:
    refused = await client.post(PATH, json=wanted, headers=reader)

    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert [fault["pointer"] for fault in refused.json()["errors"]] == [pointer]
    async with resources.database.read() as session:
        assert (await session.scalars(select(JobRow.id))).all() == []


async def test_longest_report_is_a_leap_year(client: httpx2.AsyncClient, reader: dict[str, str]) -> None:
    asked = await client.post(PATH, json={"from": "2024-01-01", "to": "2025-01-01"}, headers=reader)

    assert asked.status_code == 202
