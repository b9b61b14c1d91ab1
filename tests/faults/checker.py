"""What must hold after a fault: what was acknowledged is there, nothing is there twice, and all streams are whole."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from commerce.catalog.models import VariantRow
from commerce.invariants.checks import INVARIANTS, check
from commerce.orders.models import OrderLineRow, OrderRow
from core.clock import SystemClock
from core.database import Database
from core.eventlog import EventRow, event_id, position_of
from core.jobs.models import JobRow
from tests.faults.journal import Followed, Journal
from tests.faults.load import EVENTS

Stock = Mapping[str, int]
_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Sold:
    """A line of an order, as the database has it."""

    email: str
    id: str
    state: str
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Shop:
    """What the database says of one load. `told` are the events: id, type and the order that they are about."""

    sold: Sequence[Sold]
    told: Sequence[tuple[str, str, str]]
    before: Stock
    after: Stock


async def stock_of(database: Database) -> dict[str, int]:
    async with database.read() as session:
        rows = await session.execute(select(VariantRow.sku, VariantRow.stock).where(VariantRow.sku.is_not(None)))
        return {sku: stock for sku, stock in rows if sku is not None and stock is not None}


async def shop_after(database: Database, name: str, cursor: str, before: Stock) -> Shop:
    columns = (OrderRow.email, OrderRow.id, OrderRow.state, OrderLineRow.sku, OrderLineRow.quantity)
    lines = select(*columns).join(OrderLineRow, OrderLineRow.order_id == OrderRow.id)
    since = EventRow.position > position_of(cursor, "/cursor")
    events = select(EventRow.position, EventRow.type, EventRow.subject).where(since, EventRow.type.in_(EVENTS))
    async with database.read() as session:
        sold = [Sold(*row) for row in await session.execute(lines.where(OrderRow.email.startswith(f"{name}-")))]
        found = await session.execute(events.order_by(EventRow.position))
        told = [(event_id(position), kind, subject) for position, kind, subject in found]
    return Shop(sold, told, before, await stock_of(database))


def faults_of(journal: Journal, shop: Shop) -> list[str]:
    """Sentences; none where all is well."""
    return [*_orders(journal, shop), *_stock(shop), *_events(shop), *_streams(journal, shop), *_answers(journal)]


def _orders(journal: Journal, shop: Shop) -> Iterable[str]:
    acknowledged = {order.email: order for order in journal.orders}
    there = {line.id: line for line in shop.sold}
    lost = [order.id for order in journal.orders if order.id not in there]
    yield from _said("acknowledged orders are lost", lost)
    times = Counter(line.email for line in shop.sold)
    yield from _said("orders are there twice", [email for email, count in times.items() if count > 1])
    yield from _said("orders are there that nobody was told of", [each for each in times if each not in acknowledged])
    kept = [order for order in journal.orders if order.id in there]
    wrong = [each.id for each in kept if (there[each.id].state == "cancelled") != each.cancelled]
    yield from _said("orders are not in the state that was acknowledged", wrong)
    other = [each.id for each in kept if (there[each.id].sku, there[each.id].quantity) != (each.sku, each.quantity)]
    yield from _said("orders are about something else", other)


def _stock(shop: Shop) -> Iterable[str]:
    taken = Counter[str]()
    for line in shop.sold:
        taken[line.sku] += line.quantity if line.state != "cancelled" else 0
    for sku, before in shop.before.items():
        if shop.after[sku] != before - taken[sku]:
            yield f"of {sku} there were {before}, {taken[sku]} were sold, and {shop.after[sku]} are left"


def _events(shop: Shop) -> Iterable[str]:
    orders = {line.id: line.state for line in shop.sold}
    expected = Counter({("order.placed", each): 1 for each in orders})
    expected |= Counter({("order.cancelled", each): 1 for each, state in orders.items() if state == "cancelled"})
    told = Counter((kind, subject) for _, kind, subject in shop.told)
    if told != expected:
        yield f"the log is not what happened: missing {expected - told!s:.300}, too many {told - expected!s:.300}"


def _streams(journal: Journal, shop: Shop) -> Iterable[str]:
    wanted = [each for each, _, _ in shop.told]
    for followed in journal.followed:
        if followed.ids != wanted:
            yield f"a {followed.kind} {_difference(followed, wanted)}"


def _difference(followed: Followed, wanted: Sequence[str]) -> str:
    times = Counter(followed.ids)
    twice = sum(count > 1 for count in times.values())
    missed, foreign = len(set(wanted) - times.keys()), len(times.keys() - set(wanted))
    return f"got {twice} events twice, missed {missed} of {len(wanted)}, got {foreign} others, or not in their order"


def _answers(journal: Journal) -> Iterable[str]:
    yield from _said("answers were wrong", journal.wrong)


def _said(what: str, found: Sequence[str]) -> Iterable[str]:
    if found:
        yield f"{len(found)} {what}: {', '.join(found[:_EXAMPLES])}"


async def broken_invariants(database: Database) -> list[str]:
    async with database.read() as session:
        findings = [await check(session, each) for each in INVARIANTS]
    return [f"{each.name}: {each.violations} ({each.meaning})" for each in findings if each.violations]


async def unfinished_jobs(database: Database) -> list[str]:
    """That are due."""
    due = select(JobRow.id).where(JobRow.finished_at.is_(None), JobRow.run_at <= SystemClock().now())
    async with database.read() as session:
        return list(await session.scalars(due))


async def lost_jobs(database: Database) -> list[str]:
    """Those that were given up."""
    given_up = select(JobRow.id, JobRow.name, JobRow.error).where(JobRow.state.in_(("failed", "dead")))
    async with database.read() as session:
        rows = await session.execute(given_up)
        return [f"job {job_id} ({name}) was given up: {error!s:.200}" for job_id, name, error in rows]
