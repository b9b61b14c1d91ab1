"""What every answer of a model says of the model, flat, before its items."""

from datetime import datetime

from pydantic import BaseModel, Field

from core.inference.provenance import Provenance


class Answer(BaseModel):
    answer_id: str = Field(
        description="Names this answer to those who say what became of it.",
        examples=["ans_01jd0a3v5te8zr9k1m2n3p4q5r"],
    )
    model: str = Field(examples=["recommendations"])
    version: str = Field(examples=["20261122T031100.004518Z-3fb0a912"])
    content_hash: str = Field(
        description="Of the model's file, or of the rule's name.",
        examples=["sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )
    trained_at: datetime | None = Field(description="null: a rule, which is not trained.")
    features_as_of: datetime | None = Field(description="The newest that the model learned from.")
    fallback: bool = Field(description="Whether something simpler answers than the trained model.")
    fallback_reason: str | None = Field(
        description="Why it does: `no_model`, `model_too_old`, `cold_product` for one that was not ordered enough; of "
        "the search by meaning `index_not_built`, `index_not_written` and `index_unavailable`.",
        examples=["cold_product"],
    )


def answer(answer_id: str, by: Provenance) -> Answer:
    return Answer(
        answer_id=answer_id,
        model=by.model,
        version=by.version,
        content_hash=by.content_hash,
        trained_at=by.trained_at,
        features_as_of=by.features_as_of,
        fallback=by.fallback,
        fallback_reason=by.fallback_reason,
    )
