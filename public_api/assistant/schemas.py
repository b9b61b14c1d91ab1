"""The JSON of the assistant."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from commerce.assistant.commands import MAX_CHARACTERS, MAX_MESSAGES, MAX_TEXT, Ask, Role, Said
from commerce.assistant.entities import Run, RunEvent, State
from core.inference.chat import FinishReason
from public_api.catalog.schemas import Money

_RUN = "run_01jd0a3v5te8zr9k1m2n3p4q5r"


class ChatMessage(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: Role
    content: str = Field(
        examples=["a warm jacket under 80 dollars for hiking"],
        json_schema_extra={"minLength": 1, "maxLength": MAX_TEXT},
    )


class ChatRequest(BaseModel):
    # What is too short or too long is the domain's to say.
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "messages": [{"role": "user", "content": "a warm jacket under 80 dollars for hiking"}],
                "stream": True,
            }
        },
    )

    messages: list[ChatMessage] = Field(
        description=f"The conversation, oldest first; the last is the user's. At most {MAX_CHARACTERS} characters.",
        json_schema_extra={"minItems": 1, "maxItems": MAX_MESSAGES},
    )
    stream: bool = Field(False, description="true: server-sent events, as they are said. false: one JSON body.")
    stop_on_disconnect: bool = Field(
        False, description="true: the run is cancelled where you leave before its end. false: it goes on without you."
    )

    def command(self) -> Ask:
        said = tuple(Said(each.role, each.content) for each in self.messages)
        return Ask(said, self.stop_on_disconnect)


class PriceRange(BaseModel):
    min: Money
    max: Money


class CardImage(BaseModel):
    url: str
    alt: str


class AssistantCard(BaseModel):
    """A product, as it was when the card was sent."""

    product_id: str = Field(examples=["prod_01jd0a3v5te8zr9k1m2n3p4q5r"])
    handle: str = Field(examples=["fellside-fleece-jacket"])
    title: str = Field(examples=["Fellside Fleece Jacket"])
    price: Money = Field(description="The lowest at which it can be bought now; where it cannot, the lowest it has.")
    price_range: PriceRange = Field(description="Of all variants, whether they are there or not.")
    available: bool = Field(description="Whether a variant can be bought now.")
    url: str = Field(examples=["/public/v1/products/fellside-fleece-jacket"])
    image: CardImage | None


class TokenUsage(BaseModel):
    prompt_tokens: int
    completion_tokens: int


class Corrected(BaseModel):
    """What the model said and you were not shown, because nothing that it had been given says so."""

    amounts: int
    products: int


class Answered(BaseModel):
    """How an answer ended. The model's fields are null where the run was cancelled before one spoke."""

    state: State = Field(description="`done` or `cancelled`.")
    finish_reason: FinishReason | Literal["cancelled"]
    answer_id: str = Field(
        description="What `POST /feedback` names the answer by.", examples=["ans_01jd0a3v5te8zr9k1m2n3p4q5r"]
    )
    model: str | None = Field(examples=["builtin"])
    version: str | None = Field(examples=["1"])
    content_hash: str | None = Field(description="`sha256:` of the model's file, or of what stands for it.")
    trained_at: datetime | None
    features_as_of: datetime | None
    fallback: bool | None = Field(description="Whether something simpler answered than was set up.")
    fallback_reason: str | None
    usage: TokenUsage
    corrections: Corrected


class AssistantAnswer(Answered):
    run_id: str = Field(examples=[_RUN])
    text: str = Field(description="Plain text. `[see the card]` and the like stand for what was taken out.")
    cards: list[AssistantCard]

    @classmethod
    def of(cls, run_id: str, events: Sequence[RunEvent]) -> Self:
        """`events`: all of a run that has answered."""
        text = "".join(each.data["text"] for each in events if each.type == "token")
        cards = [each.data for each in events if each.type == "card"]
        return cls.model_validate({**events[-1].data, "run_id": run_id, "text": text, "cards": cards})


class AssistantEvent(BaseModel):
    number: int = Field(description="From 1, without a gap: the `id` of the server-sent event.", examples=[1])
    type: Literal["token", "card", "done", "error"]
    data: dict[str, Any] = Field(
        description="As of the server-sent event.", examples=[{"run_id": _RUN, "text": "Try "}]
    )


class AssistantEvents(BaseModel):
    run_id: str = Field(examples=[_RUN])
    state: State
    items: list[AssistantEvent]
    next: int | None = Field(description="`after` of the next page; null when there is no more now.")


class AssistantRun(BaseModel):
    id: str = Field(examples=[_RUN])
    state: State
    events: int = Field(description="The number of the last.")
    error_code: str | None = Field(description="Of a run that failed.")
    created_at: datetime
    ended_at: datetime | None


def event_data(run_id: str, event: RunEvent) -> dict[str, Any]:
    return {"run_id": run_id, **event.data}


def event_schema(run_id: str, event: RunEvent) -> AssistantEvent:
    return AssistantEvent(number=event.number, type=event.type, data=event_data(run_id, event))


def run_schema(run: Run) -> AssistantRun:
    return AssistantRun(
        id=run.id,
        state=run.state,
        events=run.events,
        error_code=run.error_code,
        created_at=run.created_at,
        ended_at=run.ended_at,
    )
