"""The JSON of forecasts."""

import datetime as dt

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from commerce.forecast import entities
from commerce.forecast.entities import MOST_DAYS
from public_api.provenance import Answer, answer

MOST_ITEMS = 200  # of a batch: 18,000 days, a tenth of a second of a thread


class Day(BaseModel):
    date: dt.date = Field(description="UTC; the first is tomorrow.", examples=["2026-01-31"])
    mean: float = Field(description="Units expected.", examples=[3.4])
    p10: float = Field(description="Demand stays below it in 1 of 10 such days.", examples=[1])
    p50: float = Field(examples=[3])
    p90: float = Field(description="Demand stays below it in 9 of 10 such days.", examples=[7])


class ProductForecast(Answer):
    product_id: str
    basis: entities.Basis = Field(description="What it rests on: the product's own sales, or those of more.")
    items: list[Day]


class PredictedProduct(BaseModel):
    product_id: str
    basis: entities.Basis
    days: list[Day]


class Prediction(Answer):
    items: list[PredictedProduct] = Field(description="In the order in which they were asked for.")


class PredictItem(BaseModel):
    model_config = ConfigDict(extra="forbid")

    product_id: str = Field(max_length=100, examples=["prod_01jd0a3v5te8zr9k1m2n3p4q5r"])
    days: StrictInt = Field(14, ge=1, le=MOST_DAYS)


class Predict(BaseModel):
    model_config = ConfigDict(extra="forbid")

    items: list[PredictItem] = Field(min_length=1, max_length=MOST_ITEMS)


def product_forecast(found: entities.Forecasts) -> ProductForecast:
    (item,) = found.items
    head = answer(found.answer_id, found.provenance)
    return ProductForecast(**head.model_dump(), product_id=item.product_id, basis=item.basis, items=_days(item))


def prediction(found: entities.Forecasts) -> Prediction:
    items = [PredictedProduct(product_id=each.product_id, basis=each.basis, days=_days(each)) for each in found.items]
    return Prediction(**answer(found.answer_id, found.provenance).model_dump(), items=items)


def _days(item: entities.ProductForecast) -> list[Day]:
    return [Day.model_construct(**day._asdict()) for day in item.days]
