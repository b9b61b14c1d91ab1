"""What the page shows is what the metrics say: exact figures of a made-up history."""

from datetime import UTC, datetime
from math import inf

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from core.health import Check
from internal_api.dashboard.book_panels import State
from internal_api.dashboard.readings import Change, Reading, quantile
from internal_api.dashboard.snapshots import Snapshot, snapshot_of
from internal_api.dashboard.view import NO_DATA

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STATE = State(
    now=NOW,
    checks=[Check("database", ok=True, milliseconds=1.5)],
    draining=False,
    process=7,
    uptime_seconds=90,
    mode="embedded",
    web_processes=3,
    off=None,
)


class Shop:
    """Metrics under the names of the product's own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Histogram(
            "portico_http_request_duration_seconds",
            "-",
            ("audience", "method", "route", "status"),
            buckets=(0.01, 0.1, 1.0),
            registry=self.registry,
        )

    def serve(self, count: int, seconds: float, audience: str = "public", status: int = 200, route: str = "/a") -> None:
        for _ in range(count):
            self.requests.labels(audience, "GET", route, str(status)).observe(seconds)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        made = Gauge(name, "-", tuple(labels), registry=self.registry)
        (made.labels(**labels) if labels else made).set(value)

    def counter(self, name: str, *values: tuple[float, dict[str, str]]) -> None:
        made = Counter(name, "-", tuple(values[0][1]), registry=self.registry)
        for value, labels in values:
            made.labels(**labels).inc(value)

    def reading(self, at: float) -> Reading:
        return Reading(at, self.registry.collect())


def rows(snapshot: Snapshot, panel: str, place: int = 0) -> dict[str, list[str]]:
    """Of a table: by the first cell."""
    (found,) = [each for each in snapshot.panels if each.name == panel]
    return {row[0].text: [cell.text for cell in row[1:]] for row in found.tables[place].rows}


def tiles(snapshot: Snapshot) -> dict[str, str]:
    return {tile.label: tile.value.text for tile in snapshot.tiles}


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.5, 0.01 + 0.09 * (50 - 40) / 50), (0.4, 0.01), (0.9, 0.1), (0.95, 0.1 + 0.9 * 5 / 8), (0.99, 1.0), (1.0, 1.0)],
)
def test_quantile_is_linear_within_a_bucket_and_ends_at_the_last_bound(share: float, expected: float) -> None:
    """40 up to 10 ms, 50 up to 100 ms, 8 up to 1 s, 2 beyond."""
    found = quantile(share, {0.01: 40, 0.1: 90, 1.0: 98, inf: 100})

    assert found == pytest.approx(expected)


@pytest.mark.parametrize("buckets", [{}, {0.1: 0.0, inf: 0.0}])
def test_quantile_of_nothing_is_unknown(buckets: dict[float, float]) -> None:
    assert quantile(0.99, buckets) is None


def test_rates_errors_and_times_are_those_between_two_readings() -> None:
    shop = Shop()
    shop.serve(1000, 5.0)  # of before
    shop.serve(7, 0.05, "graphql")
    before = shop.reading(100.0)
    shop.serve(40, 0.005)
    shop.serve(50, 0.05, route="/b")
    shop.serve(10, 0.5, status=503)
    shop.serve(4, 0.005, "internal", 429)
    shop.serve(3, 3600.0, "internal", route="/internal/dashboard/events")  # a stream's time is none of a request

    snapshot = snapshot_of(Change(before, shop.reading(110.0)), STATE, None)

    shown = rows(snapshot, "requests")
    assert list(shown) == ["public", "graphql", "internal", "static", "root"]
    assert shown["public"] == ["10.0", "10.0 %", "28.0 ms", "550.0 ms", "910.0 ms"]
    assert shown["internal"] == ["0.4", "0.0 %", "5.0 ms", "9.5 ms", "9.9 ms"]
    assert shown["graphql"] == ["0.0", *[NO_DATA] * 4]
    assert shown["root"] == [NO_DATA] * 5
    assert tiles(snapshot) == {
        "State": "ready",
        "Requests/s": "10.4",
        "Errors (5xx)": "9.6 %",
        "p99, public": "910.0 ms",
        "Event loop lag, p99": NO_DATA,
        "Dead jobs": NO_DATA,
    }
    assert rows(snapshot, "limits") == {"public": ["0.0"], "graphql": ["0.0"], "internal": ["0.4"]}
    assert snapshot.point["rate"] == {"public": 10.0, "graphql": 0.0, "internal": 0.4}
    assert snapshot.point["p99"] == {"public": 910.0, "graphql": None, "internal": 9.9}
    assert snapshot.point["errors"] == {"public": 10.0, "graphql": None, "internal": 0.0}


def test_counter_that_fell_began_anew() -> None:
    before, after = Shop(), Shop()
    before.serve(100, 0.005)
    after.serve(20, 0.005)

    snapshot = snapshot_of(Change(before.reading(0.0), after.reading(10.0)), STATE, None)

    assert rows(snapshot, "requests")["public"][0] == "2.0"


def test_gauges_and_counters_are_shown_as_they_are() -> None:
    shop = Shop()
    shop.gauge("portico_bulkhead_running", 12, audience="graphql")
    shop.gauge("portico_bulkhead_waiting", 3, audience="graphql")
    shop.counter(
        "portico_bulkhead_refused_total",
        (2, {"audience": "graphql", "why": "full"}),
        (5, {"audience": "graphql", "why": "patience"}),
    )
    for name, value in {"size": 10, "used": 7, "waiting": 1}.items():
        shop.gauge(f"portico_pool_{name}", value, pool="public")
    shop.gauge("portico_ratelimit_degraded", 2)
    shop.gauge("portico_streams", 1204, kind="sse")
    shop.gauge("portico_upstream_breaker", 2, upstream="post")
    shop.gauge("portico_response_cache_entries", 31)
    shop.gauge("portico_response_cache_bytes", 3 * 1024**2)

    snapshot = snapshot_of(Change(None, shop.reading(1.0)), STATE, None)

    assert rows(snapshot, "walls") == {"graphql": ["12", "3", NO_DATA, "7"]}
    assert rows(snapshot, "pools", 1) == {"public": ["10", "7", "1"]}
    assert rows(snapshot, "limits", 1)["Processes that count alone"] == ["2"]
    assert rows(snapshot, "streams") == {"sse": ["1,204", "0"]}
    assert rows(snapshot, "upstreams") == {"post": ["left alone", NO_DATA, NO_DATA]}
    assert rows(snapshot, "cache") == {
        "Given from the cache": [NO_DATA],
        "Requests/s it looked at": [NO_DATA],
        "Answers kept": ["31"],
        "Memory they take": ["3.0 MB"],
    }


def test_share_of_the_cache_leaves_out_what_is_none_of_its_own() -> None:
    outcomes = {"hit": 60, "stale": 10, "collapsed": 5, "miss": 25, "bypass": 900}
    before, after = Shop(), Shop()
    before.counter("portico_response_cache_requests_total", *((0.0, {"outcome": each}) for each in outcomes))
    after.counter(
        "portico_response_cache_requests_total", *((float(n), {"outcome": each}) for each, n in outcomes.items())
    )

    snapshot = snapshot_of(Change(before.reading(0.0), after.reading(2.0)), STATE, None)

    assert rows(snapshot, "cache")["Given from the cache"] == ["75.0 %"]
    assert rows(snapshot, "cache")["Requests/s it looked at"] == ["500.0"]


def test_lag_of_the_event_loop_is_that_of_the_time_between() -> None:
    shop = Shop()
    lag = Histogram("portico_event_loop_lag_seconds", "-", buckets=(0.01, 0.1), registry=shop.registry)
    lag.observe(5.0)
    before = shop.reading(0.0)
    for _ in range(100):
        lag.observe(0.005)

    snapshot = snapshot_of(Change(before, shop.reading(2.0)), STATE, None)

    assert rows(snapshot, "pools")["Event loop lag"] == ["5.0 ms", "9.9 ms"]
    assert snapshot.point["lag"] == {"p50": 5.0, "p99": 9.9}


def test_what_nobody_measures_is_no_data_and_never_a_zero() -> None:
    snapshot = snapshot_of(Change(Reading(0.0, ()), Reading(2.0, ())), STATE, None)

    tables = [table for panel in snapshot.panels if panel.name != "state" for table in panel.tables]
    shown = [cell.text for table in tables for row in table.rows for cell in row[1:]]
    assert set(shown) == {NO_DATA}
    assert {table.empty for table in tables if not table.rows} == {NO_DATA}
    assert tiles(snapshot) == {label: "ready" if label == "State" else NO_DATA for label in tiles(snapshot)}


@pytest.mark.parametrize(
    ("checks", "draining", "word"),
    [
        ([Check("database", ok=True, milliseconds=1)], False, "ready"),
        ([Check("database", ok=True, milliseconds=1)], True, "draining"),
        ([Check("database", ok=False, milliseconds=1, detail="gone")], False, "not ready"),
        (None, False, "not ready"),
    ],
)
def test_state_is_that_of_readiness(checks: list[Check] | None, draining: bool, word: str) -> None:
    state = State(NOW, checks, draining, 7, 90, "embedded", 1, None)

    snapshot = snapshot_of(Change(None, Reading(0.0, ())), state, None)

    assert snapshot.word == tiles(snapshot)["State"] == word
