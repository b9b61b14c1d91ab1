"""Prometheus metrics of all processes, and of the catalogue, the jobs, the webhooks and the log as they are now."""

from datetime import datetime

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from starlette.concurrency import run_in_threadpool

from commerce.catalog.reading import CatalogReader
from commerce.webhooks.entities import DeliveryState, Queue
from commerce.webhooks.repository import WebhookRepository
from core.errors import Unavailable
from core.eventlog import EventLog
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
    now = resources.clock.now()
    try:
        by_status, variants = await CatalogReader(resources.database, resources.cache).counts()
        async with resources.database.read() as session:
            jobs = JobRepository(session)
            depths, given_up = await jobs.depths(now), await jobs.given_up()
            webhooks = WebhookRepository(session)
            backlog, fed = await webhooks.backlog(), await webhooks.cursor()
            log = EventLog(session)
            newest, (behind, since) = await log.newest(), await log.lag(fed)
    except Unavailable:
        return []
    products = GaugeMetricFamily("portico_catalog_products", "Products by status.", labels=["status"])
    for status in ("active", "draft", "archived"):
        products.add_metric([status], by_status.get(status, 0))
    all_variants = GaugeMetricFamily("portico_catalog_variants", "Variants of all products.", value=variants)
    return [
        products,
        all_variants,
        *depth_metrics(depths, given_up),
        *_webhook_metrics(backlog, now),
        GaugeMetricFamily("portico_event_log_newest", "The position of the newest event.", value=newest),
        GaugeMetricFamily(
            "portico_webhook_feeder_events", "Events of which no deliveries have been made yet.", value=behind
        ),
        GaugeMetricFamily("portico_webhook_feeder_seconds", "How old the first of them is.", value=_age(since, now)),
    ]


def _webhook_metrics(backlog: dict[DeliveryState, Queue], now: datetime) -> list[Metric]:
    count = GaugeMetricFamily(
        "portico_webhook_backlog", "Deliveries that are to be made, tried before (failed) or not.", labels=["state"]
    )
    oldest = GaugeMetricFamily("portico_webhook_oldest_seconds", "How old the oldest of them is.", labels=["state"])
    for state, queue in backlog.items():
        count.add_metric([state], queue.open)
        oldest.add_metric([state], _age(queue.oldest_at, now))
    return [count, oldest]


def _age(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since is not None else 0.0
