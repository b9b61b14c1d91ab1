"""The assistant's types: REST's shapes in camelCase."""

from typing import Any

import strawberry

from commerce.assistant.entities import RunEvent
from graphql_api.catalog.types import PriceRange
from graphql_api.money import Money
from graphql_api.scalars import Long


@strawberry.type(description="The picture of a card.")
class AssistantCardImage:
    url: str = strawberry.field(description="Where it is.")
    alt: str = strawberry.field(description="What it shows.")


@strawberry.type(description="A product, as it was when the card was sent.")
class AssistantCard:
    product_id: strawberry.ID = strawberry.field(description="The product's id, `prod_...`.")
    handle: str = strawberry.field(description="Its handle.")
    title: str = strawberry.field(description="What it is called.")
    price: Money = strawberry.field(
        description="The lowest at which it can be bought now; where it cannot, the lowest it has."
    )
    price_range: PriceRange = strawberry.field(description="Of all variants, whether they are there or not.")
    available: bool = strawberry.field(description="Whether a variant can be bought now.")
    url: str = strawberry.field(description="Its path in the public API.")
    image: AssistantCardImage | None = strawberry.field(description="Its first picture.")


@strawberry.type(description="How many tokens an answer took.")
class AssistantUsage:
    prompt_tokens: int = strawberry.field(description="That the model read.")
    completion_tokens: int = strawberry.field(description="That it wrote.")


@strawberry.type(
    description="What the model said and nobody was shown, because nothing that it had been given says so."
)
class AssistantCorrections:
    amounts: int = strawberry.field(description="Amounts of money.")
    products: int = strawberry.field(description="Products, by name or by id.")


@strawberry.type(
    description="How an answer ended, and who gave it. What is said of the model is null where the run was cancelled "
    "before one spoke."
)
class AssistantResult:
    state: str = strawberry.field(description="`done` or `cancelled`.")
    finish_reason: str = strawberry.field(description="`stop`, `length`, `content_filter` or `cancelled`.")
    answer_id: strawberry.ID = strawberry.field(description="What feedback names the answer by, `ans_...`.")
    model: str | None = strawberry.field(description="The model's id.")
    version: str | None = strawberry.field(description="The model's version.")
    content_hash: str | None = strawberry.field(description="`sha256:` of its file, or of what stands for it.")
    trained_at: str | None = strawberry.field(description="When it was trained, RFC 3339.")
    features_as_of: str | None = strawberry.field(description="The newest that it learned from, RFC 3339.")
    fallback: bool | None = strawberry.field(description="Whether something simpler answered than was set up.")
    fallback_reason: str | None = strawberry.field(description="Why it did.")
    usage: AssistantUsage = strawberry.field(description="What it took.")
    corrections: AssistantCorrections = strawberry.field(description="What was taken out.")


@strawberry.type(description="Why an answer failed. What was said before stays.")
class AssistantFailure:
    code: str = strawberry.field(description="Stable, the same as on REST.")
    title: str = strawberry.field(description="In a few words.")
    detail: str = strawberry.field(description="What happened.")
    retryable: bool = strawberry.field(description="Whether asking the same again may go better.")


@strawberry.type(description="Something that a run of the assistant said. Of the fields below `type`, one is not null.")
class AssistantEvent:
    run_id: strawberry.ID = strawberry.field(description="The run, `run_...`.")
    number: int = strawberry.field(description="From 1, without a gap: the `after` to go on with.")
    type: str = strawberry.field(description="`token`, `card`, `done` or `error`; nothing comes after the last two.")
    text: str | None = strawberry.field(default=None, description="Of a token: some more of the answer.")
    card: AssistantCard | None = strawberry.field(default=None, description="Of a card.")
    result: AssistantResult | None = strawberry.field(default=None, description="Of `done`.")
    failure: AssistantFailure | None = strawberry.field(default=None, description="Of `error`.")


def event_type(run_id: str, event: RunEvent) -> AssistantEvent:
    made = AssistantEvent(run_id=strawberry.ID(run_id), number=event.number, type=event.type)
    match event.type:
        case "token":
            made.text = event.data["text"]
        case "card":
            made.card = _card(event.data)
        case "done":
            made.result = _result(event.data)
        case "error":
            made.failure = AssistantFailure(**event.data)
    return made


def _card(data: dict[str, Any]) -> AssistantCard:
    prices, image = data["price_range"], data["image"]
    return AssistantCard(
        product_id=strawberry.ID(data["product_id"]),
        handle=data["handle"],
        title=data["title"],
        price=_money(data["price"]),
        price_range=PriceRange(min=_money(prices["min"]), max=_money(prices["max"])),
        available=data["available"],
        url=data["url"],
        image=AssistantCardImage(**image) if image is not None else None,
    )


def _result(data: dict[str, Any]) -> AssistantResult:
    nested = {"usage": AssistantUsage(**data["usage"]), "corrections": AssistantCorrections(**data["corrections"])}
    return AssistantResult(**data | nested)


def _money(data: dict[str, Any]) -> Money:
    return Money(amount=Long(data["amount"]), currency=data["currency"])
