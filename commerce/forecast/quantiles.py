"""Quantiles of counts whose variance is larger than their mean: the negative binomial distribution."""

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from commerce.forecast.entities import QUANTILES

_EXACT = 50.0  # units: above, the gamma distribution is as good, and sums would be long
_ROWS = 2_000  # at once: 8 MB of sums
_LEAST = 1e-6  # a dispersion of nought is Poisson's, which this is as good as
_Z = np.array([NormalDist().inv_cdf(each) for each in QUANTILES])

Numbers = NDArray[np.float64]


def count_quantiles(mean: Numbers, dispersion: Numbers) -> Numbers:
    """By row and QUANTILES, whole numbers. The variance is mean + dispersion * mean^2 (NB2: Cameron and Trivedi,
    "Regression Analysis of Count Data", 2nd ed. 2013, section 3.3).
    """
    found = np.zeros((len(mean), len(QUANTILES)))
    few = np.flatnonzero(mean <= _EXACT)
    for start in range(0, len(few), _ROWS):
        rows = few[start : start + _ROWS]
        found[rows] = _summed(mean[rows], dispersion[rows])
    many = mean > _EXACT
    found[many] = _gamma(mean[many], dispersion[many])
    return found


def _summed(mean: Numbers, dispersion: Numbers) -> Numbers:
    """Probabilities added up, in logarithms, as far as ten times the mean: by Markov's inequality at most a tenth of
    the distribution is beyond, and so no quantile that is asked for.
    """
    mean, alpha = np.maximum(mean, 1e-9)[:, None], np.maximum(dispersion, _LEAST)[:, None]
    counts = np.arange(int(10 * mean.max()) + 2)
    none = -np.log1p(alpha * mean) / alpha
    steps = np.log((counts[:-1] + 1 / alpha) / (counts[:-1] + 1)) + np.log(alpha * mean / (1 + alpha * mean))
    logs = np.concatenate([none, none + np.cumsum(steps, axis=1)], axis=1)
    below = np.cumsum(np.exp(logs), axis=1)
    return np.stack([(below < each).sum(axis=1) for each in QUANTILES], axis=1).astype(np.float64)


def _gamma(mean: Numbers, dispersion: Numbers) -> Numbers:
    """Wilson and Hilferty's cube (PNAS 17, 1931), for a gamma distribution of the same mean and variance."""
    shape = (mean / (1 + dispersion * mean))[:, None]
    cube = np.maximum(1 - 1 / (9 * shape) + _Z / (3 * np.sqrt(shape)), 0) ** 3
    found: Numbers = np.rint(mean[:, None] * cube)
    return found
