"""What can be subscribed to: a table from a channel's name to the events in it, and to who may have them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from commerce.accounts.errors import MissingScope
from commerce.accounts.principal import Principal, Scope
from commerce.events.envelope import EVENT_TYPES
from commerce.events.filter import EventFilter
from commerce.orders.errors import OrderNotFound
from commerce.orders.repository import OrderRepository
from commerce.support.access import require_chat
from commerce.support.events import room_filter
from commerce.support.repository import SupportRepository
from core.errors import NotFound
from core.resources import Resources


class ChannelNotFound(NotFound):
    """There is no channel of this name."""

    code = "channel_not_found"
    title = "Channel not found"


Open = Callable[[str, Principal, Resources], Awaitable[EventFilter]]


@dataclass(frozen=True, slots=True)
class Channel:
    """`open` gets what stands behind the colon, and raises the AppError of who may not have it."""

    description: str
    open: Open


def _types(*prefixes: str) -> frozenset[str]:
    return frozenset(each for each in EVENT_TYPES if each.startswith(prefixes))


_CATALOG = _types("product.", "stock.", "promotion.")
_ORDERS = _types("order.")


async def _catalog(_rest: str, principal: Principal, _resources: Resources) -> EventFilter:
    return EventFilter(principal, _CATALOG)


async def _orders(_rest: str, principal: Principal, _resources: Resources) -> EventFilter:
    _require(principal, "orders:read")
    return EventFilter(principal, _ORDERS)


async def _order(order_id: str, principal: Principal, resources: Resources) -> EventFilter:
    _require(principal, "orders:read")
    async with resources.database.read() as session:
        if await OrderRepository(session).get(order_id, principal) is None:
            raise OrderNotFound(f"no order {order_id!r}")
    return EventFilter(principal, _ORDERS, order_id)


async def _support(room: str, principal: Principal, resources: Resources) -> EventFilter:
    require_chat(principal)
    async with resources.database.read() as session:
        await SupportRepository(session).require_room(room, principal)
    return room_filter(room, principal)


def _require(principal: Principal, scope: Scope) -> None:
    if not principal.may(scope):
        raise MissingScope(f"this channel needs the scope {scope}")


# By its name with the colon, where something stands behind it.
CHANNELS: Mapping[str, Channel] = {
    "catalog": Channel("Products, their stock, and promotions, as far as you may see them.", _catalog),
    "orders": Channel("Your orders; for staff everybody's.", _orders),
    "order:": Channel("One order.", _order),
    "support:": Channel("What is written in one support room.", _support),
}


async def open_channel(name: str, principal: Principal, resources: Resources) -> EventFilter:
    """Which events the channel has for them. Raises ChannelNotFound, and what the channel does."""
    kind, colon, rest = name.partition(":")
    channel = CHANNELS.get(kind + colon)
    if channel is None:
        raise ChannelNotFound(f"no channel {name!r}")
    return await channel.open(rest, principal, resources)
