"""The JSON of search by meaning."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from commerce.catalog.filters import MAX_QUERY
from commerce.semantics.fusion import Reason
from core.inference.provenance import Provenance
from public_api.catalog.schemas import Product

MOST = 50


class SemanticQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    q: Annotated[str, Field(min_length=1, max_length=MAX_QUERY, description="What is looked for, in any words.")]
    limit: Annotated[int, Field(ge=1, le=MOST)] = 10


class ModelAnswer(BaseModel):
    """What every answer of a model says of the model."""

    answer_id: str = Field(description="Of this answer.", examples=["ans_01jd0a3v5te8zr9k1m2n3p4q5r"])
    model: str = Field(examples=["wordllama-l2-supercat-256"])
    version: str = Field(examples=["0.4.0"])
    content_hash: str = Field(description="Of the model's files.", examples=["sha256:461d9f72"])
    trained_at: datetime | None = Field(description="null for what was not trained here.")
    features_as_of: datetime | None = Field(description="The newest that it learned from; null as above.")
    fallback: bool = Field(description="Something simpler answers.")
    fallback_reason: str | None = Field(description="Why it does.")


class SemanticHit(BaseModel):
    product: Product
    score: float = Field(description="Higher is better; comparable within one answer alone.", examples=[0.0325])
    reason: Reason = Field(description="What found it: its meaning, its words, or both.")


class SemanticAnswer(ModelAnswer):
    items: list[SemanticHit] = Field(description="The best first.")


def model_answer(answer_id: str, provenance: Provenance) -> ModelAnswer:
    return ModelAnswer(
        answer_id=answer_id,
        model=provenance.model,
        version=provenance.version,
        content_hash=provenance.content_hash,
        trained_at=provenance.trained_at,
        features_as_of=provenance.features_as_of,
        fallback=provenance.fallback,
        fallback_reason=provenance.fallback_reason,
    )
