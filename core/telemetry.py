"""Metrics (Prometheus) and trace context (W3C). One registry, right with one process and with several."""

import os
import re
import secrets
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import REGISTRY, Collector

METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Its count is the number of requests: one observation a request, not two.
REQUEST_SECONDS = Histogram(
    "portico_http_request_duration_seconds",
    "Time from the first byte in to the last byte out, by audience and route template.",
    ("audience", "method", "route", "status"),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
CLIENT_REQUESTS = Counter(
    "portico_client_requests_total",
    "Requests and WebSockets of clients that name themselves; `other` are those beyond the first names of a process.",
    ("audience", "client", "version"),
)
_TRACEPARENT = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


def parse_traceparent(value: bytes | None) -> tuple[str, bool] | None:
    """Trace id and sampled flag of a `traceparent` header (W3C Trace Context, level 1), or None if it is not one."""
    match = _TRACEPARENT.fullmatch(value) if value else None
    if match is None or match[1] == b"0" * 32 or match[2] == b"0" * 16:
        return None
    return match[1].decode(), bool(int(match[3], 16) & 1)


def new_trace_id() -> str:
    return secrets.token_hex(16)


def new_span_id() -> str:
    return secrets.token_hex(8)


class _Snapshot(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def render_metrics(extra: list[Metric]) -> bytes:
    """The exposition of all processes' metrics, and of `extra`, which the scrape itself measured."""
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        body = generate_latest(registry)
    else:
        body = generate_latest(REGISTRY)
    snapshot = CollectorRegistry()
    snapshot.register(_Snapshot(extra))
    return body + generate_latest(snapshot)
