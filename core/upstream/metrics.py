"""What Prometheus is told of upstreams."""

from prometheus_client import Counter, Gauge, Histogram

from core.upstream.breaker import State

REQUESTS = Counter(
    "portico_upstream_requests_total",
    "What became of each try to ask an upstream: ok, timeout, failed, broken, refused, paused (not asked), cancelled.",
    ("upstream", "outcome"),
)
SECONDS = Histogram(
    "portico_upstream_seconds",
    "Time until an upstream answered, failed, or was not waited for any more.",
    ("upstream",),
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
RETRIES = Counter("portico_upstream_retries_total", "Questions that were asked again.", ("upstream",))
STALE = Counter("portico_upstream_stale_total", "Answers that were given again for want of a new one.", ("upstream",))
BREAKER = Gauge(
    "portico_upstream_breaker",
    "0: asked, 1: one try is under way, 2: left alone. Of several processes the highest.",
    ("upstream",),
    multiprocess_mode="livemax",
)
BREAKER_VALUES: dict[State, int] = {"closed": 0, "half_open": 1, "open": 2}
