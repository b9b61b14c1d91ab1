"""Prometheus metrics of all processes, and of the catalogue as it is now."""

from fastapi import APIRouter, Response
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from starlette.concurrency import run_in_threadpool

from commerce.catalog.repository import ProductRepository
from core.telemetry import METRICS_CONTENT_TYPE, render_metrics
from core.web.dependencies import ReadSessionDep

router = APIRouter()


@router.get("/metrics")
async def show_metrics(session: ReadSessionDep) -> Response:
    by_status, variants = await ProductRepository(session).counts()
    # With several processes this reads a file of each: not on the event loop.
    body = await run_in_threadpool(render_metrics, _catalogue(by_status, variants))
    return Response(body, media_type=METRICS_CONTENT_TYPE)


def _catalogue(by_status: dict[str, int], variants: int) -> list[Metric]:
    products = GaugeMetricFamily("portico_catalog_products", "Products by status.", labels=["status"])
    for status in ("active", "draft", "archived"):
        products.add_metric([status], by_status.get(status, 0))
    return [products, GaugeMetricFamily("portico_catalog_variants", "Variants of all products.", value=variants)]
