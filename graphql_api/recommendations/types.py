"""The recommendations' types."""

from datetime import datetime
from enum import Enum

import strawberry

from graphql_api.catalog.types import Product


@strawberry.enum(name="RecommendationReason", description="Why a product is recommended.")
class RecommendationReason(Enum):
    BOUGHT_TOGETHER = strawberry.enum_value("bought_together", description="It is ordered together with the product.")
    SIMILAR = strawberry.enum_value("similar", description="Its description is like the product's.")
    SAME_CATEGORY = strawberry.enum_value("same_category", description="It is ordered most of its category.")
    POPULAR = strawberry.enum_value("popular", description="It is ordered most of the whole shop.")
    NEW = strawberry.enum_value("new", description="Too few were ordered lately, and it is among the newest.")


@strawberry.type(description="A product that goes with another one.")
class Recommendation:
    product: Product = strawberry.field(description="The product, which is on sale.")
    reason: RecommendationReason = strawberry.field(description="Why it is recommended.")


@strawberry.type(description="What goes with a product, and what model says so.")
class Recommendations:
    answer_id: str = strawberry.field(description="Names this answer to those who say what became of it.")
    model: str = strawberry.field(
        description="The model's id: `recommendations` knows what is bought together, `popularity` what is "
        "ordered most."
    )
    version: str = strawberry.field(description="The model's version.")
    content_hash: str = strawberry.field(description="`sha256:` and hex digits, of the model's file.")
    trained_at: datetime | None = strawberry.field(description="Null for a rule that is not trained.")
    features_as_of: datetime | None = strawberry.field(description="The newest order that the model learned from.")
    fallback: bool = strawberry.field(description="Whether a simpler rule answers than the trained model.")
    fallback_reason: str | None = strawberry.field(
        description="Why it does: `no_model`, `model_too_old`, or `cold_product` for one that was not ordered enough."
    )
    items: list[Recommendation] = strawberry.field(description="The best first; none twice.")
