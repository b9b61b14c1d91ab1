"""What a model can ask for. All tools read alone, by the services that the other doors use, as the caller.

What comes back is data, whoever wrote it: JSON between two marks that it cannot contain, cut to a length, without
control characters. Nothing in it changes what the model is told to do, nor what a tool may do.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from commerce.accounts.principal import Principal
from commerce.assistant.cards import Known, read_known
from commerce.assistant.facts import Facts
from commerce.assistant.prices import shown
from commerce.assistant.retrieval import Nearest, Retrieval
from commerce.catalog.filters import MAX_QUERY, ProductFilter
from commerce.catalog.repository import ProductRepository
from commerce.orders.entities import Order
from commerce.orders.repository import OrderRepository
from core.database import Database
from core.inference.chat import Tool, ToolCall
from core.money import MAX_AMOUNT, Money, exponent

SEARCH, PRODUCT, ORDER = "search_products", "product", "order_status"
_AT_MOST = 6  # products of a search
_SHORT = 160  # characters of a description in a list
_LONG = 1_200
_MOST_FAULTS = 3  # told to the model, of one call
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")
OPENING, _CLOSING = "<data>", "</data>"


class ToolRefused(Exception):
    """The call cannot be carried out; the text is for the model."""


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SearchProducts(_Arguments):
    query: str = Field(max_length=MAX_QUERY, description="What is looked for, in a few words; no prices.")
    max_price: float | None = Field(None, ge=0, le=MAX_AMOUNT, description="At most so much, as in 79.50.")
    min_price: float | None = Field(None, ge=0, le=MAX_AMOUNT, description="At least so much.")
    in_stock: bool | None = Field(None, description="true: only what can be bought now.")


class ProductArguments(_Arguments):
    id_or_handle: str = Field(min_length=1, max_length=200, description="A product's id, or its handle.")


class OrderStatus(_Arguments):
    number: int = Field(ge=1, lt=2**31, description="The order's number.")


@dataclass(frozen=True, slots=True)
class _Kind:
    arguments: type[_Arguments]
    description: str
    run: Callable[["Toolbox", Any], Awaitable[dict[str, Any]]]


class Toolbox:
    """Per run. What is found is learnt by `facts`."""

    def __init__(self, database: Database, principal: Principal, facts: Facts, nearest: Nearest) -> None:
        self._database = database
        self._nearest = nearest
        self._principal = principal
        self._facts = facts

    @property
    def has_orders(self) -> bool:
        """Only who is signed in, or uses a key of theirs, and may read orders has some to ask for."""
        return self._principal.user_id is not None and self._principal.may("orders:read")

    @property
    def kinds(self) -> Mapping[str, _Kind]:
        return _KINDS if self.has_orders else {name: kind for name, kind in _KINDS.items() if name != ORDER}

    @property
    def declared(self) -> list[Tool]:
        return [
            Tool(name, kind.description, _schema_of(kind.arguments.model_json_schema()))
            for name, kind in self.kinds.items()
        ]

    async def call(self, call: ToolCall) -> str:
        """Raises ToolRefused, DatabaseUnavailable."""
        kind = self.kinds.get(call.name)
        if kind is None:
            raise ToolRefused(f"there is no tool {call.name[:40]!r}; there are {', '.join(self.kinds)}")
        if call.arguments is None:
            raise ToolRefused("the arguments are not a JSON object")
        try:
            arguments = kind.arguments.model_validate(dict(call.arguments))
        except ValidationError as error:
            faults = error.errors(include_input=False, include_url=False, include_context=False)[:_MOST_FAULTS]
            told = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
            raise ToolRefused(told[:500]) from None
        return as_data(await kind.run(self, arguments))

    async def search_products(self, asked: SearchProducts) -> dict[str, Any]:
        currency = self._facts.currency
        wanted = ProductFilter(
            min_price=_minor(asked.min_price, currency),
            max_price=_minor(asked.max_price, currency),
            in_stock=asked.in_stock,
            include_unpublished=self._principal.sees_unpublished,
        )
        async with self._database.read() as session:
            retrieval = Retrieval(session, self._facts.kinds, self._nearest)
            ids = await retrieval.search(asked.query, wanted, limit=2 * _AT_MOST)
            known = await read_known(session, ids, self._principal)
        fitting = [known[each] for each in ids if each in known and _fits(known[each], wanted)][:_AT_MOST]
        self._facts.learn(fitting)
        return {"products": [_told(each, _SHORT) for each in fitting]}

    async def product(self, asked: ProductArguments) -> dict[str, Any]:
        async with self._database.read() as session:
            key = await ProductRepository(session).key_of(
                asked.id_or_handle, include_unpublished=self._principal.sees_unpublished
            )
            known = await read_known(session, [key.id], self._principal) if key is not None else {}
        if not known:
            raise ToolRefused("no product has this id or handle")
        self._facts.learn(known.values())
        return {"product": _told(next(iter(known.values())), _LONG)}

    async def order_status(self, asked: OrderStatus) -> dict[str, Any]:
        """Of the customer alone: the assistant shows nobody another's, not to staff either."""
        async with self._database.read() as session:
            order = await OrderRepository(session).numbered(asked.number, self._principal)
        if order is None or order.user_id != self._principal.user_id:
            raise ToolRefused(f"this customer has no order {asked.number}")
        self._facts.amounts |= _amounts_of(order)
        self._facts.links |= {each.tracking_url for each in order.shipments if each.tracking_url is not None}
        return {"order": _told_order(order)}


_KINDS: Mapping[str, _Kind] = {
    SEARCH: _Kind(SearchProducts, "Finds products of the shop by words.", Toolbox.search_products),
    PRODUCT: _Kind(ProductArguments, "One product of the shop, in detail.", Toolbox.product),
    ORDER: _Kind(OrderStatus, "How far an order of this customer is.", Toolbox.order_status),
}


def as_data(content: Mapping[str, Any]) -> str:
    """Between marks that no text in it can contain: JSON's strings have no < here."""
    written = json.dumps(_clean(content), ensure_ascii=False, separators=(",", ":"))
    return f"{OPENING}{written.replace('<', chr(92) + 'u003c')}{_CLOSING}"


def data_in(text: str) -> dict[str, Any] | None:
    """What `as_data` was given; None for an error that a tool answered."""
    if not text.startswith(OPENING):
        return None
    found: dict[str, Any] = json.loads(text.removeprefix(OPENING).removesuffix(_CLOSING))
    return found


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _CONTROL.sub(" ", value)
    if isinstance(value, Mapping):
        return {name: _clean(each) for name, each in value.items()}
    return [_clean(each) for each in value] if isinstance(value, list) else value


def _schema_of(schema: dict[str, Any]) -> dict[str, Any]:
    """Without what pydantic adds for its own sake."""
    return {name: value for name, value in schema.items() if name not in ("title", "description")}


def _minor(price: float | None, currency: str) -> int | None:
    return round(price * 10 ** exponent(currency)) if price is not None else None


def _fits(known: Known, wanted: ProductFilter) -> bool:
    """Whether it can be bought at a price in the range: a variant in the range and one in stock may be two."""
    if not wanted.in_stock:
        return True
    price = known.card.price.amount
    return known.card.available and (wanted.max_price is None or price <= wanted.max_price)


def _told(known: Known, length: int) -> dict[str, Any]:
    card = known.card
    return {
        "id": card.product_id,
        "title": card.title[:200],
        "price": shown(card.price),
        "price_range": [shown(card.lowest), shown(card.highest)],
        "available": card.available,
        "category": known.category,
        "tags": list(known.tags[:12]),
        "description": known.description[:length],
    }


def _told_order(order: Order) -> dict[str, Any]:
    return {
        "number": order.number,
        "state": order.state,
        "placed_at": order.placed_at.date().isoformat(),
        "total": shown(order.total),
        "lines": [f"{line.quantity} x {line.title[:100]}" for line in order.lines[:20]],
        "shipments": [
            {"carrier": each.carrier[:100], "tracking_number": each.tracking_number, "tracking_url": each.tracking_url}
            for each in order.shipments[:5]
        ],
    }


def _amounts_of(order: Order) -> set[Money]:
    amounts = {order.total, order.subtotal, order.shipping, order.discount, order.due, order.paid}
    return amounts | {line.total for line in order.lines} | {line.unit_price for line in order.lines}
