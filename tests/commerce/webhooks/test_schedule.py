from datetime import timedelta

import pytest

from commerce.webhooks.schedule import DELAYS, next_delay, pause


def low(least: float, _most: float) -> float:
    return least


def high(_least: float, most: float) -> float:
    return most


def test_backoff_is_the_one_that_is_promised_and_ends() -> None:
    found = [next_delay(failures, None, low) for failures in range(1, 11)]

    assert found == [
        timedelta(seconds=5),
        timedelta(minutes=5),
        timedelta(minutes=30),
        *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
        None,
    ]


@pytest.mark.parametrize("failures", range(1, 10))
def test_jitter_adds_a_fifth_at_most(failures: int) -> None:
    assert next_delay(failures, None, high) == DELAYS[failures - 1] * 1.2


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (timedelta(), timedelta(seconds=5)),
        (timedelta(seconds=3), timedelta(seconds=5)),
        (timedelta(minutes=20), timedelta(minutes=20)),
        (timedelta(days=7), timedelta(hours=24)),
    ],
)
def test_receivers_wish_to_wait_is_kept_within_a_day(wish: timedelta, expected: timedelta) -> None:
    assert next_delay(1, wish, low) == expected


def test_wish_to_wait_does_not_outlive_the_last_attempt() -> None:
    assert next_delay(10, timedelta(seconds=1), low) is None


def test_endpoint_is_left_alone_after_five_failures_for_longer_and_longer() -> None:
    found = [pause(failures) for failures in (0, 4, 5, 6, 7, 8, 9, 10, 1000)]

    assert found == [None, None, *(timedelta(seconds=each) for each in (30, 60, 120, 240, 480, 600, 600))]
