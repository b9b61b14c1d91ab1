"""REST of forecasts. What is asked for of a product is the shop's own business: staff, and keys with `reports:read`."""

from typing import Annotated

from fastapi import Depends, Query, Response

from commerce.accounts.errors import MissingScope
from commerce.accounts.principal import Principal
from commerce.catalog.errors import ProductNotFound
from commerce.catalog.repository import ProductRepository
from commerce.catalog.text import is_storable
from commerce.forecast.entities import MOST_DAYS, Asked
from commerce.forecast.errors import UnknownProducts
from commerce.forecast.service import ForecastService
from core.errors import Invalid, Unauthenticated
from core.web.dependencies import ResourcesDep
from public_api.auth import RequireScope
from public_api.errors import problems
from public_api.forecast.schemas import Predict, Prediction, ProductForecast, prediction, product_forecast
from public_api.routing import public_router

router = public_router(tags=["Forecasts"])
ReportsReader = Annotated[Principal, Depends(RequireScope("reports:read"))]
_READS = frozenset({"id", "category_id"})
_NOT_KEPT = "private, no-store"  # another model may answer the next time
_REFUSALS = (Unauthenticated, MissingScope, Invalid)


@router.get(
    "/products/{id_or_handle}/forecast",
    summary="Forecast a product's demand",
    operation_id="forecast_product",
    responses=problems(*_REFUSALS, ProductNotFound),
)
async def forecast_product(
    response: Response,
    id_or_handle: str,
    _principal: ReportsReader,
    resources: ResourcesDep,
    days: Annotated[int, Query(ge=1, le=MOST_DAYS)] = 14,
) -> ProductForecast:
    """Units a day from tomorrow on, each day with an interval. `fallback` says that last week's values stand in for a
    model: `fallback_reason` why. Also of products that are not on sale.
    """
    async with resources.database.read() as session:
        head = await ProductRepository(session).head_of(id_or_handle, _READS, include_unpublished=True)
    if head is None:
        raise ProductNotFound(f"no product {id_or_handle[:100]!r}")
    service = ForecastService(resources.database, resources.models, resources.clock)
    response.headers["Cache-Control"] = _NOT_KEPT
    return product_forecast(await service.forecast([Asked(head.id, head.category_id, days)]))


@router.post(
    "/predict",
    summary="Forecast many products",
    operation_id="predict",
    responses=problems(*_REFUSALS, UnknownProducts),
)
async def predict(response: Response, body: Predict, _principal: ReportsReader, resources: ResourcesDep) -> Prediction:
    """As one product's forecast, of up to 200 at once, all by one version of the model. Nothing is written."""
    async with resources.database.read() as session:
        heads = await ProductRepository(session).heads(
            [each.product_id for each in body.items if is_storable(each.product_id)], _READS
        )
    if unknown := [place for place, each in enumerate(body.items) if each.product_id not in heads]:
        raise UnknownProducts.at(unknown)
    asked = [Asked(each.product_id, heads[each.product_id].category_id, each.days) for each in body.items]
    response.headers["Cache-Control"] = _NOT_KEPT
    return prediction(await ForecastService(resources.database, resources.models, resources.clock).forecast(asked))
