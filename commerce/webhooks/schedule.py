"""When a delivery is tried again, and when an endpoint is left alone for a while. Pure rules; failures are counted."""

from collections.abc import Callable
from datetime import datetime, timedelta

from commerce.webhooks.models import EndpointRow

Uniform = Callable[[float, float], float]
# After each failure of a delivery; after one more it is abandoned. A little over three days in all.
DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
_LONGEST_WISH = timedelta(hours=24)  # of a Retry-After
# The breaker: after this many failures in a row, of whatever deliveries, one at a time is tried after each pause.
BREAKS_AT = 5
_FIRST_PAUSE = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(minutes=10)
LONGEST_ATTEMPT = timedelta(seconds=60)  # and more: after it, whoever sent is gone
AT_ONCE = 4  # attempts of an endpoint, so that one that is slow does not take all places from the others
BROKEN_AFTER = timedelta(days=3)  # without one success, once a delivery is abandoned


def next_delay(failures: int, wish: timedelta | None, uniform: Uniform) -> timedelta | None:
    """None: give up. `wish` is the receiver's own, from Retry-After."""
    if failures > len(DELAYS):
        return None
    # Jitter, so that what failed together does not come back together.
    delay = DELAYS[failures - 1] * uniform(1.0, 1.2)
    return max(delay, min(wish, _LONGEST_WISH)) if wish is not None else delay


def pause(failures: int) -> timedelta | None:
    """For how long the endpoint is left alone after so many failures in a row."""
    if failures < BREAKS_AT:
        return None
    return min(_FIRST_PAUSE * (1 << min(failures - BREAKS_AT, 10)), _LONGEST_PAUSE)


def note_success(endpoint: EndpointRow, now: datetime) -> None:
    endpoint.failures, endpoint.failing_since, endpoint.paused_until = 0, None, None
    endpoint.last_success_at = now


def note_failure(endpoint: EndpointRow, now: datetime) -> None:
    endpoint.failures += 1
    endpoint.failing_since = endpoint.failing_since or now
    left_alone = pause(endpoint.failures)
    endpoint.paused_until = now + left_alone if left_alone is not None else None


def is_broken(endpoint: EndpointRow, now: datetime) -> bool:
    return endpoint.failing_since is not None and now - endpoint.failing_since >= BROKEN_AFTER
