"""The built-in model: it looks things up by rules and speaks in templates. Offline, and the same words each time.

It is a chat model as any other, behind the same guards, and stands in for one that is away.
"""

import hashlib
import json
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from decimal import Decimal
from itertools import takewhile
from pathlib import Path
from typing import Any

from commerce.assistant.prices import shown
from commerce.assistant.prompt import question_in
from commerce.assistant.spending import tokens_in
from commerce.assistant.tools import ORDER, SEARCH, data_in
from commerce.assistant.understanding import Wish, search_for, wish_of
from core.inference.chat import (
    MOST_TOKENS,
    AssistantMessage,
    Began,
    Ended,
    Message,
    Piece,
    Text,
    Tool,
    ToolCall,
    ToolMessage,
    Usage,
    UserMessage,
)
from core.inference.provenance import Provenance
from core.money import Money, exponent

_CALL = "builtin_1"
_SHOWN = 3
_WORDS = re.compile(r"\S+\s*")
_STATES = {
    "placed": "is placed and waits for its payment",
    "paid": "is paid and is being packed",
    "shipped": "has been shipped",
    "cancelled": "was cancelled",
}


def _content_hash() -> str:
    """Of the rules: there is nothing that was trained."""
    rules = (Path(__file__), Path(__file__).with_name("understanding.py"), Path(__file__).with_name("retrieval.py"))
    return "sha256:" + hashlib.sha256(b"".join(each.read_bytes() for each in rules)).hexdigest()


class BuiltIn:
    """Per process. `currency`: the shop's."""

    def __init__(self, currency: str) -> None:
        self.provenance = Provenance("builtin", "1", _content_hash())
        self._currency = currency

    async def stream(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool],
        *,
        deadline: float,  # noqa: ARG002  it takes no time
        most_tokens: int = MOST_TOKENS,  # noqa: ARG002  it says less
    ) -> AsyncGenerator[Piece, None]:
        yield Began(self.provenance)
        wish = wish_of([question_in(each.text) for each in messages if isinstance(each, UserMessage)])
        result = _result(messages)
        call = _call_for(wish, {tool.name for tool in tools}) if result is None else None
        if call is not None:
            yield call
            yield Ended("tool_calls", Usage(0, tokens_in(call.arguments_json), estimated=True))
            return
        answer = self._answer(wish, result)
        for words in _WORDS.findall(answer):
            yield Text(words)
        yield Ended("stop", Usage(0, tokens_in(answer), estimated=True))

    def _answer(self, wish: Wish, result: str | None) -> str:
        found = data_in(result) if result is not None else None
        if wish.about_order:
            return _about_order(wish, found, asked=result is not None)
        if found is None:
            return "Tell me what you are looking for, and if you like what it may cost."
        return self._about_products(wish, found["products"])

    def _about_products(self, wish: Wish, products: Sequence[Mapping[str, Any]]) -> str:
        if not products:
            bounded = wish.max_price is not None or wish.min_price is not None
            hint = " Another price may find more." if bounded else " Other words may find more."
            return f"I found nothing in stock that fits{self._bounds(wish)}.{hint}"
        some = products[:_SHOWN]
        many = "This is in stock" if len(some) == 1 else f"These {len(some)} are in stock"
        lines = [f"- [[{each['id']}]] for {each['price']}{_described(each)}" for each in some]
        return f"{many}{self._bounds(wish)}:\n" + "\n".join(lines) + "\n"

    def _bounds(self, wish: Wish) -> str:
        low, high = (self._shown(each) if each is not None else None for each in (wish.min_price, wish.max_price))
        if low is not None and high is not None:
            return f", between {low} and {high}"
        return f", at most {high}" if high is not None else f", at least {low}" if low is not None else ""

    def _shown(self, value: Decimal) -> str:
        return shown(Money(int(value * 10 ** exponent(self._currency)), self._currency))


def _result(messages: Sequence[Message]) -> str | None:
    """Of its own call in this answer; another model may have made calls before it."""
    since = list(takewhile(lambda each: not isinstance(each, UserMessage), reversed(messages)))
    called = any(isinstance(each, AssistantMessage) and any(call.id == _CALL for call in each.calls) for each in since)
    return next(
        (each.text for each in since if called and isinstance(each, ToolMessage) and each.call_id == _CALL), None
    )


def _call_for(wish: Wish, tools: set[str]) -> ToolCall | None:
    if wish.about_order:
        return _called(ORDER, {"number": wish.order_number}) if wish.order_number and ORDER in tools else None
    arguments = search_for(wish)
    return _called(SEARCH, arguments) if arguments is not None and SEARCH in tools else None


def _called(name: str, arguments: dict[str, Any]) -> ToolCall:
    return ToolCall(_CALL, name, json.dumps(arguments), arguments)


def _about_order(wish: Wish, found: Mapping[str, Any] | None, *, asked: bool) -> str:
    if found is not None:
        order = found["order"]
        sent = "".join(f" It travels with {each['carrier']}{_tracked(each)}." for each in order["shipments"])
        return f"Your order {order['number']} {_STATES[order['state']]}. Its total is {order['total']}.{sent}"
    if asked:
        return f"I find no order {wish.order_number} of yours."
    if wish.order_number is None:
        return "Tell me the number of your order; it stands in the confirmation."
    return "Sign in, and ask me again: I can tell you only of your own orders."


def _tracked(shipment: Mapping[str, Any]) -> str:
    number, url = shipment["tracking_number"], shipment["tracking_url"]
    return (f", number {number}" if number else "") + (f": {url}" if url else "")


def _described(product: Mapping[str, Any]) -> str:
    tags = ", ".join(product["tags"][:4])
    return f": {tags}" if tags else ""
