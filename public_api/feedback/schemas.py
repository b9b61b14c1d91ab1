"""The JSON of feedback."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from commerce.feedback import entities
from commerce.feedback.commands import MAX_NAME, GiveFeedback, Kind

_ANSWER = Field(description="As the answer had it.", examples=["ans_01jd0a3v5te8zr9k1m2n3p4q5r"])
_MODEL = Field(description="As the answer had it.", examples=["co-purchase"], json_schema_extra={"maxLength": MAX_NAME})
_VERSION = Field(description="As the answer had it.", examples=["1"], json_schema_extra={"maxLength": MAX_NAME})
_KIND = Field(
    description="`shown`, `clicked` (with `product_id`), `ordered` (with `order_id`, and `product_id` where one "
    "of its products is meant), or what somebody thinks of the answer.",
    examples=["clicked"],
)


class FeedbackCreate(BaseModel):
    # What is no answer's id, or lacks its product, is the domain's to say.
    model_config = ConfigDict(extra="forbid")

    answer_id: str = _ANSWER
    model: str = _MODEL
    version: str = _VERSION
    kind: Kind = _KIND
    product_id: str | None = Field(None, examples=["prod_01jd0a3v5te8zr9k1m2n3p4q5r"])
    order_id: str | None = Field(None, examples=[None])


class Feedback(BaseModel):
    id: str = Field(examples=["fb_01jd0a3v5te8zr9k1m2n3p4q5r"])
    answer_id: str = _ANSWER
    model: str = _MODEL
    version: str = _VERSION
    kind: Kind = _KIND
    product_id: str | None
    order_id: str | None
    created_at: datetime


def feedback_command(body: FeedbackCreate) -> GiveFeedback:
    return GiveFeedback(**body.model_dump())


def feedback_schema(given: entities.Feedback) -> Feedback:
    return Feedback(
        id=given.id,
        answer_id=given.answer_id,
        model=given.model,
        version=given.version,
        kind=given.kind,
        product_id=given.product_id,
        order_id=given.order_id,
        created_at=given.created_at,
    )
