"""Panels of what the metrics say. A name that no metric has yet leaves its place with no data."""

from collections.abc import Mapping, Sequence
from math import inf

from internal_api.dashboard.readings import Change, Labels, quantile, share
from internal_api.dashboard.view import (
    Cell,
    Panel,
    Tile,
    megabytes,
    milliseconds,
    number,
    percent,
    rate,
    table,
    text,
)

AUDIENCES = ("public", "graphql", "internal", "static", "root")
_REQUESTS = "portico_http_request_duration_seconds"
_LAG = "portico_event_loop_lag_seconds"
_CACHE = "portico_response_cache_requests_total"
_FIRST_FAULT = 500
_REFUSED_STATUS = "429"
_BREAKER = {0: Cell("asked", "good"), 1: Cell("on trial"), 2: Cell("left alone", "bad")}
_FROM_CACHE = ("hit", "stale", "collapsed")
_STREAMS = ("/events/stream", "/dashboard/events")


def _is_request(labels: Mapping[str, str]) -> bool:
    """What lasts until somebody leaves is none: its time says nothing."""
    return labels["method"] != "WEBSOCKET" and not labels["route"].endswith(_STREAMS)


def _is_fault(labels: Mapping[str, str]) -> bool:
    return _is_request(labels) and int(labels["status"]) >= _FIRST_FAULT


def _is_refusal(labels: Mapping[str, str]) -> bool:
    return labels["status"] == _REFUSED_STATUS


class Requests:
    """Rate, errors and duration of each audience in the time between two readings."""

    def __init__(self, change: Change) -> None:
        count = f"{_REQUESTS}_count"
        self.rates = change.rates(count, "audience", where=_is_request)
        self.faults = change.rates(count, "audience", where=_is_fault)
        self.refused = change.rates(count, "audience", where=_is_refusal)
        self.buckets = change.buckets(_REQUESTS, "audience", where=_is_request)

    def rate(self, audience: str) -> float | None:
        return self.rates.get((audience,))

    def faulty(self, audience: str) -> float | None:
        return share(self.faults.get((audience,)), self.rate(audience))

    def quantile(self, part: float, audience: str) -> float | None:
        return quantile(part, self.buckets.get((audience,), {}))

    @property
    def in_all(self) -> float | None:
        return sum(self.rates.values()) if self.rates else None

    @property
    def faulty_in_all(self) -> float | None:
        return share(sum(self.faults.values()), self.in_all)


def request_panel(requests: Requests) -> Panel:
    columns = ("Audience", "Requests/s", "Errors (5xx)", "p50", "p95", "p99")
    rows = (
        (
            Cell(audience),
            rate(requests.rate(audience)),
            percent(requests.faulty(audience), bad=True),
            *(milliseconds(requests.quantile(part, audience)) for part in (0.5, 0.95, 0.99)),
        )
        for audience in AUDIENCES
    )
    return Panel("requests", "Requests", (table("Rate, errors and time by audience", columns, rows),), wide=True)


def wall_panel(change: Change) -> Panel:
    after = change.after
    running = after.sums("portico_bulkhead_running", "audience")
    waiting = after.sums("portico_bulkhead_waiting", "audience")
    refused = after.sums("portico_bulkhead_refused_total", "audience")
    waits = change.buckets("portico_bulkhead_queue_seconds", "audience")
    rows = (
        (
            Cell(key[0].replace("_", " ")),
            number(running.get(key)),
            number(waiting.get(key)),
            milliseconds(quantile(0.99, waits.get(key, {}))),
            number(refused.get(key), bad=True),
        )
        for key in sorted({*running, *waiting, *refused})
    )
    columns = ("Audience", "Running", "Waiting", "Wait p99", "Refused")
    return Panel("walls", "Bulkheads", (table("Requests inside, in line and turned away", columns, rows),))


def loop_lag(change: Change, part: float) -> float | None:
    return quantile(part, change.buckets(_LAG).get((), {}))


def process_panel(change: Change) -> Panel:
    lags = (Cell("Event loop lag"), *(milliseconds(loop_lag(change, part)) for part in (0.5, 0.99)))
    size, used, waiting = (change.after.sums(f"portico_pool_{kind}", "pool") for kind in ("size", "used", "waiting"))
    pools = (
        (Cell(key[0]), number(size.get(key)), number(used.get(key)), number(waiting.get(key), bad=True))
        for key in sorted({*size, *used, *waiting})
    )
    return Panel(
        "pools",
        "Event loop and pools",
        (
            table("How late the event loop is", ("", "p50", "p99"), (lags,)),
            table("Connections to databases", ("Pool", "Size", "In use", "Waiting"), pools),
        ),
    )


def limit_panel(change: Change, requests: Requests) -> Panel:
    alone = change.after.sums("portico_ratelimit_degraded").get(())
    without = change.after.sums("portico_ratelimit_without_redis_total", "outcome")
    shared = (
        (Cell("Processes that count alone"), number(alone, bad=True)),
        (Cell("Counted alone since the start"), number(without.get(("alone",)))),
        (Cell("Refused for want of Redis"), number(without.get(("refused",)), bad=True)),
    )
    known = bool(requests.rates)
    refused = (
        (Cell(audience), rate(requests.refused.get((audience,), 0.0) if known else None)) for audience in AUDIENCES[:3]
    )
    return Panel(
        "limits",
        "Rate limits",
        (
            table("Refused by their limits (429)", ("Audience", "Requests/s"), refused),
            table("Limits that processes share", (), shared),
        ),
    )


def stream_panel(change: Change) -> Panel:
    streams = change.after.sums("portico_streams", "kind")
    slow = change.after.sums("portico_streams_too_slow_total", "kind")
    rows = ((Cell(key[0]), number(streams.get(key)), number(slow.get(key, 0.0))) for key in sorted({*streams, *slow}))
    return Panel(
        "streams",
        "Streams and sockets",
        (table("Open now, and let go because they read too slowly", ("Kind", "Open", "Too slow"), rows),),
    )


def cache_panel(change: Change) -> Panel:
    asked = change.rates(_CACHE, "outcome")
    entries = change.after.sums("portico_response_cache_entries").get(())
    size = change.after.sums("portico_response_cache_bytes").get(())
    rows = (
        (Cell("Given from the cache"), percent(hit_share(asked))),
        (Cell("Requests/s it looked at"), rate(sum(asked.values()) if asked else None)),
        (Cell("Answers kept"), number(entries)),
        (Cell("Memory they take"), megabytes(size)),
    )
    return Panel("cache", "Response cache", (table("Whole answers that are given again", (), rows),))


def hit_share(asked: Mapping[Labels, float]) -> float | None:
    """Of the requests that the cache could answer; those that are none of its own do not count."""
    return share(
        sum(asked.get((outcome,), 0.0) for outcome in _FROM_CACHE),
        sum(value for (outcome,), value in asked.items() if outcome != "bypass"),
    )


def upstream_panel(change: Change) -> Panel:
    breakers = change.after.sums("portico_upstream_breaker", "upstream")
    tries = change.rates("portico_upstream_requests_total", "upstream")
    times = change.buckets("portico_upstream_seconds", "upstream")
    rows = (
        (
            Cell(key[0]),
            _BREAKER.get(int(breakers[key]), text(None)) if key in breakers else text(None),
            rate(tries.get(key)),
            milliseconds(quantile(0.99, times.get(key, {}))),
        )
        for key in sorted({*breakers, *tries})
    )
    columns = ("Upstream", "Breaker", "Tries/s", "p99")
    return Panel("upstreams", "Upstreams", (table("Services that we ask", columns, rows),))


def figures(change: Change, requests: Requests) -> Sequence[Tile]:
    """Those of the metrics that stand above all."""
    return (
        Tile("Requests/s", rate(requests.in_all)),
        Tile("Errors (5xx)", percent(requests.faulty_in_all, bad=True)),
        Tile("p99, public", milliseconds(requests.quantile(0.99, "public"))),
        Tile("Event loop lag, p99", milliseconds(loop_lag(change, 0.99))),
    )


def points(change: Change, requests: Requests) -> dict[str, dict[str, float | None]]:
    """What the charts show of this moment: by chart and series."""
    shown = AUDIENCES[:3]
    return {
        "rate": {audience: requests.rate(audience) for audience in shown},
        "p99": {audience: _in_ms(requests.quantile(0.99, audience)) for audience in shown},
        "errors": {audience: _in_percent(requests.faulty(audience)) for audience in shown},
        "lag": {"p50": _in_ms(loop_lag(change, 0.5)), "p99": _in_ms(loop_lag(change, 0.99))},
    }


def _in_ms(seconds: float | None) -> float | None:
    return round(seconds * 1000, 3) if seconds is not None and seconds != inf else None


def _in_percent(part: float | None) -> float | None:
    return round(part * 100, 3) if part is not None else None
