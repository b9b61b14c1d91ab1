"""Item-to-item recommendations from what is ordered together.

With n(i) the orders that have product i, and c(i,j) those that have both, product j is as good beside i as

    s(i,j) = c(i,j) / (n(i) * n(j)^DAMPING)  *  c(i,j) / (c(i,j) + SHRINKAGE)

The first factor is the conditional probability of j given i, divided by a power of how popular j is anyway (Deshpande
and Karypis, "Item-based top-N recommendation algorithms", ACM TOIS 22(1), 2004, section 4.1.2). The second draws what
few orders say towards nought (Bell and Koren, "Scalable collaborative filtering with jointly derived neighborhood
interpolation weights", ICDM 2007, section 3.1). Counts are of one product's orders at a time: memory grows with the
lines of orders and with the neighbours that are kept, never with the square of the products.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from commerce.recommendations.baskets import Baskets
from core.inference.errors import ModelFailedProbe

# On real baskets, of weeks before those that `benchmarks recommendations` asks about: recall@10 is 0.0514, at 0.3 it is
# 0.0477, and at 0, where what everybody buys goes with everything, 0.0516.
DAMPING = 0.1
SHRINKAGE = 5.0  # orders; as many halve a score. There 0 has 0.0509, and 20 has 0.0513
SUPPORT = 2  # orders: one alone would show a stranger's basket
NEIGHBOURS = 32  # of a product
MOST_OF_BASKET = 100  # products of an order: what a reseller orders goes together by chance
_TELL_EACH = 500


@dataclass(frozen=True, slots=True)
class Table:
    """A sparse matrix by rows. `ids` are sorted; row i has the neighbours `columns[starts[i]:starts[i + 1]]`, the best
    first, and their `scores`.
    """

    ids: NDArray[np.bytes_]
    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    scores: NDArray[np.float32]

    def like(self, product_id: str) -> list[str]:
        """Ids, the best first; none for a product that it does not know."""
        key = np.bytes_(product_id.encode())
        row = int(np.searchsorted(self.ids, key))
        if row == len(self.ids) or self.ids[row] != key:
            return []
        return [each.decode() for each in self.ids[self.columns[self.starts[row] : self.starts[row + 1]]]]

    def save(self) -> bytes:
        from safetensors.numpy import save  # noqa: PLC0415  loaded where a model is made

        letters = self.ids.view(np.uint8).reshape(len(self.ids), self.ids.itemsize)
        return save({"ids": letters, "starts": self.starts, "columns": self.columns, "scores": self.scores})

    @classmethod
    def load(cls, data: bytes) -> "Table":
        """Raises what safetensors raises, KeyError and ValueError for tensors that are others."""
        from safetensors.numpy import load  # noqa: PLC0415  as above

        tensors = load(data)
        letters = np.ascontiguousarray(tensors["ids"])
        ids = letters.view(f"S{letters.shape[1]}").reshape(-1)
        return cls(ids, tensors["starts"], tensors["columns"], tensors["scores"])

    def check(self) -> None:
        """Raises ModelFailedProbe."""
        rows, count = len(self.ids), len(self.columns)
        shaped = self.starts.shape == (rows + 1,) and self.scores.shape == self.columns.shape == (count,)
        if (
            not shaped
            or not rows
            or self.starts[0] != 0
            or self.starts[-1] != count
            or (np.diff(self.starts) < 0).any()
        ):
            raise ModelFailedProbe("the rows are not those of a sparse matrix")
        if not np.isfinite(self.scores).all() or self.columns.min() < 0 or self.columns.max() >= rows:
            raise ModelFailedProbe("there are scores that are no numbers, or neighbours that are no products")
        if (self.ids[1:] <= self.ids[:-1]).any():
            raise ModelFailedProbe("the products are not in order")


def table_of(
    baskets: Baskets,
    *,
    damping: float = DAMPING,
    shrinkage: float = SHRINKAGE,
    support: int = SUPPORT,
    tell: Callable[[float], Any] = lambda _done: None,
) -> Table | None:
    """The same for the same baskets, to the byte. None where no two products were ordered together often enough."""
    pairs = _Pairs(baskets)
    columns, scores = [np.empty(0, np.int32)], [np.empty(0, np.float32)]
    weight = pairs.orders_of**damping
    for product in range(len(baskets.ids)):
        others, together = pairs.beside(product)
        enough = together >= support
        others, together = others[enough], together[enough]
        score = together / (pairs.orders_of[product] * weight[others]) * (together / (together + shrinkage))
        best = np.lexsort((others, -score))[:NEIGHBOURS]
        columns.append(others[best].astype(np.int32))
        scores.append(score[best].astype(np.float32))
        if product % _TELL_EACH == 0:
            tell(product / len(baskets.ids))
    return _table(baskets.ids, columns[1:], scores[1:])


def _table(ids: Sequence[str], columns: list[NDArray[Any]], scores: list[NDArray[Any]]) -> Table | None:
    """Of products that have neighbours. Who is a neighbour has some: to be ordered together is mutual."""
    lengths = np.array([len(each) for each in columns], np.int64)
    known: list[int] = np.flatnonzero(lengths).tolist()
    if not known:
        return None
    place = np.cumsum(lengths > 0, dtype=np.int32) - 1
    return Table(
        np.array([ids[each].encode() for each in known], np.bytes_),
        np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths[known])]),
        place[np.concatenate(columns)],
        np.concatenate(scores),
    )


class _Pairs:
    """Orders by product and products by order, each once."""

    def __init__(self, baskets: Baskets) -> None:
        count = len(baskets.ids)
        key = np.unique(baskets.orders.astype(np.int64) * max(count, 1) + baskets.products)
        orders, products = key // max(count, 1), (key % max(count, 1)).astype(np.int32)
        starts = np.searchsorted(orders, orders)  # where each one's order begins
        kept = np.arange(len(orders)) - starts < MOST_OF_BASKET
        orders, self._products = orders[kept], products[kept]
        self._orders = orders.astype(np.int32)
        self._order_starts = np.searchsorted(orders, np.arange(int(orders.max(initial=-1)) + 2))
        by_product = np.argsort(self._products, kind="stable")
        self._orders_by_product = self._orders[by_product]
        self._product_starts = np.searchsorted(self._products[by_product], np.arange(count + 1))
        self.orders_of = np.diff(self._product_starts)

    def beside(self, product: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """The products that were ordered with it, in their order, and in how many orders."""
        mine = self._orders_by_product[self._product_starts[product] : self._product_starts[product + 1]]
        begin = self._order_starts[mine]
        lengths = self._order_starts[mine + 1] - begin
        # The places of all lines of those orders, without a loop over them.
        ends = np.cumsum(lengths)
        places = np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(begin - ends + lengths, lengths)
        others, together = np.unique(self._products[places], return_counts=True)
        is_other = others != product
        return others[is_other], together[is_other]
