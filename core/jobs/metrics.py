"""What Prometheus is told of jobs."""

from collections.abc import Sequence

from prometheus_client import Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from core.jobs.entities import QueueDepth

# Its count is the number of runs: by outcome, so that failures are counted too.
JOB_SECONDS = Histogram(
    "portico_job_duration_seconds",
    "Time that an attempt ran, by queue and outcome: succeeded, retried, failed, dead, cancelled.",
    ("queue", "outcome"),
    buckets=(0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0),
)


def depth_metrics(depths: Sequence[QueueDepth]) -> list[Metric]:
    """For the scrape, which reads the depths itself."""
    jobs = GaugeMetricFamily(
        "portico_jobs", "Jobs that are not finished, by queue and state.", labels=("queue", "state")
    )
    age = GaugeMetricFamily("portico_job_oldest_seconds", "How long the first in line waits.", labels=("queue",))
    for depth in depths:
        jobs.add_metric((depth.queue, "queued"), depth.queued)
        jobs.add_metric((depth.queue, "running"), depth.running)
        age.add_metric((depth.queue,), depth.oldest_seconds)
    return [jobs, age]
