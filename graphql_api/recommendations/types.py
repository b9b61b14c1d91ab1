"""The recommendations' types."""

from enum import Enum

import strawberry

from graphql_api.catalog.types import Product


@strawberry.enum(name="RecommendationReason", description="Why a product is recommended.")
class RecommendationReason(Enum):
    SAME_CATEGORY = strawberry.enum_value("same_category", description="It is ordered most of its category.")
    POPULAR = strawberry.enum_value("popular", description="It is ordered most of the whole shop.")
    NEW = strawberry.enum_value("new", description="Too few were ordered lately, and it is among the newest.")


@strawberry.type(description="A product that goes with another one.")
class Recommendation:
    product: Product = strawberry.field(description="The product, which is on sale.")
    reason: RecommendationReason = strawberry.field(description="Why it is recommended.")


@strawberry.type(description="What goes with a product, and what model says so.")
class Recommendations:
    model: str = strawberry.field(description="The model's id: `popularity` counts the orders of the last 90 days.")
    version: str = strawberry.field(description="The model's version.")
    fallback: bool = strawberry.field(
        description="Whether no trained model was there to be asked, and a simple rule stands in for it."
    )
    items: list[Recommendation] = strawberry.field(description="The best first; none twice.")
