import pytest

from core.budget import Budget
from core.ratelimit import Limit, Verdict, seconds_until
from core.ratelimit.memory import MemoryLimiter

MINUTE = 29_000_000 * 60.0  # a moment at which a window begins


class Time:
    def __init__(self) -> None:
        self.now = MINUTE

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def budget(time: Time) -> Budget:
    return Budget(MemoryLimiter(time), 1000)


async def test_all_points_may_be_spent_and_not_one_more(budget: Budget) -> None:
    verdicts = [await budget.spend("ada", points) for points in (990, 9, 1, 1, 0)]

    assert [(verdict.allowed, verdict.remaining) for verdict in verdicts] == [
        (True, 10),
        (True, 1),
        (True, 0),
        (False, 0),
        (True, 0),
    ]


async def test_refused_points_are_not_spent(budget: Budget) -> None:
    await budget.spend("ada", 900)

    refused = await budget.spend("ada", 101)

    assert (refused.allowed, refused.remaining) == (False, 100)
    assert (await budget.spend("ada", 100)).allowed


async def test_callers_do_not_know_each_other(budget: Budget) -> None:
    await budget.spend("user:usr_1", 1000)

    assert await budget.spend("api_key:key_1", 1) == Verdict(
        allowed=True, remaining=999, reset_seconds=60, limit=budget.limit
    )


async def test_what_was_spent_fades_in_the_minute_after(budget: Budget, time: Time) -> None:
    await budget.spend("ada", 1000)
    left = []
    for seconds in (59.9, 60, 75, 90, 120):
        time.now = MINUTE + seconds
        left.append((await budget.spend("ada", 0)).remaining)

    assert left == [0, 0, 250, 500, 1000]


async def test_window_that_is_long_over_is_forgotten(budget: Budget, time: Time) -> None:
    await budget.spend("ada", 1000)
    time.now += 600

    assert (await budget.spend("ada", 1000)).allowed


@pytest.mark.parametrize(
    ("spent_at", "asked_at", "points"), [(0, 0, 1), (0, 59, 1000), (0, 75, 300), (40, 50, 10), (40, 61, 1000)]
)
async def test_points_are_there_after_the_seconds_that_the_refusal_names(
    budget: Budget, time: Time, spent_at: float, asked_at: float, points: int
) -> None:
    time.now = MINUTE + spent_at
    await budget.spend("ada", 1000)
    time.now = MINUTE + asked_at
    refused = await budget.spend("ada", points)

    time.now += refused.reset_seconds - 1.001
    early = await budget.spend("ada", points)
    time.now += 1.001
    late = await budget.spend("ada", points)

    assert (refused.allowed, early.allowed, late.allowed) == (False, False, True)


def test_more_than_there_ever_is_has_to_wait_for_ever() -> None:
    limit = Limit("points", 100, 60, smoothed=True)

    assert seconds_until(limit, 101, before=0, left=30.0, within=0) == 91


async def test_callers_of_past_minutes_are_not_kept(time: Time) -> None:
    limiter = MemoryLimiter(time)
    budget = Budget(limiter, 1000)
    for number in range(100):
        await budget.spend(f"address-{number}", 1)
    time.now += 90
    await budget.spend("stays", 600)
    time.now += 61
    await budget.spend("new", 1)

    assert len(limiter._sums._sums) == 2
    assert (await budget.spend("stays", 0)).remaining == 710


async def test_cleared_caller_starts_anew(time: Time) -> None:
    limiter = MemoryLimiter(time)
    limit = Limit("points", 10, 60, smoothed=True)
    await limiter.hit(limit, "ada", 10)
    full = await limiter.peek(limit, "ada")

    await limiter.clear(limit, "ada")

    assert full == Verdict(allowed=False, remaining=0, reset_seconds=61, limit=limit)
    assert await limiter.peek(limit, "ada") == Verdict(allowed=True, remaining=10, reset_seconds=60, limit=limit)


async def test_exact_limit_counts_several_at_once() -> None:
    limiter, limit = MemoryLimiter(), Limit("tries", 10, 60)

    verdicts = [await limiter.hit(limit, "ada", cost) for cost in (8, 3, 2)]

    assert [(verdict.allowed, verdict.remaining) for verdict in verdicts] == [(True, 2), (False, 2), (True, 0)]


async def test_looking_at_a_smoothed_limit_counts_nothing(time: Time) -> None:
    limiter, limit = MemoryLimiter(time), Limit("points", 10, 60, smoothed=True)

    looks = [await limiter.peek(limit, "ada") for _ in range(3)]

    assert looks == [Verdict(allowed=True, remaining=10, reset_seconds=60, limit=limit)] * 3
