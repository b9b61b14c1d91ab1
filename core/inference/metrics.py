"""What Prometheus is told of models."""

from prometheus_client import Counter, Gauge, Histogram

from core.inference.provenance import Provenance

ANSWERS = Counter(
    "portico_model_answers_total",
    "Answers asked of a model, by why something simpler gave them: `none` where the model did.",
    ("model", "fallback"),
)
SECONDS = Histogram(
    "portico_model_seconds",
    "Time to answer, with what the database had to be asked, whoever answered.",
    ("model",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
)
SWAPS = Counter("portico_model_swaps_total", "Versions that began to answer in a process.", ("model",))
REFUSED = Counter(
    "portico_model_refused_total", "Versions that a process refused, by the code of why.", ("model", "code")
)
SHADOWED = Counter(
    "portico_model_shadow_total",
    "Answers of a shadow, compared with what was served: agreed, differed, failed.",
    ("model", "outcome"),
)
TRAINED = Gauge(
    "portico_model_trained_timestamp_seconds",
    "When the version that answers was trained. Of several processes the oldest.",
    ("model",),
    multiprocess_mode="livemin",
)


def count_answer(by: Provenance, seconds: float, model: str | None = None) -> None:
    """`model`: that was asked, where another answered."""
    name = model or by.model
    ANSWERS.labels(name, by.fallback_reason or "none").inc()
    SECONDS.labels(name).observe(seconds)
