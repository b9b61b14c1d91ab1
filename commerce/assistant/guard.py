"""What stands between a model and who reads it: prose goes through word by word, and what may be wrong is held back.

* A product is shown by its card, which is read from the database at that moment. Ids that no tool of this run has found
  are taken out, and so is what a product that is gone meanwhile was called by.
* An amount must be one of the product that the sentence speaks of; where it speaks of none, one that a tool of this run
  has found. Any other is replaced before it is sent. What the user named as a bound may be said as one.
* A name that looks like a product's, and is none that a tool of this run has found, is replaced.
* Links are taken out, but for those that a tool has found.

From the first word of a sentence on that may be part of such a thing, the sentence is held until its end.
"""

import html
import re
import unicodedata
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from commerce.assistant.cards import Known
from commerce.assistant.entities import Card, Corrections
from commerce.assistant.facts import Facts
from commerce.assistant.names import COMMON, names_in
from commerce.assistant.prices import GOES_ON, NUMBER_WORD, OPEN_END, Amount, amounts_in, numbers_in, shown

Said = str | Card
ReadKnown = Callable[[Sequence[str]], Awaitable[dict[str, Known]]]

_LONGEST = 600  # characters that are held: a sentence is shorter
_MOST_CARDS = 12  # of one run
_ID = re.compile(r"\[{0,2}\b(prod_[0-9A-Za-z]+)\b\]{0,2}")
_LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]*)[^)]*\)|((?:https?://|www\.)[^\s)>\]]+)", re.IGNORECASE)
_SENTENCE = re.compile(r"[.!?…][\"')\]*_]*(?=\s)|\n")
# Lower case, where a capital letter of a word that is not common says the same.
_SUSPECT = re.compile(
    rf"[\d$€£¥\[&]|\bprod_|\b(?:https?:|www\.)|\b(?:{NUMBER_WORD})\b"
    rf"|\b(?i:USD|EUR|GBP)\b|\b(?!(?:{'|'.join(COMMON)})\b)[A-ZÀ-Þ]"
)
_BOUND = re.compile(
    r"(?:\b(?:under|below|less than|up to|at most|no more than|within|budget of|over|above|at least|more than|between|"
    r"cheaper than|maximum of|limit of|than)\s+(?:of\s+)?|\bbudget(?: is)?:?\s+)$",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"^\s*(?:and|to|[-\u2013\u2014])\s*$")
_OF_ORDERS = re.compile(r"\b(?:order|total|shipping|paid|due|delivery)\b", re.IGNORECASE)
_UNSURE, _ON_CARD, _UNKNOWN, _GONE, _NO_LINK = (
    "[amount withheld]",
    "[see the card]",
    "[unknown product]",
    "[no longer available]",
    "[link removed]",
)


@dataclass(frozen=True, slots=True)
class _Named:
    """A product that a text names, and where."""

    start: int
    end: int
    product: Known


class Guard:
    """Per answer. `read` gives products as they are now, those that the caller may see."""

    def __init__(self, facts: Facts, read: ReadKnown) -> None:
        self.corrections = Corrections()
        self.shown: dict[str, Card] = {}
        self._facts = facts
        self._read = read
        self._sent = ""  # of this sentence
        self._held = ""
        self._topic: Known | None = None  # the product that was named last, up to an empty line
        self._bounds = numbers_in(facts.asked)

    async def feed(self, text: str) -> list[Said]:
        """What may be sent by now."""
        self._held += _clean(text)
        said: list[Said] = []
        while (end := self._end_of_sentence()) is not None:
            said += await self._resolve(end)
            self._sent = ""
        if len(self._held) > _LONGEST:
            said += await self._resolve(_safe_cut(self._held))
        return [*said, *self._pass_on()]

    async def finish(self) -> list[Said]:
        """The rest."""
        return await self._resolve(len(self._held))

    def _pass_on(self) -> list[Said]:
        """The whole words before the first that may be part of something."""
        suspect = _SUSPECT.search(self._held)
        limit = suspect.start() if suspect else len(self._held)
        cut = max(self._held.rfind(mark, 0, limit) for mark in " \n") + 1
        text, self._held = self._held[:cut], self._held[cut:]
        self._sent = (self._sent + text)[-_LONGEST:]
        return [text] if text else []

    def _end_of_sentence(self) -> int | None:
        for found in _SENTENCE.finditer(self._held):
            if not OPEN_END.search((self._sent + self._held)[: len(self._sent) + found.end()]):
                return found.end()
            following = re.match(r"\s*\S+\s", self._held[found.end() :])
            if following is None:
                return None
            if not GOES_ON.match(following[0]):
                return found.end()
        return None

    async def _resolve(self, end: int) -> list[Said]:
        """What is held, up to there, with what had to be replaced replaced, and the cards of what it names."""
        text, self._held = html.unescape(self._held[:end]), self._held[end:]
        if not text:
            return []
        fresh = await self._known_in(text)
        text = self._without_links(self._with_titles(text, fresh))
        for product_id in [each for each, known in fresh.items() if known is None]:
            text = self._without_gone(product_id, text)
        text = self._without_names(text)
        text = self._with_true_amounts(text)
        cards = self._cards_of(self._named(self._sent + text))
        self._sent += text
        if "\n\n" in text:
            self._topic = None
        return [*([text] if text else []), *cards]

    async def _known_in(self, text: str) -> dict[str, Known | None]:
        """Products that the text names and whose card was not sent: as they are now, None where they are gone."""
        ids = [each for each in _ID.findall(text) if each in self._facts.products]
        ids += [each.product.card.product_id for each in self._named(self._sent + text)]
        wanted = [each for each in dict.fromkeys(ids) if each not in self.shown]
        if not wanted:
            return {}
        found = await self._read(wanted)
        self._facts.learn(found.values())
        return {each: found.get(each) for each in wanted}

    def _with_titles(self, text: str, fresh: dict[str, Known | None]) -> str:
        """For each id its product's title; nothing where the title stands before it already, or where it is none."""
        parts, last = [], 0
        for found in _ID.finditer(text):
            before = text[last : found.start()]
            known = self._facts.products.get(found[1])
            parts.append(before)
            last = found.end()
            if known is None or fresh.get(found[1], known) is None:
                self.corrections.products += 1
                parts.append(_UNKNOWN)
                continue
            title = known.card.title
            repeated = (self._sent + "".join(parts)).rstrip(" *_:-\u2013\u2014([").casefold().endswith(title.casefold())
            parts.append("" if repeated else title)
            if repeated:
                parts[-2] = before.rstrip(" ")
        return "".join([*parts, text[last:]])

    def _without_gone(self, product_id: str, text: str) -> str:
        gone = self._facts.products[product_id].card.title
        self._facts.forget(product_id)
        replaced, times = _called(gone).subn(_GONE, text)
        self.corrections.products += times
        return replaced

    def _without_links(self, text: str) -> str:
        def checked(found: re.Match[str]) -> str:
            address = (found[2] or found[3]).rstrip(".,;:!?")
            if address in self._facts.links:
                return found[0]
            return found[1] or _NO_LINK

        return _LINK.sub(checked, text)

    def _without_names(self, text: str) -> str:
        parts, last = [], 0
        for start, end in names_in(text, self._facts):
            parts += [text[last:start], _UNKNOWN]
            last = end
            self.corrections.products += 1
        return "".join([*parts, text[last:]])

    def _with_true_amounts(self, text: str) -> str:
        whole, sent = self._sent + text, len(self._sent)
        named = self._named(whole)
        parts, last = [self._sent], sent
        bound: Amount | None = None
        for amount in amounts_in(whole):
            if amount.end <= sent or any(each.start <= amount.start < each.end for each in named):
                continue  # sent as no part of an amount; or a number in a title
            is_bound = self._is_bound(whole, amount, bound)
            bound = amount if is_bound else None
            if is_bound or self._is_true(amount, whole, named):
                continue
            start = max(amount.start, last)
            parts += [whole[last:start], self._instead(named)]
            last = amount.end
            self.corrections.amounts += 1
        if named:
            self._topic = named[-1].product
        return "".join([*parts, whole[last:]])[sent:]

    def _is_bound(self, whole: str, amount: Amount, previous: Amount | None) -> bool:
        """Whether it says again what the user asked for: `under $80`, `between $50 and $80`."""
        if amount.value not in self._bounds:
            return False
        if _BOUND.search(whole[: amount.start].replace("*", "").replace("_", "")):
            return True
        return previous is not None and bool(_BETWEEN.match(whole[previous.end : amount.start]))

    def _is_true(self, amount: Amount, whole: str, named: Sequence[_Named]) -> bool:
        of_orders = bool(self._facts.amounts) and amount.is_one_of(self._facts.amounts)
        before = [each for each in named if each.start < amount.start]
        product = before[-1].product if before else named[0].product if named else self._topic
        if product is None:
            of_products = {money for known in self._facts.products.values() for money in known.amounts}
            return of_orders or amount.is_one_of(of_products)
        return amount.is_one_of(product.amounts) or (of_orders and bool(_OF_ORDERS.search(whole)))

    def _instead(self, named: Sequence[_Named]) -> str:
        """The product's price where there is no doubt which one it is about."""
        products = {each.product.card.product_id: each.product.card for each in named}
        if len(products) == 1:
            (card,) = products.values()
            return (
                shown(card.lowest) if card.lowest == card.highest else f"{shown(card.lowest)} to {shown(card.highest)}"
            )
        return _ON_CARD if products or self.shown else _UNSURE

    def _named(self, text: str) -> list[_Named]:
        """In the order of the text. Of two titles, one of which is part of the other, the longer."""
        found: list[_Named] = []
        for known in sorted(self._facts.products.values(), key=lambda each: -len(each.card.title)):
            for place in _called(known.card.title).finditer(text):
                if not any(each.start <= place.start() < each.end for each in found):
                    found.append(_Named(place.start(), place.end(), known))
        return sorted(found, key=lambda each: each.start)

    def _cards_of(self, named: Sequence[_Named]) -> list[Card]:
        new: list[Card] = []
        for each in named:
            card = each.product.card
            if card.product_id not in self.shown and len(self.shown) < _MOST_CARDS:
                self.shown[card.product_id] = card
                new.append(card)
        return new


@lru_cache(1024)
def _called(title: str) -> re.Pattern[str]:
    """The title as whole words. One of a single word is a name where it is written as one: not every tent is Tent."""
    return re.compile(rf"(?<!\w){re.escape(title)}(?!\w)", re.IGNORECASE if " " in title else 0)


def _clean(text: str) -> str:
    """Without what nobody sees, and with digits and signs as they are usually written."""
    if text.isascii() and text.isprintable():
        return text
    seen = "".join(
        mark for mark in text if mark in "\n\t" or unicodedata.category(mark) not in ("Cc", "Cf", "Cs", "Co")
    )
    return "".join(_usual(mark) for mark in seen)


def _usual(mark: str) -> str:
    if mark.isdecimal():
        return str(unicodedata.decimal(mark))
    if mark in "\uff04\ufe69💲💵":
        return "$"
    return unicodedata.normalize("NFKC", mark) if "\uff01" <= mark <= "\uffee" or mark.isspace() else mark


def _safe_cut(text: str) -> int:
    """The last blank that is in no amount, and not near the end, where one may begin."""
    taken = [(each.start, each.end) for each in amounts_in(text)]
    for place in range(len(text) - 40, 0, -1):
        if text[place].isspace() and not any(start <= place < end for start, end in taken):
            return place + 1
    return len(text)
