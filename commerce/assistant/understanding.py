"""What a question asks for, by rules: bounds of price, the number of an order, and the words that are left."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from commerce.assistant.facts import singular
from commerce.assistant.prices import NUMBER, amounts_in, value_of
from commerce.catalog.filters import MAX_QUERY
from commerce.catalog.text import fold, search_words

_MONEY = rf"(?:US)?[$€£¥]?\s*({NUMBER})\s*(?:[$€£¥]|dollars?|bucks?|euros?|pounds?|quid|[A-Z]{{3}}\b)?"
_BETWEEN = re.compile(rf"\b(?:between|from)\s+{_MONEY}\s*(?:and|to|-|\u2013)\s*{_MONEY}", re.IGNORECASE)
_AT_MOST = re.compile(
    rf"(?:\b(?:under|below|beneath|less than|cheaper than|lower than|at most|up to|no more than|not more than|within|"
    rf"maximum(?: of)?|max\.?|budget(?: is| of)?:?)|<=?)\s*(?:of\s+)?{_MONEY}",
    re.IGNORECASE,
)
_AT_LEAST = re.compile(
    rf"(?:\b(?:over|above|more than|at least|from|starting at|no less than|minimum(?: of)?|min\.?)|>=?)\s*{_MONEY}",
    re.IGNORECASE,
)
_OR_LESS = re.compile(rf"{_MONEY}\s*(?:or (?:less|under|cheaper|below)|max(?:imum)?|tops)\b", re.IGNORECASE)
_ORDER = re.compile(r"(?<!in )\b(?:order|package|parcel|delivery|shipment)s?\b", re.IGNORECASE)
_OF_ORDERS = re.compile(
    r"\b(?:where|when|status|track(?:ing)?|arrive[ds]?|arriving|shipped|delivered|sent|come|my|late|happened|cancelled)\b",
    re.IGNORECASE,
)
_NUMBER_OF_ORDER = re.compile(
    r"(?:\b(?:order|package|parcel|delivery|shipment|number|no\.?|nr\.?)\s*(?:number|no\.?|nr\.?|is)?\s*[:#]?\s*|#)(\d{1,10})\b",
    re.IGNORECASE,
)
_FILLERS = """
a about also am an and any anything are around as at be best bit but buy by can could dear do does dollar dollars euro
euros find for from get give good got had has have hello help hey hi i i'd i'm if im in is it item items just like less
look looking looks maybe me more most my need nice no not of ok on one ones or order our out please price priced prices
product products recommend same sell shop should show so some someone something stock suggest than thank thanks that the
their them there these they thing things this those to too under up us usd very want was we what when where which while
who whom will wish with would you your available availability cheap cheaper cheapest cost costs budget max maximum buck
bucks pound pounds
"""
_SAYS_NOTHING = frozenset(_FILLERS.split())


_LONGEST = 1_000  # characters that are looked at: a question says what it wants in fewer


@dataclass(frozen=True, slots=True)
class Wish:
    """Prices are in whole units of the shop's currency. `order_number` None with `about_order`: it names none."""

    query: str
    max_price: Decimal | None = None
    min_price: Decimal | None = None
    about_order: bool = False
    order_number: int | None = None


def wish_of(said: Sequence[str]) -> Wish:
    """`said`: what the user said, the last last. What the last leaves open, the one before it says: `And under 50?`"""
    wish = _understood(said[-1])
    if wish.about_order or wish.query or len(said) == 1:
        return wish
    before = next((found for text in reversed(said[:-1]) if (found := _understood(text)).query), None)
    if before is None:
        return wish
    bounded = wish.max_price is not None or wish.min_price is not None
    bounds = wish if bounded else before
    return Wish(before.query, bounds.max_price, bounds.min_price)


def search_of(said: Sequence[str]) -> dict[str, Any] | None:
    """The arguments of a search of the catalogue; None where it is not about products."""
    return search_for(wish_of(said))


def search_for(wish: Wish) -> dict[str, Any] | None:
    """As `search_of`."""
    if wish.about_order or not (wish.query or wish.max_price is not None or wish.min_price is not None):
        return None
    bounds = {"max_price": wish.max_price, "min_price": wish.min_price}
    given = {name: float(value) for name, value in bounds.items() if value is not None}
    return {"query": wish.query[:MAX_QUERY], **given, "in_stock": True}


def _understood(said: str) -> Wish:
    text = " ".join(said[:_LONGEST].split())
    number = _NUMBER_OF_ORDER.search(text)
    if _ORDER.search(text) and (number is not None or _OF_ORDERS.search(text)):
        return Wish("", about_order=True, order_number=int(number[1]) if number is not None else None)
    low = high = None
    if found := _BETWEEN.search(text):
        low, high = sorted((value_of(found[1]), value_of(found[2])))
    else:
        most = _AT_MOST.search(text) or _OR_LESS.search(text)
        least = None if most else _AT_LEAST.search(text)
        high = value_of(most[1]) if most else None
        low = value_of(least[1]) if least else None
    return Wish(_query_of(text), high, low)


def _query_of(text: str) -> str:
    """The words that say what is looked for."""
    for pattern in (_BETWEEN, _AT_MOST, _OR_LESS, _AT_LEAST):
        text = pattern.sub(" ", text)
    for amount in reversed(list(amounts_in(text))):
        text = f"{text[: amount.start]} {text[amount.end :]}"
    words = [word for word in search_words(fold(text).replace("'", "")).split() if word not in _SAYS_NOTHING]
    return " ".join(dict.fromkeys(word for word in words if len(word) > 1 and singular(word) not in _SAYS_NOTHING))
