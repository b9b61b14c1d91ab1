"""What can be said of an answer, with the rules of it."""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from commerce.feedback.errors import InvalidFeedback
from core.errors import FieldError

Kind = Literal["shown", "clicked", "ordered", "helpful", "unhelpful"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MAX_NAME = 200  # as long as names of models are at other servers
_ANSWER = re.compile(r"ans_[0-9a-hjkmnp-tv-z]{26}")
_NAME = re.compile(rf"[!-~]{{1,{MAX_NAME}}}")
_SUBJECT = {"clicked": "product_id", "ordered": "order_id"}  # without which it says nothing


@dataclass(frozen=True, slots=True)
class GiveFeedback:
    """`model` and `version` as the answer had them. Raises InvalidFeedback."""

    answer_id: str
    model: str
    version: str
    kind: Kind
    product_id: str | None = None
    order_id: str | None = None

    def __post_init__(self) -> None:
        faults = []
        if _ANSWER.fullmatch(self.answer_id) is None:
            faults.append(FieldError("/answer_id", "invalid", "the `answer_id` of an answer, `ans_...`"))
        faults += [
            FieldError(f"/{name}", "invalid", f"as the answer has it: 1 to {MAX_NAME} characters without blanks")
            for name in ("model", "version")
            if _NAME.fullmatch(getattr(self, name)) is None
        ]
        subject = _SUBJECT.get(self.kind)
        if subject is not None and getattr(self, subject) is None:
            faults.append(FieldError(f"/{subject}", "required", f"what was {self.kind}"))
        if self.order_id is not None and self.kind != "ordered":
            faults.append(FieldError("/order_id", "not_allowed", "only of what was ordered"))
        if faults:
            raise InvalidFeedback("; ".join(f"{each.pointer}: {each.message}" for each in faults), errors=tuple(faults))
