"""What Prometheus is told of jobs."""

from collections.abc import Mapping, Sequence

from prometheus_client import Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from core.jobs.entities import QueueDepth, State

# Its count is the number of runs: by outcome, so that failures are counted too.
JOB_SECONDS = Histogram(
    "portico_job_duration_seconds",
    "Time that an attempt ran, by queue, name and outcome: succeeded, retried, failed, dead, cancelled.",
    ("queue", "name", "outcome"),
    buckets=(0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0),
)


def depth_metrics(depths: Sequence[QueueDepth], given_up: Mapping[tuple[str, State], int]) -> list[Metric]:
    """For the scrape, which reads them itself."""
    jobs = GaugeMetricFamily(
        "portico_jobs",
        "Jobs by queue and state: queued, running, and those that failed or are dead, until they are forgotten.",
        labels=("queue", "state"),
    )
    age = GaugeMetricFamily("portico_job_oldest_seconds", "How long the first in line waits.", labels=("queue",))
    for depth in depths:
        jobs.add_metric((depth.queue, "queued"), depth.queued)
        jobs.add_metric((depth.queue, "running"), depth.running)
        age.add_metric((depth.queue,), depth.oldest_seconds)
    for key, count in given_up.items():
        jobs.add_metric(key, count)
    return [jobs, age]
