"""What is bought together: the formula to the digit, what is left out, and the same table from the same orders."""

from datetime import timedelta
from math import sqrt

import numpy as np
import pytest

from commerce.recommendations.baskets import WINDOW, Baskets, read_baskets
from commerce.recommendations.copurchase import MOST_OF_BASKET, NEIGHBOURS, Table, table_of
from core.database import Database
from core.inference.errors import ModelFailedProbe
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import NOON, FakeClock
from tests.factories.model_files import a_table
from tests.factories.order_rows import OrderRows, line


def baskets(*orders: str) -> Baskets:
    """Of orders whose products are letters."""
    ids = sorted({product for order in orders for product in order})
    pairs = [(number, ids.index(product)) for number, order in enumerate(orders) for product in order]
    numbers, products = zip(*pairs, strict=True)
    return Baskets(np.array(numbers, np.int32), np.array(products, np.int32), ids, None)


def made(*orders: str, **options: float) -> Table:
    table = table_of(baskets(*orders), **options)  # type: ignore[arg-type]
    assert table is not None
    table.check()
    return table


def scores(table: Table, product: str) -> dict[str, float]:
    row = list(table.ids).index(product.encode())
    found = table.scores[table.starts[row] : table.starts[row + 1]]
    return dict(zip(table.like(product), map(float, found), strict=True))


def test_score_is_that_of_the_formula() -> None:
    table = made("ab", "ab", "ab", "ac", "ac", "b", "c", "c", "c", damping=0.5, shrinkage=2)

    # a is in 5 orders, b in 4, c in 5; a and b are in 3 together, a and c in 2.
    assert scores(table, "a") == {
        "b": pytest.approx(3 / (5 * sqrt(4)) * 3 / (3 + 2)),
        "c": pytest.approx(2 / (5 * sqrt(5)) * 2 / (2 + 2)),
    }
    assert scores(table, "b") == {"a": pytest.approx(3 / (4 * sqrt(5)) * 3 / (3 + 2))}


def test_single_order_says_nothing() -> None:
    table = made("ab", "ab", "ac")

    assert (table.like("a"), table.like("c"), table.like("z"), table.like("")) == (["b"], [], [], [])
    assert table_of(baskets("ab", "cd", "e")) is None


def test_product_that_an_order_has_twice_counts_once() -> None:
    assert table_of(baskets("aabb")) is None
    assert scores(made("aab", "ab"), "a") == scores(made("ab", "ab"), "a")


def test_shrinkage_puts_what_many_orders_say_before_what_few_do() -> None:
    orders = [*["ab"] * 20, *["b"] * 5, *["ac"] * 2]  # c is never without a, b sometimes is

    assert made(*orders, shrinkage=0, damping=1).like("a") == ["c", "b"]
    assert made(*orders, shrinkage=10, damping=1).like("a") == ["b", "c"]


def test_best_are_kept_and_equal_ones_are_in_their_order() -> None:
    letters = [chr(code) for code in range(ord("b"), ord("b") + NEIGHBOURS + 8)]

    table = made(*(f"a{letter}" for letter in letters for _ in range(2)), *[f"a{letters[-1]}"] * 2)

    assert table.like("a") == [letters[-1], *letters[: NEIGHBOURS - 1]]


def test_order_of_a_reseller_counts_with_its_first_products_alone() -> None:
    letters = "".join(chr(code) for code in range(0x100, 0x100 + MOST_OF_BASKET + 1))

    table = made(letters, letters)

    assert table.like(letters[-1]) == []
    assert len(table.like(letters[0])) == NEIGHBOURS


def test_same_orders_make_the_same_file_in_any_order() -> None:
    orders = [f"{one}{other}" for one in "abcdefgh" for other in "efghijkl" if one != other] * 3
    given, mixed = baskets(*orders), np.random.default_rng(7).permutation(sum(map(len, orders)))
    other = Baskets(given.orders[mixed], given.products[mixed], given.ids, None)

    one, two = table_of(given), table_of(other)

    assert one is not None
    assert two is not None
    assert one.save() == two.save()
    read = Table.load(one.save())
    assert [read.like(each) for each in given.ids] == [one.like(each) for each in given.ids]


def test_table_with_another_shape_or_with_scores_that_are_no_numbers_is_refused() -> None:
    good = a_table({"a": ["b", "c"], "b": ["a"]})
    good.check()
    nan, inf = np.full(3, np.nan, np.float32), np.full(3, np.inf, np.float32)

    for bad in (
        Table(good.ids, good.starts, good.columns, nan),
        Table(good.ids, good.starts, good.columns, inf),
        Table(good.ids, good.starts, good.columns, good.scores[:2]),
        Table(good.ids, good.starts[:-1], good.columns, good.scores),
        Table(good.ids, good.starts[::-1], good.columns, good.scores),
        Table(good.ids, good.starts, good.columns + 1, good.scores),
        Table(good.ids, good.starts, good.columns - 1, good.scores),
        Table(good.ids[::-1], good.starts, good.columns, good.scores),
    ):
        with pytest.raises(ModelFailedProbe):
            bad.check()


async def test_orders_of_the_window_are_read_but_those_that_are_cancelled(database: Database) -> None:
    catalogue, orders = Catalogue(database, FakeClock()), OrderRows(database)
    ids = sorted([(await catalogue.create(handle=handle)).head.id for handle in ("tent", "boots")])
    lines = [line(product_id=each) for each in ids]
    now = NOON + timedelta(days=400)
    await orders.add(*lines, placed_at=now - timedelta(days=1))
    await orders.add(lines[0], line(product_id="prod_gone"), placed_at=now - WINDOW)
    await orders.add(*lines, placed_at=now - WINDOW - timedelta(seconds=1))
    await orders.add(*lines, placed_at=now, state="cancelled")

    found = await read_baskets(database, now)
    newest = await read_baskets(database, now, most=2)

    assert (found.ids, found.newest) == (ids, now - timedelta(days=1))
    assert sorted(zip(found.orders, found.products, strict=True)) == [(0, 0), (0, 1), (1, 0)]
    assert sorted(zip(newest.orders, newest.products, strict=True)) == [(0, 0), (0, 1)]


async def test_shop_without_orders_has_no_baskets(database: Database) -> None:
    found = await read_baskets(database, NOON)

    assert (len(found.orders), found.ids, found.newest, table_of(found)) == (0, [], None, None)
