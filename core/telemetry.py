"""Metrics (Prometheus) and trace context (W3C). One registry, right with one process and with several."""

import asyncio
import atexit
import os
import re
import threading
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import REGISTRY, Collector

METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SHARED = "PROMETHEUS_MULTIPROC_DIR" in os.environ  # as prometheus_client, which reads it once too
_ID_BYTES = 36
_IDS_AT_ONCE = 256
_FOLD_SECONDS = 0.05

_Kind = tuple[str, str, str, int]  # audience, method, route, status


class RequestTimes:
    """Per process. Requests are counted in plain numbers, which the histogram learns when it is read; where several
    processes share their metrics, it learns them a moment after they came, for another process may be asked.

    One observation a request: the histogram's count is the number of requests.
    """

    def __init__(self) -> None:
        self._counted: dict[_Kind, list[float]] = {}  # by bucket, and last the seconds; they only grow
        self._known: dict[_Kind, list[float]] = {}  # what of it the histogram has
        self._lock = threading.Lock()
        self._due = False

    def observe(self, kind: _Kind, seconds: float) -> None:
        """In the event loop alone."""
        cell = self._counted.get(kind)
        if cell is None:
            cell = self._counted[kind] = [0] * (len(_BOUNDS) + 2)
        cell[bisect_left(_BOUNDS, seconds)] += 1
        cell[-1] += seconds
        if _SHARED and not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(_FOLD_SECONDS, self.fold)

    def fold(self) -> None:
        """In any thread: what is counted meanwhile is folded the next time."""
        self._due = False
        with self._lock:
            for kind, cell in list(self._counted.items()):
                now, known = cell[:], self._known.get(kind)
                self._known[kind] = now
                new = now if known is None else [after - before for after, before in zip(now, known, strict=True)]
                if any(new):
                    _add(kind, new)


def _add(kind: _Kind, counted: list[float]) -> None:
    """Many observations at once, for which prometheus_client has no call."""
    audience, method, route, status = kind
    child = REQUEST_SECONDS.labels(audience, method, route, str(status))
    child._sum.inc(counted[-1])  # noqa: SLF001
    for bucket, number in zip(child._buckets, counted, strict=False):  # noqa: SLF001
        if number:
            bucket.inc(number)


class _UpToDate(Histogram):
    def collect(self) -> Iterable[Metric]:
        REQUESTS.fold()
        return super().collect()


REQUESTS = RequestTimes()
atexit.register(REQUESTS.fold)
REQUEST_SECONDS = _UpToDate(
    "portico_http_request_duration_seconds",
    "Time from the first byte in to the last byte out, by audience and route template.",
    ("audience", "method", "route", "status"),
    buckets=_BOUNDS,
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


class _Ids:
    """Random bytes, for some hundred requests at once: to ask the system takes as long as all else that a hit does."""

    def __init__(self) -> None:
        self._left: list[str] = []
        os.register_at_fork(after_in_child=self._left.clear)

    def take(self) -> str:
        if not self._left:
            made = os.urandom(_ID_BYTES * _IDS_AT_ONCE).hex()
            size = 2 * _ID_BYTES
            self._left += [made[start : start + size] for start in range(0, len(made), size)]
        return self._left.pop()


_IDS = _Ids()


def new_ids() -> tuple[str, str, str]:
    """Of a request, a trace and a span: 96, 128 and 64 random bits."""
    made = _IDS.take()
    return made[:24], made[24:56], made[56:]


class _Snapshot(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _registry() -> CollectorRegistry:
    """Of all processes. To be read off the event loop: where there are several, that reads a file of each."""
    if not _SHARED:
        return REGISTRY
    REQUESTS.fold()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def collected() -> list[Metric]:
    """All processes' metrics. Not on the event loop."""
    return list(_registry().collect())


def live_processes() -> int:
    """How many processes share their metrics at this moment."""
    if not _SHARED:
        return 1
    files = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).glob("gauge_live*_*.db")  # removed when a process dies
    return len({file.stem.rpartition("_")[2] for file in files})


def render_metrics(extra: list[Metric]) -> bytes:
    """The exposition of all processes' metrics, and of `extra`, which the scrape itself measured."""
    body = generate_latest(_registry())
    snapshot = CollectorRegistry()
    snapshot.register(_Snapshot(extra))
    return body + generate_latest(snapshot)
