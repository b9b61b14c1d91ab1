"""The JSON of recommendations. The products' own is made in the database."""

from pydantic import BaseModel, Field
from pydantic_core import to_json

from commerce.recommendations import entities
from core.projections.items import array
from public_api.catalog.schemas import Product
from public_api.provenance import Answer, answer


class Recommendation(BaseModel):
    reason: entities.Reason = Field(
        description="Why: the first that holds, from what is bought with it to what is new."
    )
    product: Product


class Recommendations(Answer):
    items: list[Recommendation] = Field(description="The best first; none twice, and all on sale.")


def recommendations_json(found: entities.Recommendations) -> str:
    head = answer(found.answer_id, found.provenance).model_dump_json()
    items = (f'{{"reason":{to_json(each.reason).decode()},"product":{each.json}}}' for each in found.items)
    return f'{head[:-1]},"items":{array(items)}}}'
