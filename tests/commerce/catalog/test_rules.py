from typing import Any

import pytest

from commerce.catalog.commands import ProductData
from commerce.catalog.rules import faults
from core.money import MAX_AMOUNT
from tests.factories.products import a_product, a_variant, an_image, sized

LONG = "x" * 256
BROKEN = [
    # pointer, code, the product
    ("/handle", "invalid", a_product(handle="")),
    ("/handle", "invalid", a_product(handle="Rain")),
    ("/handle", "invalid", a_product(handle="rain jacket")),
    ("/handle", "invalid", a_product(handle="-rain")),
    ("/handle", "invalid", a_product(handle="rain/jacket")),
    ("/handle", "invalid", a_product(handle="rain\n")),
    ("/handle", "invalid", a_product(handle="rain\0")),
    ("/handle", "invalid", a_product(handle=LONG)),
    ("/handle", "reserved", a_product(handle="export")),
    ("/handle", "reserved", a_product(handle="import")),
    ("/handle", "reserved", a_product(handle="prod_1")),
    ("/title", "required", a_product(title="")),
    ("/title", "required", a_product(title=" \t")),
    ("/title", "too_long", a_product(title=LONG)),
    ("/title", "invalid_text", a_product(title="a\0b")),
    ("/title", "invalid_text", a_product(title="a\ud800b")),
    ("/description", "too_long", a_product(description="x" * 500_001)),
    ("/description", "invalid_text", a_product(description="\0")),
    ("/vendor", "too_long", a_product(vendor=LONG)),
    ("/vendor", "invalid_text", a_product(vendor="\udfff")),
    ("/category", "required", a_product(category=" ")),
    ("/category", "too_long", a_product(category=LONG)),
    ("/category", "invalid_text", a_product(category="a\0")),
    ("/status", "invalid", a_product(status="sold")),
    ("/currency", "invalid", a_product(currency="usd")),
    ("/currency", "invalid", a_product(currency="EURO")),
    ("/tags", "too_many", a_product(tags=tuple(f"tag {number}" for number in range(251)))),
    ("/tags", "duplicate", a_product(tags=("new", "sale", "new"))),
    ("/tags/1", "invalid", a_product(tags=("new", ""))),
    ("/tags/0", "invalid", a_product(tags=("a,b",))),
    ("/tags/0", "invalid", a_product(tags=(" a",))),
    ("/tags/0", "too_long", a_product(tags=(LONG,))),
    ("/tags/0", "invalid_text", a_product(tags=("a\0",))),
    ("/extra", "too_long", a_product(extra={"Column": "x" * 65_536})),
    ("/extra", "too_long", a_product(extra={LONG: "x"})),
    ("/extra", "invalid_text", a_product(extra={"Column": "\0"})),
    ("/extra", "invalid", a_product(extra={" Column": "x"})),
    ("/extra", "invalid", a_product(extra={"Other": "x", "Column ": "x"})),
    ("/extra", "invalid", a_product(extra={"": "x"})),
    ("/options/1", "required", a_product(options=("Size", ""), variants=(a_variant(options={"Size": "S", "": "x"}),))),
    ("/options/0", "too_long", a_product(options=(LONG,), variants=(a_variant(options={LONG: "S"}),))),
    (
        "/options",
        "too_many",
        a_product(options=tuple("ABCD"), variants=(a_variant(options=dict.fromkeys("ABCD", "x")),)),
    ),
    ("/variants", "too_many", a_product(variants=())),
    ("/variants", "too_many", a_product(**sized(*(str(number) for number in range(2_049))))),
    ("/variants/0/options", "invalid", a_product(options=("Size",))),
    ("/variants/0/options", "invalid", a_product(**sized(""))),
    (
        "/variants/0/options",
        "invalid",
        a_product(options=("Size", "Color"), variants=(a_variant(options={"Color": "Red", "Size": "S"}),)),
    ),
    ("/variants/1/options", "duplicate", a_product(**sized("S", "S"))),
    ("/variants/0/options", "too_long", a_product(**sized(LONG))),
    ("/variants/0/options", "invalid_text", a_product(**sized("a\0"))),
    ("/variants/1/sku", "duplicate_sku", a_product(**sized("S", "M", sku="R-1"))),
    ("/variants/0/sku", "invalid", a_product(variants=(a_variant(sku=""),))),
    ("/variants/0/sku", "invalid", a_product(variants=(a_variant(sku="R-1 "),))),
    ("/variants/0/sku", "too_long", a_product(variants=(a_variant(sku=LONG),))),
    ("/variants/0/sku", "invalid_text", a_product(variants=(a_variant(sku="a\0"),))),
    ("/variants/0/barcode", "invalid", a_product(variants=(a_variant(barcode=" 1"),))),
    ("/variants/0/barcode", "too_long", a_product(variants=(a_variant(barcode=LONG),))),
    ("/variants/0/price", "out_of_range", a_product(variants=(a_variant(price=-1),))),
    ("/variants/0/price", "out_of_range", a_product(variants=(a_variant(price=MAX_AMOUNT + 1),))),
    ("/variants/0/compare_at_price", "out_of_range", a_product(variants=(a_variant(compare_at_price=-1),))),
    ("/variants/0/stock", "out_of_range", a_product(variants=(a_variant(stock=10**9 + 1),))),
    ("/variants/0/stock", "out_of_range", a_product(variants=(a_variant(stock=-(10**9) - 1),))),
    ("/variants/0/weight_grams", "out_of_range", a_product(variants=(a_variant(weight_grams=-1),))),
    ("/variants/0/weight_grams", "out_of_range", a_product(variants=(a_variant(weight_grams=10**9 + 1),))),
    ("/variants/0/inventory_policy", "invalid", a_product(variants=(a_variant(inventory_policy="maybe"),))),
    ("/variants/0/extra", "invalid_text", a_product(variants=(a_variant(extra={"\0": ""}),))),
    ("/images", "too_many", a_product(images=(an_image(),) * 251)),
    ("/images/0/url", "invalid", a_product(images=(an_image(url=""),))),
    ("/images/0/url", "invalid", a_product(images=(an_image(url="/jacket.jpg"),))),
    ("/images/0/url", "invalid", a_product(images=(an_image(url="javascript:alert(1)"),))),
    ("/images/0/url", "invalid", a_product(images=(an_image(url="https://"),))),
    ("/images/0/url", "invalid", a_product(images=(an_image(url="https://a.example/b c"),))),
    ("/images/0/url", "invalid", a_product(images=(an_image(url="https://[a.example"),))),
    ("/images/0/url", "too_long", a_product(images=(an_image(url="https://a.example/" + "x" * 2_048),))),
    ("/images/0/alt", "too_long", a_product(images=(an_image(alt="x" * 2_049),))),
    ("/images/0/alt", "invalid_text", a_product(images=(an_image(alt="\0"),))),
    ("/images/0/width", "out_of_range", a_product(images=(an_image(width=0),))),
    ("/images/0/height", "out_of_range", a_product(images=(an_image(height=100_001),))),
    ("/images/0/extra", "invalid_text", a_product(images=(an_image(extra={"a": "\0"}),))),
]


@pytest.mark.parametrize(
    ("pointer", "code", "product"), BROKEN, ids=[f"{number}-{row[0]}-{row[1]}" for number, row in enumerate(BROKEN)]
)
def test_broken_rule_is_named_with_its_place(pointer: str, code: str, product: ProductData) -> None:
    found = faults(product)

    assert [(fault.pointer, fault.code) for fault in found] == [(pointer, code)]
    assert found[0].message
    assert "\0" not in found[0].message


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"handle": "t-shirt_2.0"},
        {"handle": "куртка-дождь"},
        {"handle": "x" * 255, "title": "x" * 255, "vendor": "x" * 255, "category": "x" * 255},
        {"description": "x" * 500_000},
        {"tags": tuple(f"tag {number}" for number in range(250))},
        {"variants": (a_variant(price=0, compare_at_price=0, stock=-5, weight_grams=0),)},
        {"variants": (a_variant(price=MAX_AMOUNT, stock=10**9, weight_grams=10**9),)},
        {"images": (an_image(), an_image(url="http://a.example/b.png", width=1, height=100_000))},
        {"status": "draft"},
        {"status": "archived"},
        sized(*(str(number) for number in range(2_048))),
    ],
)
def test_product_at_the_edge_of_the_rules_is_valid(changes: dict[str, Any]) -> None:
    assert faults(a_product(**changes)) == []


def test_every_fault_is_reported_at_once() -> None:
    product = a_product(handle="", title="", variants=(a_variant(price=-1), a_variant(price=-2)))

    found = [(fault.pointer, fault.code) for fault in faults(product)]

    assert found == [
        ("/handle", "invalid"),
        ("/title", "required"),
        ("/variants/0/price", "out_of_range"),
        ("/variants/1/price", "out_of_range"),
        ("/variants/1/options", "duplicate"),
    ]


def test_option_without_a_name_is_one_too_few() -> None:
    product = a_product(options=(), variants=(a_variant(options={}),))

    assert [(fault.pointer, fault.code) for fault in faults(product)] == [("/options", "too_many")]


def test_option_named_twice_is_refused() -> None:
    product = a_product(options=("Size", "Size"), variants=(a_variant(options={"Size": "S"}),))

    assert [(fault.pointer, fault.code) for fault in faults(product)] == [
        ("/options", "duplicate"),
        ("/variants/0/options", "invalid"),
    ]
