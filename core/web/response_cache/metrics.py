"""What the cache did, for operators."""

from prometheus_client import Counter, Gauge

_REQUESTS = Counter(
    "portico_response_cache_requests_total",
    "Requests that the cache looked at: answered from it (hit), from it while it is made anew (stale), with what "
    "another request had asked for (collapsed), made (miss), or none of its own (bypass).",
    ("outcome",),
)
HIT, STALE, COLLAPSED, MISS, BYPASS = (
    _REQUESTS.labels(outcome) for outcome in ("hit", "stale", "collapsed", "miss", "bypass")
)
ON_ERROR = Counter(
    "portico_response_cache_stale_on_error_total", "Answers of before that were given because the database was away."
)
PURGED = Counter("portico_response_cache_purged_total", "Answers that were taken out because what they show changed.")
BYTES = Gauge("portico_response_cache_bytes", "What the kept answers take.", multiprocess_mode="livesum")
ENTRIES = Gauge("portico_response_cache_entries", "How many answers are kept.", multiprocess_mode="livesum")
