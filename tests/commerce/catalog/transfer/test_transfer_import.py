import io

import pytest

from commerce.catalog.transfer import importer
from commerce.catalog.transfer.importer import import_products
from commerce.catalog.transfer.records import UnreadableFile
from core.database import Database
from tests.factories.clocks import FakeClock
from tests.factories.statements import recorded
from tests.factories.transfers import Shop, a_row, shopify_csv


async def test_every_modelled_column_is_read(database: Database) -> None:
    shop = Shop(database)
    first = a_row(
        " Rain-Jacket ",
        **{
            "Title": " Rain Jacket ",
            "Body (HTML)": "<p>Dry</p>",
            "Vendor": " Alder ",
            "Type": "Jackets",
            "Tags": "rain, hiking,rain, ",
            "Published": "FALSE",
            "Option1 Name": "Size",
            "Option1 Value": " S ",
            "Option3 Name": "Color",
            "Option3 Value": "Moss",
            "Variant SKU": " RJ-S ",
            "Variant Grams": "500.0",
            "Variant Inventory Tracker": "shopify",
            "Variant Inventory Qty": "-4",
            "Variant Inventory Policy": "Continue",
            "Variant Compare At Price": "12.5",
            "Variant Barcode": " 123 ",
            "Image Src": "https://images.example.com/b.jpg",
            "Image Position": "2",
            "Image Alt Text": " back ",
        },
    )
    second = {
        "Handle": "rain-jacket",
        "Option1 Value": "M",
        "Option3 Value": "Moss",
        "Variant Price": "11",
        "Variant Inventory Tracker": "amazon",
        "Image Src": "https://images.example.com/a.jpg",
        "Image Position": "1",
    }

    report = await shop.takes(shopify_csv(first, second))

    assert str(report) == "created 1 updated 0 unchanged 0 failed 0"
    product = (await shop.products())["rain-jacket"]
    assert (product.title, product.description, product.vendor) == (" Rain Jacket ", "<p>Dry</p>", "Alder")
    assert (product.category, product.tags, product.status) == ("Jackets", ("rain", "hiking"), "draft")
    assert product.options == ("Size", "Color")
    small, medium = product.variants
    assert (small.options, small.sku, small.price) == ({"Size": "S", "Color": "Moss"}, "RJ-S", 1000)
    assert (small.compare_at_price, small.stock, small.weight_grams) == (1250, -4, 500)
    assert (small.inventory_policy, small.barcode, small.extra) == ("continue", "123", {})
    assert (medium.price, medium.stock, medium.inventory_policy) == (1100, 0, "deny")
    assert (medium.sku, medium.weight_grams, medium.barcode) == (None, None, None)
    assert medium.extra == {"Variant Inventory Tracker": "amazon"}
    assert [(image.url[-5:], image.alt) for image in product.images] == [("a.jpg", ""), ("b.jpg", " back ")]


async def test_mark_order_and_case_of_columns_do_not_matter(sqlite_database: Database) -> None:
    shop = Shop(sqlite_database)
    content = b"\xef\xbb\xbf variant PRICE ,TITLE,handle\n3.00,Cap,cap\n"

    await shop.takes(content)

    assert (await shop.products())["cap"].variants[0].price == 300


async def test_untracked_quantity_is_kept_and_stock_is_not_known(sqlite_database: Database) -> None:
    shop = Shop(sqlite_database)

    await shop.takes(shopify_csv(a_row("cap", **{"Variant Inventory Tracker": "", "Variant Inventory Qty": "7"})))

    (variant,) = (await shop.products())["cap"].variants
    assert (variant.stock, variant.extra) == (None, {"Variant Inventory Qty": "7"})


async def test_unknown_cells_go_to_their_owners(sqlite_database: Database) -> None:
    shop = Shop(sqlite_database)
    options = {"Option1 Name": "Size", "Option1 Value": "S"}
    extras = {"SEO Title": "one", "Variant Taxable": "true", "Cost per item": "2", "Image Credit": "me"}
    picture = {"Image Src": "https://images.example.com/1.jpg"}
    rows = [
        a_row("cap", **options, **extras, **picture),
        {"Handle": "cap", "Option1 Value": "M", "Variant Price": "1", "SEO Title": "two", "Image Credit": "you"},
        {"Handle": "cap", "Image Src": "https://images.example.com/2.jpg", "SEO Title": "three", "Variant Grams": "9"},
        {"Handle": "cap", "Season": "winter"},
    ]

    await shop.takes(shopify_csv(*rows))

    cap = (await shop.products())["cap"]
    assert cap.extra == {"SEO Title": "one", "Season": "winter"}
    assert cap.variants[0].extra == {"Variant Taxable": "true", "Cost per item": "2"}
    assert cap.variants[1].extra == {"SEO Title": "two", "Image Credit": "you"}
    assert [image.extra for image in cap.images] == [
        {"Image Credit": "me"},
        {"SEO Title": "three", "Variant Grams": "9"},
    ]


async def test_unchanged_import_writes_nothing(database: Database) -> None:
    shop = Shop(database)
    content = shopify_csv(*(a_row(f"cap-{n}", Tags="a, b", **{"Body (HTML)": "<pre>\n\nx<b>"}) for n in range(30)))
    await shop.takes(content)

    with recorded(database.writer) as sent:
        report = await shop.takes(content)

    assert str(report) == "created 0 updated 0 unchanged 30 failed 0"
    assert [statement for statement in sent if not statement.lstrip().startswith("SELECT")] == []
    assert set((await shop.versions()).values()) == {1}


async def test_a_batch_is_as_many_statements_as_it_has_tables(sqlite_database: Database) -> None:
    """Asked are the handles, the categories, and all of them where one is missing."""
    shop = Shop(sqlite_database)
    size = {
        "Option1 Name": "Size",
        "Option1 Value": "S",
        "Type": "Caps",
        "Tags": "a, b",
        "Image Src": "https://x.test/a",
    }
    more = {"Option1 Value": "M", "Variant Price": "1"}
    rows = [row for n in range(100) for row in (a_row(f"cap-{n}", **size), {"Handle": f"cap-{n}", **more})]

    with recorded(sqlite_database.writer) as sent:
        report = await shop.takes(shopify_csv(*rows))

    assert str(report) == "created 100 updated 0 unchanged 0 failed 0"
    inserted = [statement.split()[2] for statement in sent if statement.startswith("INSERT")]
    assert sorted(inserted) == [
        *("audit_log", "categories", "events", "product_documents"),
        *("product_images", "product_tags", "products", "variants"),
    ]
    others = [statement.split()[0] for statement in sent if not statement.startswith("INSERT")]
    assert others == ["SELECT", "SAVEPOINT", "SELECT", "SELECT", "DELETE", "RELEASE"]


async def test_dry_run_says_what_would_happen_and_changes_nothing(database: Database) -> None:
    shop = Shop(database)
    await shop.takes(shopify_csv(a_row("cap", **{"Variant SKU": "A"}), a_row("hat")))
    before = await shop.gives("jsonl")
    rows = [
        a_row("new"),
        a_row("cap", Title="Other", **{"Variant SKU": "A"}),
        a_row("hat"),
        a_row("b", **{"Variant SKU": "A "}),
    ]
    others = [a_row("thief", **{"Variant SKU": "A"})]

    report = await shop.takes(shopify_csv(*rows), dry_run=True)
    stolen = await shop.takes(shopify_csv(*others), dry_run=True)

    assert str(report) == "created 1 updated 1 unchanged 1 failed 1"
    assert [str(fault) for fault in stolen.faults] == [
        "line 2: product 'thief': Variant SKU: SKU 'A' belongs to product 'cap'"
    ]
    assert await shop.gives("jsonl") == before


async def test_several_batches_are_counted_exactly(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "BATCH", 400)
    progress: list[int] = []
    rows = [a_row(f"cap-{n}", **{"Variant Price": "-1" if n % 100 == 7 else "1"}) for n in range(620)]
    content = shopify_csv(*rows)

    report = await import_products(
        sqlite_database, FakeClock(), io.BytesIO(content), "csv", currency="USD", on_progress=progress.append
    )

    assert str(report) == "created 613 updated 0 unchanged 0 failed 7"
    assert [fault.line for fault in report.faults] == [9, 109, 209, 309, 409, 509, 609]
    assert len(progress) == 2
    assert progress == sorted(progress)
    assert progress[-1] == len(content)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the file is empty: it has no header row"),
        ("Handle,Title\nx,y\n".encode("utf-16"), "the file is UTF-16; save it as UTF-8"),
        ("Handle,Title\nx,y\n".encode("utf-16-le"), "it is not UTF-8 text"),
        (b"Title,Variant Price\nx,1\n", "there is no column Handle"),
        (b"Handle;Title\nx;y\n", "there is no column Handle"),
        (b"Handle,Title,title\nx,y,z\n", "line 1: column Title stands twice"),
        (b"Handle,Title,Gr\xf6\n", "line 1: the names of the columns are not UTF-8"),
        (b'Handle,"Title\nx,y\n', "line 1: a quoted cell that begins here is never closed"),
    ],
)
async def test_file_that_is_no_product_csv_is_refused_whole(
    sqlite_database: Database, content: bytes, told: str
) -> None:
    shop = Shop(sqlite_database)

    with pytest.raises(UnreadableFile) as refused:
        await shop.takes(content)

    assert told in refused.value.detail
    assert await shop.products() == {}
