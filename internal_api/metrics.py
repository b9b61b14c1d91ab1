"""Prometheus metrics of all processes, and of the catalogue and the jobs as they are now."""

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from starlette.concurrency import run_in_threadpool

from commerce.catalog.repository import ProductRepository
from core.errors import Unavailable
from core.jobs.metrics import depth_metrics
from core.jobs.repository import JobRepository
from core.resources import Resources
from core.telemetry import METRICS_CONTENT_TYPE, render_metrics
from core.web.dependencies import ResourcesDep
from internal_api.auth import RequireMetricsReader

router = APIRouter()


@router.get("/metrics", dependencies=[Depends(RequireMetricsReader())])
async def show_metrics(request: Request, resources: ResourcesDep) -> Response:
    request.state.bulkheads.publish()
    # With several processes this reads a file of each: not on the event loop.
    body = await run_in_threadpool(render_metrics, await _present(resources))
    return Response(body, media_type=METRICS_CONTENT_TYPE)


async def _present(resources: Resources) -> list[Metric]:
    """Nothing while the database is away: that is when the other metrics are needed most."""
    try:
        async with resources.database.read() as session:
            by_status, variants = await ProductRepository(session).counts()
            depths = await JobRepository(session).depths(resources.clock.now())
    except Unavailable:
        return []
    products = GaugeMetricFamily("portico_catalog_products", "Products by status.", labels=["status"])
    for status in ("active", "draft", "archived"):
        products.add_metric([status], by_status.get(status, 0))
    all_variants = GaugeMetricFamily("portico_catalog_variants", "Variants of all products.", value=variants)
    return [products, all_variants, *depth_metrics(depths)]
