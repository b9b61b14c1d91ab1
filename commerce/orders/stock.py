"""What can be bought, and the stock that orders take and give back.

Products are locked before their variants, in the order of their ids, by every writer: what is read here stays so until
the transaction ends. A change of stock changes the product: its version rises.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy import ColumnElement, bindparam, case, or_, select, update

from commerce.catalog.commands import SINGLE_VARIANT
from commerce.catalog.models import ProductRow, VariantRow
from commerce.catalog.text import is_storable
from commerce.orders.commands import OrderLine
from core.database import ReadSession, WriteSession
from core.money import Money
from core.prepared import Prepared, listed, numbered


@dataclass(frozen=True, slots=True)
class Offer:
    """A variant that is on sale."""

    variant_id: str
    product_id: str
    sku: str | None
    title: str
    price: Money
    stock: int | None
    weight_grams: int | None


@dataclass(frozen=True, slots=True)
class Level:
    """How much of a tracked variant there is now."""

    product_id: str
    variant_id: str
    sku: str | None
    stock: int
    on_sale: bool


_OFFERED = (
    VariantRow.id,
    VariantRow.product_id,
    VariantRow.sku,
    VariantRow.options,
    VariantRow.price,
    VariantRow.stock,
    VariantRow.weight_grams,
    ProductRow.title,
    ProductRow.currency,
)


class Stock:
    """Per transaction. The number of statements does not depend on the number of variants."""

    def __init__(self, session: WriteSession, now: datetime) -> None:
        self._session = session
        self._now = now

    async def offers(self, lines: Sequence[OrderLine]) -> list[Offer | None]:
        """What each line names, None where nothing on sale has that id or SKU; their products are locked."""
        named, also = _values_of(lines)
        locked = dict[str, str]()
        if self._session.get_bind().dialect.name != "sqlite":  # where whoever writes holds everything
            rows = await _locking(len(named), len(also)).run(self._session, named | also)
            locked = numbered("locked", [product_id for (product_id,) in rows])
        return await _found(self._session, lines, named, also, locked)

    async def take(self, quantities: Mapping[str, int]) -> dict[str, int | None]:
        """Takes so many of each variant where there are enough, and says what is left of it (None: untracked).

        A variant that is missing from the answer has too little; the transaction then has to be rolled back.
        """
        wanted = numbered("id", list(quantities)) | numbered("quantity", list(quantities.values()))
        return dict(await _taking(len(wanted) // 2).run(self._session, wanted))

    async def give_back(self, quantities: Mapping[str, int], product_ids: Sequence[str]) -> list[Level]:
        """To variants of these products that still exist and are tracked."""
        on_sale = await self._lock(product_ids)
        rows = await self._session.execute(
            update(VariantRow)
            .where(VariantRow.id.in_(quantities), VariantRow.product_id.in_(on_sale), VariantRow.stock.is_not(None))
            .values(stock=VariantRow.stock + case(dict(quantities), value=VariantRow.id))
            .returning(VariantRow.product_id, VariantRow.id, VariantRow.sku, VariantRow.stock),
            execution_options={"synchronize_session": False},
        )
        levels = [Level(row.product_id, row.id, row.sku, row.stock, on_sale[row.product_id]) for row in rows]
        return sorted(levels, key=lambda level: level.variant_id)

    async def changed(self, levels: Sequence[Level]) -> None:
        """Raises the versions of the products whose stock changed."""
        products = numbered("id", sorted({level.product_id for level in levels}))
        await _raising(len(products)).run(self._session, products | {"now": self._now})

    async def _lock(self, product_ids: Sequence[str]) -> dict[str, bool]:
        """Those of the products that there are, held against other writers, and whether each is on sale."""
        statement = select(ProductRow.id, ProductRow.status).where(ProductRow.id.in_(product_ids))
        rows = await self._session.execute(statement.order_by(ProductRow.id).with_for_update())
        return {row.id: row.status == "active" for row in rows}


async def offers_now(session: ReadSession, lines: Sequence[OrderLine]) -> list[Offer | None]:
    """As `Stock.offers`, of what may change at any moment: nothing is locked."""
    named, also = _values_of(lines)
    return await _found(session, lines, named, also, {})


def _values_of(lines: Sequence[OrderLine]) -> tuple[dict[str, str], dict[str, str]]:
    ids = [line.variant_id for line in lines if line.variant_id is not None and is_storable(line.variant_id)]
    skus = [line.sku for line in lines if line.sku is not None and is_storable(line.sku)]
    return numbered("id", ids), numbered("sku", skus)


async def _found(
    session: ReadSession,
    lines: Sequence[OrderLine],
    named: dict[str, str],
    also: dict[str, str],
    locked: dict[str, str],
) -> list[Offer | None]:
    statement = _offered(len(named), len(also), len(locked))
    offers = [_offer(*row) for row in await statement.run(session, named | also | locked)]
    by_id = {offer.variant_id: offer for offer in offers}
    by_sku = {offer.sku: offer for offer in offers}
    return [by_id.get(line.variant_id or "") if line.sku is None else by_sku.get(line.sku) for line in lines]


def _named(ids: int, skus: int) -> ColumnElement[bool]:
    return VariantRow.id.in_(listed(VariantRow.id, "id", ids)) | VariantRow.sku.in_(listed(VariantRow.sku, "sku", skus))


@lru_cache(maxsize=64)
def _locking(ids: int, skus: int) -> Prepared:
    of_named = select(VariantRow.product_id).where(_named(ids, skus))
    return Prepared(select(ProductRow.id).where(ProductRow.id.in_(of_named)).order_by(ProductRow.id).with_for_update())


@lru_cache(maxsize=64)
def _offered(ids: int, skus: int, locked: int) -> Prepared:
    """Of none locked: all are."""
    statement = select(*_OFFERED).join(ProductRow).where(_named(ids, skus), ProductRow.status == "active")
    if locked:
        statement = statement.where(ProductRow.id.in_(listed(ProductRow.id, "locked", locked)))
    return Prepared(statement)


@lru_cache(maxsize=8)
def _taking(count: int) -> Prepared:
    ids = listed(VariantRow.id, "id", count)
    quantities = listed(VariantRow.stock, "quantity", count)
    wanted = case(*((VariantRow.id == each, quantity) for each, quantity in zip(ids, quantities, strict=True)))
    enough = or_(VariantRow.stock.is_(None), VariantRow.stock >= wanted, VariantRow.inventory_policy == "continue")
    return Prepared(
        update(VariantRow)
        .where(VariantRow.id.in_(ids), enough)
        .values(stock=VariantRow.stock - wanted)
        .returning(VariantRow.id, VariantRow.stock)
    )


@lru_cache(maxsize=8)
def _raising(count: int) -> Prepared:
    return Prepared(
        update(ProductRow)
        .where(ProductRow.id.in_(listed(ProductRow.id, "id", count)))
        .values(version=ProductRow.version + 1, updated_at=bindparam("now"))
    )


def _offer(
    variant_id: str,
    product_id: str,
    sku: str | None,
    options: dict[str, str],
    price: int,
    stock: int | None,
    weight_grams: int | None,
    title: str,
    currency: str,
) -> Offer:
    named = title if options == SINGLE_VARIANT else f"{title} - {' / '.join(options.values())}"
    return Offer(variant_id, product_id, sku, named, Money(price, currency), stock, weight_grams)
