"""Asking all carriers at once. No transaction is open meanwhile."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from commerce.accounts.principal import Principal
from commerce.orders.commands import PlaceOrder
from commerce.orders.placing import Choice, choices
from commerce.orders.stock import offers_now
from commerce.shipping.commands import QuoteShipping
from commerce.shipping.entities import Parcel, Part, Quote
from commerce.shipping.protocol import question_of, reader_of
from commerce.shipping.quotes import Quotes
from commerce.shipping.rules import place_of, require_valid
from commerce.shipping.table_rate import table_part
from core.database import WriteSession
from core.resources import Resources
from core.settings import CarrierSettings
from core.upstream.calls import UpstreamFailed

UNKNOWN_WEIGHT_GRAMS = 500  # of a variant that does not say


@dataclass(frozen=True, slots=True)
class Asked:
    """What the carriers said to a parcel of these lines (quantities by variant)."""

    parcel: Parcel
    lines: dict[str, int]
    parts: tuple[Part, ...]

    async def keep(self, session: WriteSession, resources: Resources, principal: Principal) -> Quote:
        return await Quotes(session, resources.clock.now(), principal).add(self.parcel, self.lines, self.parts)


async def ask_carriers(resources: Resources, command: QuoteShipping) -> Asked:
    """Each carrier's part, as configured, and last the built-in one's. Equal parcels that are asked about at once are
    asked about once; when nobody waits any more, nothing is asked any more.

    Raises Invalid, UnknownVariant, CurrencyMismatch.
    """
    require_valid(command)
    currency = resources.settings.shop.currency
    async with resources.database.read() as session:
        offers = await offers_now(session, command.lines)
    merged = choices(PlaceOrder(command.lines), offers, currency)
    country, postal_code = place_of(command)
    parcel = Parcel(currency, country, postal_code, _weight(merged))
    key = f"shipping:{question_of(parcel).body.decode()}"
    parts = await resources.flights.run(key, lambda: _parts(resources, parcel), finish=False)
    return Asked(parcel, {choice.offer.variant_id: choice.quantity for choice in merged}, parts)


async def _parts(resources: Resources, parcel: Parcel) -> tuple[Part, ...]:
    shop = resources.settings.shop
    deadline = asyncio.get_running_loop().time() + shop.quote_seconds
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_part(resources, each, parcel, deadline)) for each in shop.carriers]
    return (*(task.result() for task in tasks), table_part(parcel, shop.country))


async def _part(resources: Resources, carrier: CarrierSettings, parcel: Parcel, deadline: float) -> Part:
    read = reader_of(parcel.currency, carrier.max_price)
    try:
        reply = await resources.upstreams.ask(carrier.name, question_of(parcel), read, deadline=deadline)
    except UpstreamFailed as failure:
        return Part(carrier.name, "timeout" if failure.outcome == "timeout" else "skipped")
    if reply.age_seconds is None:
        return Part(carrier.name, "ok", reply.value)
    return Part(carrier.name, "stale", reply.value, int(reply.age_seconds))


def _weight(merged: Sequence[Choice]) -> int:
    return sum(choice.quantity * _grams(choice.offer.weight_grams) for choice in merged)


def _grams(weight: int | None) -> int:
    return UNKNOWN_WEIGHT_GRAMS if weight is None else weight
