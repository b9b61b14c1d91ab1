"""What goes out comes back in as it was, byte for byte, also into another catalogue."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from commerce.catalog.commands import ProductData
from commerce.catalog.seed import DEMO, seed_demo
from commerce.catalog.service import CatalogService
from commerce.catalog.text import clean_html
from commerce.catalog.transfer.records import Format
from commerce.schema import migrations
from core.database import Database
from core.spreadsheet import neutralised, restored
from tests.factories.clocks import FakeClock
from tests.factories.products import a_product, a_variant, an_image
from tests.factories.transfers import Shop, a_row, shopify_csv


def odd_products() -> list[ProductData]:
    """Everything that a careless file format loses."""
    sizes = [{"Größe": "S"}, {"Größe": "-M"}, {"Größe": "'=L"}]
    return [
        a_product(
            handle="odd",
            title="=HYPERLINK(1)",
            description='<p>one,\n"two"</p>\n<pre>\n\nthree</pre>',
            vendor="@Øre",
            category="+Category",
            tags=("-tag", "日本"),
            status="draft",
            options=("Größe",),
            variants=(
                a_variant(options=sizes[0], sku="'+1", barcode="-5", stock=None, extra={"Variant Inventory Qty": "-7"}),
                a_variant(options=sizes[1], price=0, compare_at_price=5, stock=-2, inventory_policy="continue"),
                a_variant(options=sizes[2], stock=3, weight_grams=0, extra={"Variant Inventory Tracker": "=amazon"}),
            ),
            images=tuple(
                an_image(url=f"https://x.test/{n}", alt=f"=alt {n}", extra={"Image Credit": "\tme"}) for n in range(5)
            ),
            extra={"=Formula, column": "'=1", "SEO Title": " kept \r\n exactly "},
        ),
        a_product(handle="archived", title="' quoted", status="archived"),
        a_product(
            handle="stubborn",
            options=("Size",),
            variants=(
                a_variant(
                    options={"Size": "S"}, extra={"season": "first", "Image Alt Text": "x", "Variant Price": "9"}
                ),
                a_variant(options={"Size": "M"}, stock=1, extra={"season": "later", "Variant Inventory Qty": "4"}),
            ),
            images=(
                an_image(url="https://x.test/a", extra={"season": "image", "Title": "t", "Variant Grams": "3"}),
                an_image(url="https://x.test/b", extra={"Image Extra: x": "1"}),
            ),
            extra={"Title": "not the title", "Variant Taxable": "?", "title": "nor this", "Product Extra: y": "2"},
        ),
        a_product(handle="yen", currency="JPY", variants=(a_variant(price=1500),)),
    ]


async def filled(database: Database, products: list[ProductData]) -> Shop:
    async with database.write() as session:
        outcomes = await CatalogService(session, FakeClock()).upsert(products)
    assert [outcome.verdict for outcome in outcomes] == ["created"] * len(products)
    return Shop(database)


async def another_shop(folder: Path) -> Shop:
    database = Database(f"sqlite+aiosqlite:///{folder}/another.db")
    await migrations().upgrade(database)
    return Shop(database)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
async def test_export_comes_back_byte_for_byte(database: Database, tmp_path: Path, kind: Format) -> None:
    shop = await filled(database, odd_products())
    other = await another_shop(tmp_path)
    content = await shop.gives(kind)

    again = await shop.takes(content, kind)
    copied = await other.takes(content, kind)

    assert str(again) == "created 0 updated 0 unchanged 4 failed 0"
    assert str(copied) == "created 4 updated 0 unchanged 0 failed 0"
    assert await other.products() == await shop.products()
    assert await shop.gives(kind) == content
    assert await other.gives(kind) == content
    await other.database.close()


async def test_csv_begins_with_shopifys_columns_and_has_crlf(sqlite_database: Database) -> None:
    shop = Shop(sqlite_database)
    await shop.takes(shopify_csv(a_row("cap", Zone="z", **{"Cost per item": "1", "=x": "y"})))

    content = await shop.gives()

    assert content.count(b"\r\n") == content.count(b"\n") == 2
    names = next(csv.reader(io.StringIO(content.decode())))
    assert names[:8] == ["Handle", "Title", "Body (HTML)", "Vendor", "Type", "Tags", "Published", "Option1 Name"]
    assert names[-4:] == ["Status", "'=x", "Cost per item", "Zone"]
    assert [row["Handle"] for row in csv.DictReader(io.StringIO(content.decode()))] == ["cap"]


async def test_export_without_unpublished_has_only_what_is_on_sale(database: Database) -> None:
    shop = await filled(database, [a_product(handle="on"), a_product(handle="off", status="draft")])

    content = await shop.gives("jsonl", include_unpublished=False)

    assert content.count(b"\n") == 1
    assert content.startswith(b'{"handle":"on"')


async def test_measured_image_keeps_its_size_when_a_file_does_not_say_it(sqlite_database: Database) -> None:
    shop = await filled(sqlite_database, [a_product(images=(an_image(width=800, height=600),))])

    report = await shop.takes(await shop.gives())

    assert str(report) == "created 0 updated 0 unchanged 1 failed 0"
    assert (await shop.products())["rain-jacket"].images[0].width == 800


async def test_demo_is_seeded_once_and_exports_to_its_own_bytes(database: Database) -> None:
    shop = Shop(database)

    first = await seed_demo(database, FakeClock(), "USD")
    second = await seed_demo(database, FakeClock(), "USD")

    assert (first, second) == (72, 0)
    assert await shop.gives("jsonl") == DEMO.read_bytes()


async def test_demo_takes_the_shops_currency(sqlite_database: Database) -> None:
    await seed_demo(sqlite_database, FakeClock(), "EUR")

    assert {product.currency for product in (await Shop(sqlite_database).products()).values()} == {"EUR"}


async def test_short_json_line_gets_defaults(sqlite_database: Database) -> None:
    shop = Shop(sqlite_database)
    line = b'{"handle":"A","title":"A","variants":[{"options":{"Size":"S"},"price":{"amount":5,"currency":"EUR"}}]}'

    await shop.takes(b"\xef\xbb\xbf" + line, "jsonl")

    expected = a_product(handle="a", title="A", currency="EUR", options=("Size",), tags=(), images=())
    found = (await shop.products())["a"]
    assert found == replace(
        expected,
        variants=(a_variant(price=5, options={"Size": "S"}),),
        vendor="",
        category=None,
        description="",
        extra={},
    )


plain = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
risky = st.text(alphabet="'=+-@\t\r\nab,\" ", max_size=8)


@given(risky | plain)
def test_neutralised_text_comes_back_and_is_no_formula(text: str) -> None:
    cell = neutralised(text)

    assert restored(cell) == text
    assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r") or not cell


@given(
    st.lists(
        st.sampled_from(
            [
                "<p>",
                "</p>",
                "<b>",
                "<pre>",
                "\n",
                "\r\n",
                "&#13;",
                "<li>",
                "<h2>",
                "&",
                "<",
                "x",
                "\xa0",
                "<button>",
                "</br>",
                "<table>",
                "\0",
                "<a title='>'>",
            ]
        ),
        max_size=12,
    )
)
@settings(max_examples=300)
def test_clean_html_is_clean(pieces: list[str]) -> None:
    once = clean_html("".join(pieces))

    assert clean_html(once) == once


@given(title=risky.filter(str.strip), value=(risky | plain).filter(str.strip), alt=risky, number=st.integers(1, 4))
@settings(
    max_examples=25, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_any_texts_survive_both_formats(
    sqlite_database: Database, title: str, value: str, alt: str, number: int
) -> None:
    shop = Shop(sqlite_database)
    rows = [
        a_row("x", Title=neutralised(title), Kept=neutralised(value), **{"Option1 Name": "N", "Option1 Value": "0"})
    ]
    rows += [
        {"Handle": "x", "Option1 Value": str(n), "Variant Price": "1", "Kept": neutralised(value)}
        for n in range(1, number)
    ]
    rows += [{"Handle": "x", "Image Src": "https://x.test/", "Image Alt Text": neutralised(alt)}]

    report = await shop.takes(shopify_csv(*rows))

    assert report.faults == []
    stored = (await shop.products())["x"]
    assert (stored.title, stored.extra, stored.images[0].alt) == (title, {"Kept": value}, alt)
    for kind in ("csv", "jsonl"):
        assert str(await shop.takes(await shop.gives(kind), kind)) == "created 0 updated 0 unchanged 1 failed 0"
