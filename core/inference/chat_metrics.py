"""What Prometheus is told of models, besides what it is of every upstream (core.upstream.metrics)."""

from prometheus_client import Counter, Histogram

FIRST_PIECE_SECONDS = Histogram(
    "portico_model_first_piece_seconds",
    "Time from the question to the first piece of a model's answer, retries and their pauses included.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0),
)
TOKENS = Counter(
    "portico_model_tokens_total",
    "Tokens of whole answers of the model server: prompt, completion; estimated where it does not count them.",
    ("kind",),
)
FALLBACKS = Counter(
    "portico_model_fallbacks_total",
    "Questions that a simpler model answered, by the code of why the first did not.",
    ("reason",),
)
