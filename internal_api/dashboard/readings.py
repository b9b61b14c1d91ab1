"""What the metrics say, and what became of them between two moments. Plain arithmetic: nothing is read here."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from math import inf

from prometheus_client.metrics_core import Metric

Labels = tuple[str, ...]
Wanted = Callable[[Mapping[str, str]], bool]


def _all(_labels: Mapping[str, str]) -> bool:
    return True


class Reading:
    """The samples of one moment, `at` seconds of a clock that never goes back."""

    def __init__(self, at: float, metrics: Iterable[Metric]) -> None:
        self.at = at
        self._samples: defaultdict[str, list[tuple[Mapping[str, str], float]]] = defaultdict(list)
        for metric in metrics:
            for sample in metric.samples:
                self._samples[sample.name].append((sample.labels, sample.value))

    def sums(self, name: str, *by: str, where: Wanted = _all) -> dict[Labels, float]:
        """The sum of the samples of this name for each value of these labels; nothing where there is no such sample."""
        found: defaultdict[Labels, float] = defaultdict(float)
        for labels, value in self._samples.get(name, ()):
            if where(labels):
                found[tuple(labels.get(label, "") for label in by)] += value
        return dict(found)


class Change:
    """From one reading to a later one. Without an earlier one nothing is known of it."""

    def __init__(self, before: Reading | None, after: Reading) -> None:
        self.after = after
        self._before = before
        self.seconds = after.at - before.at if before is not None else 0.0

    def sums(self, name: str, *by: str, where: Wanted = _all) -> dict[Labels, float]:
        """By how much counters grew. One that fell began anew, as Prometheus takes it."""
        if self._before is None or self.seconds <= 0:
            return {}
        old = self._before.sums(name, *by, where=where)
        new = self.after.sums(name, *by, where=where)
        return {key: value - old.get(key, 0) if value >= old.get(key, 0) else value for key, value in new.items()}

    def rates(self, name: str, *by: str, where: Wanted = _all) -> dict[Labels, float]:
        """As `sums`, by the second."""
        return {key: value / self.seconds for key, value in self.sums(name, *by, where=where).items()}

    def buckets(self, name: str, *by: str, where: Wanted = _all) -> dict[Labels, dict[float, float]]:
        """Of a histogram: how many observations of this time were at most so much."""
        found: defaultdict[Labels, dict[float, float]] = defaultdict(dict)
        for key, value in self.sums(f"{name}_bucket", *by, "le", where=where).items():
            found[key[:-1]][float(key[-1])] = value
        return dict(found)


def quantile(share: float, buckets: Mapping[float, float]) -> float | None:
    """Below which this share of the observations lies, by counts up to each bound: linear within a bucket, and the last
    bound for what lies beyond it, as `histogram_quantile` of Prometheus has it. None where nothing was observed.
    """
    rank = share * buckets.get(inf, 0)
    if not rank:
        return None
    low, below = 0.0, 0.0
    for bound, count in sorted(buckets.items()):
        if count >= rank:
            return low if bound == inf else low + (bound - low) * (rank - below) / (count - below)
        low, below = bound, count
    return low


def share(part: float | None, whole: float | None) -> float | None:
    """None where there is nothing to take a share of."""
    return (part or 0.0) / whole if whole else None
