"""The JSON of search by meaning."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from commerce.catalog.filters import MAX_QUERY
from commerce.semantics.fusion import Reason
from public_api.catalog.schemas import Product
from public_api.provenance import Answer

MOST = 50


class SemanticQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    q: Annotated[str, Field(min_length=1, max_length=MAX_QUERY, description="What is looked for, in any words.")]
    limit: Annotated[int, Field(ge=1, le=MOST)] = 10


class SemanticHit(BaseModel):
    product: Product
    score: float = Field(description="Higher is better; comparable within one answer alone.", examples=[0.0325])
    reason: Reason = Field(description="What found it: its meaning, its words, or both.")


class SemanticAnswer(Answer):
    items: list[SemanticHit] = Field(description="The best first.")
