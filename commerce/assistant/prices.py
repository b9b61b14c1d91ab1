"""Amounts of money in prose: how they are written, and how they are found.

English, and what most of Europe writes: `$79`, `79.00 USD`, `79 dollars`, `USD 79`, `€1.299,00`, `seventy-nine
dollars`, `priced at 79`, a bare `79.99`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from core.money import Money, exponent, format_decimal

_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_DOLLARS = frozenset(("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN"))
_BY_MARK = {
    "$": _DOLLARS,
    "dollar": _DOLLARS,
    "buck": _DOLLARS,
    "€": frozenset(("EUR",)),
    "euro": frozenset(("EUR",)),
    "£": frozenset(("GBP",)),
    "pound": frozenset(("GBP",)),
    "quid": frozenset(("GBP",)),
    "¥": frozenset(("JPY", "CNY")),
    "yen": frozenset(("JPY",)),
}
_CENTS = "cent"
_CODES = "USD|EUR|GBP|JPY|CAD|AUD|NZD|CHF|CNY|SEK|NOK|DKK|PLN|CZK|HUF|INR|MXN|BRL|SGD|HKD|KRW|ZAR|ILS|AED|KWD|BHD"
_CODE = rf"(?:{_CODES})\b"
_NAME = r"(?:dollars?|bucks?|euros?|pounds?|quid|yen|cents?)\b"
_ORIGIN = r"(?:(?:US|U\.S\.|American|Canadian|Australian)[\s*_`~]*)?"
_GAP = r"[\s*_`~]*"  # also the marks of Markdown: $**79**
NUMBER = r"\d+(?:[.,' \u00a0\u202f]\d{3})*(?:[.,]\d+)?k?"
_SMALL = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen
"""
_TENS = """
twenty thirty forty fifty sixty seventy eighty ninety
"""
_WORDS = {word: value for value, word in enumerate(_SMALL.split())} | {
    word: 10 * (place + 2) for place, word in enumerate(_TENS.split())
}
_SCALES = {"hundred": 100, "thousand": 1000}
NUMBER_WORD = "|".join((*_WORDS, *_SCALES))
_SPELLED = rf"(?:{NUMBER_WORD})(?:[\s-]+(?:and\s+)?(?:{NUMBER_WORD}))*"
# What may stand between a word of price and its number.
_SMALL_WORD = "is|at|of|was|now|just|only|about|around|roughly|from|for|you|it|them|under|range|between"
_FILLER = rf"(?:[^\w$€£¥]|\b(?:{_SMALL_WORD})\b){{0,8}}"
_PRICED = (
    r"\b(?:prices?\s+of\s+[\w'\u2019 -]{1,60}?\s(?:is|was)|prices?|priced|costs?|costing|sells?|selling|retails?|"
    r"pays?|paying|instead of|down from|reduced (?:to|from)|(?:for|at|now) (?:just|only))" + _FILLER + r"\b"
)
_UNIT = (
    r"(?:%|(?:\s|-)?(?:kg|g|mg|mm|cm|m|km|l|ml|oz|lbs?|in|inch(?:es)?|ft|stars?|litres?|liters?|x|days?|years?|"
    r"hours?)\b)"
)
_TO = r"[-\u2013\u2014]|\bto\b"
_AMOUNT = re.compile(
    rf"(?:(?P<mark>US\$|[$€£¥]|\b{_CODE}){_GAP}(?P<marked>{NUMBER})(?:{_GAP}(?:{_TO}){_GAP}(?P<upto>{NUMBER}))?)"
    rf"|(?:(?<![\w.,])(?P<named>{NUMBER}){_GAP}-?{_ORIGIN}(?P<name>{_CODE}|{_NAME}|[$€£¥]))"
    rf"|(?:\b(?P<spelled>{_SPELLED})[\s-]+{_ORIGIN}(?P<of>{_NAME}))"
    rf"|(?:{_PRICED}(?P<priced>{NUMBER})(?!{_UNIT})(?!\s+[a-z]+s\b)(?!{_GAP}[$€£¥])(?!{_GAP}{_CODE})(?![\w])"
    rf"(?:{_GAP}(?:{_TO}|\band\b){_GAP}(?P<until>{NUMBER}))?)"
    rf"|(?:(?<![\w.,/:])(?P<bare>\d{{1,7}}[.,]\d{{2}})(?![.,]?\d)(?!{_UNIT})(?![\w/:]))",
    re.IGNORECASE,
)
# A text that ends so may be the beginning of an amount, whatever comes next.
OPEN_END = re.compile(rf"(?:[\d$€£¥]|\b(?:{_CODES}|US|{NUMBER_WORD}))[\s*_`~.,-]*$", re.IGNORECASE)
GOES_ON = re.compile(rf"\W*(?:\d|[$€£¥]|(?:{_CODES}|{NUMBER_WORD})\b|{_NAME}|{_ORIGIN}{_NAME})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Amount:
    """`currencies`: those that it may be of; empty: it does not say."""

    start: int
    end: int
    value: Decimal
    currencies: frozenset[str]

    def is_one_of(self, known: frozenset[Money] | set[Money]) -> bool:
        return any(self.equals(each) for each in known)

    def equals(self, money: Money) -> bool:
        if self.currencies and money.currency not in self.currencies:
            return False
        return self.value * Decimal(10 ** exponent(money.currency)) == Decimal(money.amount)


def shown(money: Money) -> str:
    """For people: `$79.00`, and `79.00 CHF` where the currency has no sign that all know."""
    symbol = _SYMBOLS.get(money.currency)
    written = format_decimal(money.amount, money.currency)
    return f"{symbol}{written}" if symbol is not None else f"{written} {money.currency}"


def numbers_in(text: str) -> set[Decimal]:
    """Every number, whatever it is of."""
    return {value_of(found) for found in re.findall(NUMBER, text)}


def amounts_in(text: str) -> Iterator[Amount]:
    """In order. Of a range the second is one of its own."""
    for found in _AMOUNT.finditer(text):
        mark = found["mark"] or found["name"] or found["of"] or ""
        if found["spelled"]:
            yield _amount(found.start(), found.end(), _spelled(found["spelled"]), mark)
            continue
        number = next(name for name in ("marked", "named", "priced", "bare") if found[name])
        start = found.start("priced") if number == "priced" else found.start()
        second = "upto" if found["upto"] else "until" if found["until"] else None
        yield _amount(start, found.end(number) if second else found.end(), value_of(found[number], mark), mark)
        if second:
            yield _amount(found.start(second), found.end(second), value_of(found[second], mark), mark)


def _amount(start: int, end: int, value: Decimal, mark: str) -> Amount:
    name = mark.lower()
    if name.startswith(_CENTS):
        return Amount(start, end, value / 100, frozenset())
    by_mark = next((currencies for sign, currencies in _BY_MARK.items() if sign in name), None)
    if by_mark is not None:
        return Amount(start, end, value, by_mark)
    return Amount(start, end, value, frozenset((mark.upper(),)) if mark else frozenset())


def value_of(number: str, code: str = "") -> Decimal:
    """Of what `NUMBER` finds. A separator with three digits behind it is one of thousands, any other of decimals; but
    in a currency that has three.
    """
    thousands = number.lower().endswith("k")
    plain = re.sub(r"[' \u00a0\u202f]", "", number.rstrip("kK"))
    whole, decimals = plain, ""
    last = max(plain.rfind("."), plain.rfind(","))
    if last >= 0 and (len(plain) - last - 1 != 3 or exponent(code.upper()) == 3):  # noqa: PLR2004
        whole, decimals = plain[:last], plain[last + 1 :]
    value = Decimal(f"{re.sub('[.,]', '', whole) or 0}.{decimals or 0}")
    return value * 1000 if thousands else value


def _spelled(words: str) -> Decimal:
    total = current = 0
    for word in re.split(r"[\s-]+", words.lower()):
        if word in _SCALES:
            current = max(current, 1) * _SCALES[word]
            if word == "thousand":
                total, current = total + current, 0
        else:
            current += _WORDS.get(word, 0)
    return Decimal(total + current)
