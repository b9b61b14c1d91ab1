"""What the tools of one run have found: all that its model may speak of."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from commerce.assistant.cards import Known
from commerce.catalog.text import search_words
from core.money import Money


@dataclass
class Facts:
    """Per run. `currency`: of prices that name none. `asked`: what the user has said, all of it. `kinds`: folded words
    that name kinds of products, such as those of categories.
    """

    currency: str
    asked: str = ""
    kinds: set[str] = field(default_factory=set)
    products: dict[str, Known] = field(default_factory=dict)  # by id
    amounts: set[Money] = field(default_factory=set)  # of orders
    links: set[str] = field(default_factory=set)

    def learn(self, found: Iterable[Known]) -> None:
        for known in found:
            self.products[known.card.product_id] = known
            self.kinds.update(kinds_in(known.card.title)[-1:])
            self.kinds.update(kinds_in(known.category or ""))

    def forget(self, product_id: str) -> None:
        """It is gone, or hidden by now."""
        self.products.pop(product_id, None)


def kinds_in(name: str) -> list[str]:
    """The words of a category's or product's name, folded, without the s of a plural."""
    return [singular(word) for word in search_words(name).split()]


def singular(word: str) -> str:
    """Near enough to compare: English only. `jackets` -> `jacket`, `boxes` -> `box`; `glass` stays."""
    if word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word  # noqa: PLR2004
