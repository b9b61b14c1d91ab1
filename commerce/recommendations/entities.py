"""Recommendations as they are read: plain values, with the model that they come from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from core.ids import new_id
from core.inference.provenance import Provenance

Reason = Literal["bought_together", "similar", "same_category", "popular", "new"]


@dataclass(frozen=True, slots=True)
class Recommendation:
    """`json` is the product's, where it was asked for."""

    product_id: str
    reason: Reason
    json: str = ""


@dataclass(frozen=True, slots=True)
class Recommendations:
    """The best first. `provenance` is that of the first; what fills up after it says so by its reason."""

    provenance: Provenance
    items: tuple[Recommendation, ...]
    answer_id: str = field(default_factory=lambda: new_id("ans"), compare=False)


@dataclass(frozen=True, slots=True)
class Likes:
    """Ids of products, the most similar first, and what says so."""

    provenance: Provenance
    product_ids: Sequence[str]


class Similar(Protocol):
    """Products by what they are, and not by who bought them: for those that nobody has bought yet."""

    async def similar(self, product_id: str, limit: int) -> Likes | None:
        """None where the product is not known yet. They may be gone, or not on sale."""
        ...
