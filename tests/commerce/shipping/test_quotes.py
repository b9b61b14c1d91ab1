"""Orders that take quotes: the price is the quote's, and every refusal changes nothing."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from commerce.accounts.principal import Principal
from commerce.orders.commands import CancelOrder, OrderLine, QuotedShipping
from commerce.orders.errors import OutOfStock
from commerce.shipping.entities import Option, Parcel, Part, Quote
from commerce.shipping.errors import (
    ShippingQuoteExpired,
    ShippingQuoteMismatch,
    ShippingQuoteUsed,
    UnknownShippingQuote,
)
from commerce.shipping.models import ShippingQuoteRow
from commerce.shipping.quotes import GOOD_FOR, Quotes, forget_old
from core.database import Database
from core.errors import AppError
from core.money import Money
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.orders import SHOP_KEY, OrderDesk, a_person, only_variant
from tests.factories.products import a_variant


def usd(amount: int) -> Money:
    return Money(amount, "USD")


PARTS = (
    Part("fast", "ok", (Option("air", "Air", usd(2000), 1, 1), Option("road", "Road", usd(700), 2, 3))),
    Part("late", "timeout"),
    Part("table", "ok", (Option("standard", "Standard", usd(700), 3, 5),)),
)


class Shop:
    """Quotes beside orders: a jacket of 19.99, of which there are ten."""

    def __init__(self, desk: OrderDesk, variant: str) -> None:
        self.desk = desk
        self.variant = variant

    async def quote(self, quantity: int = 2, *, by: Principal = SHOP_KEY, currency: str = "USD") -> Quote:
        parcel = Parcel(currency, "US", "94105", 500 * quantity)
        async with self.desk.database.write() as session:
            return await Quotes(session, self.desk.clock.now(), by).add(parcel, {self.variant: quantity}, PARTS)

    async def place(self, quote_id: str, quantity: int = 2, *, by: Principal = SHOP_KEY, **changes: Any) -> Money:
        """The order's shipping."""
        shipping = QuotedShipping(quote_id)
        order = await self.desk.place((self.variant, quantity), by=by, shipping=shipping, **changes)
        assert order.total == order.subtotal - order.discount + order.shipping
        assert await self.desk.read(order.id) == order
        return order.shipping

    async def refused(
        self, kind: type[AppError], quote_id: str, quantity: int = 2, *, by: Principal = SHOP_KEY
    ) -> None:
        before = (await self.desk.everything(), await self.taken())

        with pytest.raises(kind) as refusal:
            await self.place(quote_id, quantity, by=by)

        if kind is not OutOfStock:
            assert [(each.pointer, each.code) for each in refusal.value.errors] == [("/shipping_quote_id", kind.code)]
        assert (await self.desk.everything(), await self.taken()) == before

    async def taken(self) -> dict[str, str | None]:
        async with self.desk.database.read() as session:
            rows = await session.execute(select(ShippingQuoteRow.id, ShippingQuoteRow.order_id))
            return {row.id: row.order_id for row in rows}


@pytest.fixture
async def shop(database: Database) -> Shop:
    clock = FakeClock()
    jacket = await Catalogue(database, clock).create(
        handle="jacket", variants=(a_variant(price=1999, stock=10, sku="JKT"),)
    )
    return Shop(OrderDesk(database, clock), only_variant(jacket))


async def test_price_of_the_chosen_option_is_the_orders_shipping(shop: Shop) -> None:
    quote = await shop.quote()

    assert await shop.place(f"{quote.id}-1") == usd(2000)


async def test_options_are_counted_over_all_parts(shop: Shop) -> None:
    first, second = await shop.quote(), await shop.quote(1)
    ids = [option_id for _, options in first.numbered() for option_id, _ in options]

    assert ids == [f"{first.id}-1", f"{first.id}-2", f"{first.id}-3"]
    assert await shop.place(ids[2]) == usd(700)
    assert await shop.place(second.id, 1) == usd(700)


async def test_quote_is_good_for_one_order_and_says_which(shop: Shop) -> None:
    quote = await shop.quote()
    order = await shop.desk.place((shop.variant, 2), shipping=QuotedShipping(quote.id))

    assert await shop.taken() == {quote.id: order.id}
    await shop.refused(ShippingQuoteUsed, f"{quote.id}-1")
    await shop.desk.do(CancelOrder(order.id))
    await shop.refused(ShippingQuoteUsed, f"{quote.id}-1")


async def test_of_orders_that_want_one_quote_at_once_one_gets_it(shop: Shop) -> None:
    quote = await shop.quote()

    results = await asyncio.gather(*(shop.place(quote.id) for _ in range(4)), return_exceptions=True)

    assert [result for result in results if isinstance(result, Money)] == [usd(700)]
    assert sum(isinstance(result, ShippingQuoteUsed) for result in results) == 3
    assert await shop.desk.stock(shop.variant) == 8


async def test_quote_expires(shop: Shop) -> None:
    quote, other = await shop.quote(), await shop.quote()
    shop.desk.clock.advance(seconds=GOOD_FOR.total_seconds() - 1)
    await shop.place(other.id)
    shop.desk.clock.advance(seconds=1)

    await shop.refused(ShippingQuoteExpired, quote.id)


async def test_quote_is_for_its_lines_alone(shop: Shop) -> None:
    quote = await shop.quote(2)

    await shop.refused(ShippingQuoteMismatch, quote.id, 3)
    await shop.refused(ShippingQuoteMismatch, quote.id, 1)

    split = (OrderLine(1, shop.variant), OrderLine(1, sku="JKT"))
    order = await shop.desk.place(*split, shipping=QuotedShipping(quote.id))
    assert order.shipping == usd(700)


async def test_quote_of_another_currency_is_refused(shop: Shop) -> None:
    quote = await shop.quote(currency="EUR")

    await shop.refused(ShippingQuoteMismatch, quote.id)


@pytest.mark.parametrize("suffix", ["-0", "-4", "-", "-01", "-1-1", "--1", "-a", "x", "\0", "-\u0661"])
async def test_what_is_no_option_is_unknown(shop: Shop, suffix: str) -> None:
    quote = await shop.quote()

    await shop.refused(UnknownShippingQuote, f"{quote.id}{suffix}")


async def test_quote_is_its_owners_and_the_shops(shop: Shop) -> None:
    ada, bob = await a_person(shop.desk.database), await a_person(shop.desk.database)
    first, second, of_shop = await shop.quote(by=ada), await shop.quote(by=ada), await shop.quote()

    await shop.refused(UnknownShippingQuote, first.id, by=bob)

    assert await shop.place(first.id, by=ada) == usd(700)
    assert await shop.place(second.id) == usd(700)
    assert await shop.place(of_shop.id, by=bob) == usd(700)


async def test_refused_order_takes_no_quote(shop: Shop) -> None:
    quote = await shop.quote(11)

    await shop.refused(OutOfStock, quote.id, 11)

    assert await shop.taken() == {quote.id: None}


async def test_old_quotes_are_forgotten_a_day_after_they_expired(shop: Shop) -> None:
    quote = await shop.quote()
    async with shop.desk.database.write() as session:
        await forget_old(session, quote.expires_at)
    assert await shop.taken() == {quote.id: None}

    async with shop.desk.database.write() as session:
        await forget_old(session, quote.expires_at + timedelta(seconds=1))

    assert await shop.taken() == {}
