"""Feedback as it is read."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter

from commerce.feedback.commands import Kind


@dataclass(frozen=True, slots=True)
class Feedback:
    id: str
    answer_id: str
    model: str
    version: str
    kind: Kind
    product_id: str | None
    order_id: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Reaction:
    """How many answers of a version of a model were reacted to in one way."""

    model: str
    version: str
    kind: Kind
    answers: int


FEEDBACK = TypeAdapter(Feedback)
