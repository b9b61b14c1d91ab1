"""Products as the assistant may speak of them: read from the database, with all that may be said of their prices."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from commerce.accounts.principal import Principal
from commerce.assistant.entities import Card
from commerce.catalog.entities import Product
from commerce.catalog.repository import ProductRepository
from commerce.catalog.text import search_words
from core.database import ReadSession
from core.money import Money

_TAG = re.compile(r"<[^<>]*>")


@dataclass(frozen=True, slots=True)
class Known:
    """`amounts`: prices of its variants, also those that it had before a discount. `words`: folded, what it is called
    and described by in few words.
    """

    card: Card
    amounts: frozenset[Money]
    words: frozenset[str]
    category: str | None
    tags: tuple[str, ...]
    description: str  # plain text


async def read_known(session: ReadSession, ids: Sequence[str], principal: Principal) -> dict[str, Known]:
    """As they are now, by id; without those that are gone, or that the principal may not see."""
    found = await ProductRepository(session).products(list(dict.fromkeys(ids)))
    return {
        each.head.id: known_of(each) for each in found if each.head.status == "active" or principal.sees_unpublished
    }


def known_of(product: Product) -> Known:
    head = product.head
    category = product.category.name if product.category is not None else None
    prices = [price for each in product.variants for price in (each.price, each.compare_at_price) if price is not None]
    return Known(
        card=card_of(product),
        amounts=frozenset(Money(price, head.currency) for price in prices),
        words=frozenset(search_words(head.title, head.vendor, category or "", *product.tags).split()),
        category=category,
        tags=product.tags,
        description=plain(head.description),
    )


def card_of(product: Product) -> Card:
    head = product.head
    buyable = [each.price for each in product.variants if each.available]
    image = product.images[0] if product.images else None
    return Card(
        product_id=head.id,
        handle=head.handle,
        title=head.title,
        price=Money(min(buyable, default=head.price_min), head.currency),
        lowest=Money(head.price_min, head.currency),
        highest=Money(head.price_max, head.currency),
        available=bool(buyable),
        url=f"/public/v1/products/{quote(head.handle)}",
        image_url=image.url if image is not None else None,
        image_alt=image.alt if image is not None else "",
    )


def plain(body: str) -> str:
    """HTML as text, on one line."""
    return " ".join(html.unescape(_TAG.sub(" ", body)).split())
