"""How well recommendations foretell what else is in a basket: trained on the first weeks of a year of real purchases,
asked about the baskets after them, beside what is bought most.

Recall@10 of a product in a basket: which part of the basket's other products is among the ten that are recommended
beside it. Products that are new since the training count as missed.
"""

import time
from typing import Any

import numpy as np

from benchmarks.harness.install import NotInstalled
from benchmarks.harness.purchases import Purchases, purchases
from benchmarks.report import Row, at_least, not_measured
from commerce.recommendations import copurchase
from commerce.recommendations.baskets import WINDOW, Baskets
from commerce.recommendations.copurchase import table_of

TOP = 10
ASKED = 20_000  # products in baskets, by chance: the error of the mean is then below 0.002
DAYS = 28  # that are foretold: between two trainings is one, the more the harder
DAMPINGS = (0.0, 0.1, 0.3, 0.5, 1.0)


def run() -> list[Row]:
    try:
        bought = purchases()
    except NotInstalled as why:
        return [not_measured("co-purchase: recall@10", str(why), "above popularity")]
    last = int(bought.days.max())
    learnt = bought.where((bought.days <= last - DAYS) & (bought.days > last - DAYS - WINDOW.days))
    given, asked = baskets_of(learnt), questions(bought.where(bought.days > last - DAYS))
    started = time.perf_counter()
    recall = {damping: recall_at(TOP, given, asked, damping) for damping in DAMPINGS}
    seconds = (time.perf_counter() - started) / len(DAMPINGS)
    popular = recall_of_popular(TOP, given, asked)
    ours = recall.pop(copurchase.DAMPING)
    return [
        at_least("co-purchase: recall@10", ours, "of a basket's others", round(popular, 5)),
        Row("popularity: recall@10", popular, "of a basket's others"),
        *(
            Row(f"co-purchase damped by {damping:g}: recall@10", found, "of a basket's others")
            for damping, found in recall.items()
        ),
        Row("lines that it was trained on", float(len(learnt.baskets)), "lines"),
        Row("products that it was trained on", float(len(given.ids)), "products"),
        Row("to train and to ask", seconds, "s"),
    ]


def baskets_of(bought: Purchases) -> Baskets:
    names, products = np.unique(bought.products, return_inverse=True)
    orders = np.unique(bought.baskets, return_inverse=True)[1]
    # Fixed width, so that their order as text is that of the numbers.
    return Baskets(orders.astype(np.int32), products.astype(np.int32), [f"{each:012}" for each in names], None)


def questions(bought: Purchases) -> list[tuple[str, set[str]]]:
    """Products in baskets, and what else is in these."""
    pairs = np.unique(np.stack([bought.baskets, bought.products]), axis=1)
    starts = np.flatnonzero(np.diff(pairs[0], prepend=-1))
    ends = [*starts[1:], pairs.shape[1]]
    place = np.repeat(np.arange(len(starts)), np.diff([*starts, pairs.shape[1]]))
    many = np.flatnonzero((np.asarray(ends) - starts)[place] > 1)
    chosen = np.random.default_rng(0).choice(many, min(ASKED, len(many)), replace=False)
    found = []
    for each in chosen.tolist():
        basket = {f"{product:012}" for product in pairs[1, starts[place[each]] : ends[place[each]]]}
        asked = f"{pairs[1, each]:012}"
        found.append((asked, basket - {asked}))
    return found


def recall_at(top: int, given: Baskets, asked: list[tuple[str, set[str]]], damping: float) -> float:
    table = table_of(given, damping=damping)
    assert table is not None
    popular = most_bought(given, top + 1)
    found = [recalled([*table.like(product), *popular], product, others, top) for product, others in asked]
    return float(np.mean(found))


def recall_of_popular(top: int, given: Baskets, asked: list[tuple[str, set[str]]]) -> float:
    popular = most_bought(given, top + 1)
    return float(np.mean([recalled(popular, product, others, top) for product, others in asked]))


def most_bought(given: Baskets, top: int) -> list[str]:
    counts: Any = np.bincount(given.products)
    return [given.ids[each] for each in np.argsort(-counts, kind="stable")[:top].tolist()]


def recalled(answer: list[str], product: str, others: set[str], top: int) -> float:
    """Filled up by what is popular, as the service does."""
    shown = [each for each in dict.fromkeys(answer) if each != product][:top]
    return len(others & set(shown)) / len(others)
