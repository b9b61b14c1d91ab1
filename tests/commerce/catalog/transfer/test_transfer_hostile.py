"""Every fault is told with its line, spoils its own product alone, and leaves what was there as it was."""

import pytest

from core.database import Database
from tests.factories.transfers import Shop, a_row, shopify_csv

HEADER = (
    b"Handle,Title,Body (HTML),Published,Status,Variant SKU,Variant Inventory Tracker,Variant Inventory Qty,"
    b"Variant Inventory Policy,Variant Grams,Variant Price,Image Src,Image Position\n"
)


def around(bad: bytes) -> bytes:
    """The bad rows from line 5 on, with a good product on each side; the one above takes three lines."""
    good = b'above,Above,"<p>one\n\ntwo</p>",,,,,,,,1.00,,\n'
    return HEADER + good + bad + b"\nbelow,Below,,,,,,,,,2.00,,\n"


ROW_FAULTS = [
    (b"bad,Bad,,,,,,,,,-3,,", "line 5: product 'bad': Variant Price: '-3' is negative"),
    (b"bad,Bad,,,,,,,,,,,", "line 5: product 'bad': Variant Price: is blank"),
    (b"bad,Bad,,,,,,,,,1.999,,", "line 5: product 'bad': Variant Price: 1.999 has more decimals than USD has (2)"),
    (b"bad,,,,,,,,,,1,,", "line 5: product 'bad': Title: is blank"),
    (b"bad,Caf\xe9,,,,,,,,,1,,", "line 5: column Title is not UTF-8 (byte 0xE9)"),
    (b"bad,Bad,,,,,,,,,1,,,surplus", "line 5: product 'bad': has 14 cells where the header has 13"),
    (b"bad,Bad,,,gone,,,,,,1,,", "line 5: product 'bad': Status: 'gone' is neither active, draft nor archived"),
    (b"bad,Bad,,maybe,,,,,,,1,,", "line 5: product 'bad': Published: 'maybe' is neither true nor false"),
    (
        b"bad,Bad,,,,,,,sell,,1,,",
        "line 5: product 'bad': Variant Inventory Policy: 'sell' is neither deny nor continue",
    ),
    (b"bad,Bad,,,,,,,,1.5,1,,", "line 5: product 'bad': Variant Grams: '1.5' is not a whole number"),
    (b"bad,Bad,,,,,shopify,many,,,1,,", "line 5: product 'bad': Variant Inventory Qty: 'many' is not a whole number"),
    (
        b"bad,Bad,,,,,,,,,1,javascript:x,",
        "line 5: product 'bad': Image Src: 'javascript:x' is not an http or https address",
    ),
    (
        b"bad,Bad,,,,,,,,,1,https://x.test/a,first",
        "line 5: product 'bad': Image Position: 'first' is not a whole number",
    ),
    (b",Bad,,,,,,,,,1,,", "line 5: product '': Handle: is blank"),
    (b"bad,Bad\0,,,,,,,,,1,,", "line 5: product 'bad': Title: 'Bad\\x00' holds a NUL or a broken character"),
    (b"bad,Bad,,,,S1,,,,,1,,\nbad,,,,,S1,,,,,-1,,", "line 6: product 'bad': Variant Price: '-1' is negative"),
    (b"bad,Bad,,,,,,,,,1,,\nbad,Worse,,,,,,,,,1,,", "line 6: product 'bad': Title: 'Worse' is not what line 5 says"),
    (b"bad,Bad,,,,,,,,,1,,\n,,,,,,,,,,2,,", "line 6: product 'bad': Handle: is blank"),
]


@pytest.mark.parametrize(("bad", "told"), ROW_FAULTS)
async def test_faulty_row_fails_its_product_alone(sqlite_database: Database, bad: bytes, told: str) -> None:
    shop = Shop(sqlite_database)

    report = await shop.takes(around(bad))

    assert str(report) == "created 2 updated 0 unchanged 0 failed 1"
    assert told in [str(fault) for fault in report.faults]
    assert set(await shop.products()) == {"above", "below"}


async def test_failed_product_keeps_what_it_was(database: Database) -> None:
    shop = Shop(database)
    await shop.takes(shopify_csv(a_row("cap", **{"Option1 Name": "Size", "Option1 Value": "S"})))
    before = await shop.gives("jsonl")

    report = await shop.takes(shopify_csv(a_row("cap", Title="Other"), {"Handle": "cap", "Variant Price": "-1"}))

    assert str(report) == "created 0 updated 0 unchanged 0 failed 1"
    assert await shop.gives("jsonl") == before


async def test_huge_cell_fails_its_product_alone(sqlite_database: Database) -> None:
    shop = Shop(sqlite_database)
    huge = shopify_csv(a_row("a"), a_row("huge", **{"Body (HTML)": "x" * 10_000_000}), a_row("b"))

    report = await shop.takes(huge)

    assert [str(fault) for fault in report.faults] == [
        "line 3: product 'huge': Body (HTML): has 10000000 characters; at most 500000"
    ]
    assert set(await shop.products()) == {"a", "b"}


async def test_quote_that_is_never_closed_stops_the_reading_there(sqlite_database: Database) -> None:
    shop = Shop(sqlite_database)
    content = b'Handle,Title,Variant Price\na,A,1\nb,B,2\nc,"C,3\nd,D,4\n'

    report = await shop.takes(content)

    assert str(report) == "created 2 updated 0 unchanged 0 failed 1"
    assert [str(fault) for fault in report.faults] == [
        "line 4: a quoted cell that begins here is never closed; nothing from line 4 on was read"
    ]
    assert set(await shop.products()) == {"a", "b"}


async def test_product_that_goes_on_in_the_broken_row_is_not_imported_by_half(sqlite_database: Database) -> None:
    shop = Shop(sqlite_database)
    content = (
        b'Handle,Title,Option1 Name,Option1 Value,Variant Price\na,A,Size,S,1\nb,B,Size,S,2\nb,,,"M"x,3\nc,C,,,1\n'
    )

    report = await shop.takes(content)

    assert str(report) == "created 1 updated 0 unchanged 0 failed 1"
    assert [str(fault) for fault in report.faults] == [
        "line 4: text stands behind the closing quote of a cell; nothing from line 4 on was read"
    ]
    assert set(await shop.products()) == {"a"}


async def test_file_cut_off_in_a_row_fails_the_product_of_that_row(sqlite_database: Database) -> None:
    shop = Shop(sqlite_database)

    report = await shop.takes(b"Handle,Title,Variant Price,Variant Barcode\na,A,1,77\nb,B,2")

    assert [str(fault) for fault in report.faults] == ["line 3: product 'b': the file ends in the middle of this row"]
    assert set(await shop.products()) == {"a"}


async def test_handle_that_comes_back_is_refused(sqlite_database: Database) -> None:
    shop = Shop(sqlite_database)

    report = await shop.takes(shopify_csv(a_row("x"), a_row("y"), a_row("x", Title="Again")))

    assert str(report) == "created 2 updated 0 unchanged 0 failed 1"
    assert [str(fault) for fault in report.faults] == [
        "line 4: handle 'x' stood before at line 2; the rows of a product must be together"
    ]
    assert (await shop.products())["x"].title == "X"


async def test_sku_of_another_product_of_the_file_is_refused(database: Database) -> None:
    shop = Shop(database)
    sku = {"Variant SKU": "S-1"}

    report = await shop.takes(shopify_csv(a_row("x", **sku), a_row("y", Vendor="New", **sku), a_row("z")))

    assert str(report) == "created 2 updated 0 unchanged 0 failed 1"
    assert [str(fault) for fault in report.faults] == [
        "line 3: product 'y': Variant SKU: SKU 'S-1' stood before at line 2"
    ]
    assert set(await shop.products()) == {"x", "z"}


async def test_a_faulty_product_keeps_its_names_from_others_of_the_file(sqlite_database: Database) -> None:
    """Which of two is meant is for the file's owner to say, and not for the fault of one."""
    shop = Shop(sqlite_database)
    faulty = a_row("x", **{"Variant SKU": "S-1", "Variant Price": "-1"})

    unreadable = a_row("z", **{"Variant Price": "free"})
    rows = [faulty, a_row("y", **{"Variant SKU": "S-1"}), unreadable, a_row("x"), a_row("z")]

    report = await shop.takes(shopify_csv(*rows))

    assert [str(fault) for fault in report.faults] == [
        "line 2: product 'x': Variant Price: '-1' is negative",
        "line 3: product 'y': Variant SKU: SKU 'S-1' stood before at line 2",
        "line 4: product 'z': Variant Price: 'free' is not an amount; write it as 1234.50",
        "line 5: handle 'x' stood before at line 2; the rows of a product must be together",
        "line 6: handle 'z' stood before at line 4; the rows of a product must be together",
    ]
    assert await shop.products() == {}


async def test_an_option_without_a_column_of_values_is_refused(sqlite_database: Database) -> None:
    shop = Shop(sqlite_database)

    report = await shop.takes(shopify_csv(a_row("x", **{"Option1 Name": "Size"}), a_row("y")))

    assert [str(fault) for fault in report.faults] == [
        "line 2: product 'x': Option1 Value: needs a value for each of Size, in this order"
    ]
    assert set(await shop.products()) == {"y"}


async def test_sku_of_a_product_in_the_catalogue_is_refused(database: Database) -> None:
    shop = Shop(database)
    await shop.takes(shopify_csv(a_row("owner", **{"Variant SKU": "S-1"})))

    report = await shop.takes(shopify_csv(a_row("a"), a_row("thief", **{"Variant SKU": "S-1"}), a_row("b")))

    assert str(report) == "created 2 updated 0 unchanged 0 failed 1"
    assert [str(fault) for fault in report.faults] == [
        "line 3: product 'thief': Variant SKU: SKU 'S-1' belongs to product 'owner'"
    ]
    assert set(await shop.products()) == {"owner", "a", "b"}


async def test_sku_twice_in_a_product_is_refused(sqlite_database: Database) -> None:
    shop = Shop(sqlite_database)
    size = {"Option1 Name": "Size", "Option1 Value": "S", "Variant SKU": "S-1"}
    more = {"Handle": "x", "Option1 Value": "M", "Variant SKU": "S-1", "Variant Price": "1"}

    report = await shop.takes(shopify_csv(a_row("x", **size), more))

    assert [str(fault) for fault in report.faults] == ["line 3: product 'x': Variant SKU: SKU 'S-1' stands here twice"]


async def test_endless_product_is_refused_and_the_next_one_imported(sqlite_database: Database) -> None:
    shop = Shop(sqlite_database)
    rows = ({"Handle": "x", "Option1 Value": str(n), "Variant Price": "1"} for n in range(2400))

    report = await shop.takes(
        shopify_csv(a_row("x", **{"Option1 Name": "N", "Option1 Value": "first"}), *rows, a_row("y"))
    )

    assert str(report.faults[0]) == "line 2300: product 'x': has more than 2298 rows"
    assert str(report) == "created 1 updated 0 unchanged 0 failed 1"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"{", "line 2: is not JSON: "),
        (b'{"handle":"b","title":"B","variants":[],"colour":1}', "line 2: product 'b': colour: is not a field"),
        (b'{"handle":"b","variants":[]}', "line 2: product 'b': title: Field required"),
        (b'{"handle":"b","title":"B","variants":[]}', "line 2: product 'b': variants: has 0 variants; 1 to 2048"),
        (
            b'{"handle":"b","title":"B","variants":[{"price":{"amount":"1","currency":"USD"}}]}',
            "line 2: product 'b': variants/'0'/price/amount: Input should be a valid integer",
        ),
        (
            b'{"handle":"b","title":"B","variants":[{"price":{"amount":-1,"currency":"USD"}}]}',
            "line 2: product 'b': variants/0/price: is negative",
        ),
        (
            (
                b'{"handle":"b","title":"B","variants":[{"price":{"amount":1,"currency":"USD"},'
                b'"compare_at_price":{"amount":1,"currency":"EUR"}}]}'
            ),
            "line 2: product 'b': variants/0/compare_at_price/currency: is not USD like the first",
        ),
        (b'{"handle":"b","title":"B\xe9"}', "line 2: is not UTF-8 (byte 0xE9)"),
        (b"[1]", "line 2: "),
        (b"x" * (17 << 20), "line 2: has more than 16 MiB"),
        (b'{"handle":"a","title":"A2","variants":[]}', "line 2: handle 'a' stood before at line 1"),
    ],
)
async def test_faulty_json_line_fails_alone(sqlite_database: Database, line: bytes, told: str) -> None:
    shop = Shop(sqlite_database)
    good = b'{"handle":"%s","title":"T","variants":[{"price":{"amount":1,"currency":"USD"}}]}\n'

    report = await shop.takes(good % b"a" + line + b"\n\n" + good % b"z", "jsonl")

    assert str(report) == "created 2 updated 0 unchanged 0 failed 1"
    assert str(report.faults[0]).startswith(told)
    assert {handle: data.title for handle, data in (await shop.products()).items()} == {"a": "T", "z": "T"}
