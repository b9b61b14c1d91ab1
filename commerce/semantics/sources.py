"""What a product means, as text: what its vector is made of."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from commerce.catalog.repository import ProductRepository
from commerce.catalog.text import plain_text
from core.database import ReadSession
from core.inference.embedding import MODEL, identity

_RECIPE = 1  # raised when `_text_of` makes another text of the same product: all vectors are made anew
_FIELDS = ("title", "description", "category_id", "status")


@dataclass(frozen=True, slots=True)
class Source:
    text: str

    @property
    def digest(self) -> str:
        return hashlib.blake2b(self.text.encode("utf-8", "replace"), digest_size=16).hexdigest()


def model_version() -> str:
    """By which vectors can be compared: model, weights, and how texts are made. Reads files the first time."""
    return f"{MODEL}-{identity().content_hash.removeprefix('sha256:')[:16]}-{_RECIPE}"


async def sources_of(session: ReadSession, ids: Sequence[str]) -> Mapping[str, Source]:
    """Of those that are on sale. Three statements."""
    products = ProductRepository(session)
    heads = {each.id: each for each in (await products.heads(ids, _FIELDS)).values() if each.status == "active"}
    categories = await products.categories_of([head.category_id for head in heads.values() if head.category_id])
    tags = await products.tags_of(list(heads))
    found = {}
    for product_id, head in heads.items():
        category = categories.get(head.category_id or "")
        text = _text_of(head.title, category.name if category else "", tags.get(product_id, []), head.description)
        found[product_id] = Source(text)
    return found


def _text_of(title: str, category: str, tags: Sequence[str], description: str) -> str:
    """The title twice: of a mean of many words it would be a small part."""
    return ". ".join(filter(None, (title, category, ", ".join(tags), title, plain_text(description).strip())))
