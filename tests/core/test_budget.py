"""Who may spend how much."""

from core.budget import Budget, Own, points_limit
from core.ratelimit import Verdict
from core.ratelimit.memory import MemoryLimiter
from tests.factories.clocks import MINUTE, StillTime


def budget_at(time: StillTime, points: int = 1000) -> Budget:
    return Budget(MemoryLimiter(time), points, time)


async def test_all_points_may_be_spent_and_not_one_more() -> None:
    budget = budget_at(StillTime())

    verdicts = [await budget.spend("ada", points) for points in (990, 9, 1, 1, 0)]

    assert [(verdict.allowed, verdict.remaining) for verdict in verdicts] == [
        (True, 10),
        (True, 1),
        (True, 0),
        (False, 0),
        (True, 0),
    ]


async def test_callers_do_not_know_each_other() -> None:
    budget = budget_at(StillTime())
    await budget.spend("user:usr_1", 1000)

    assert await budget.spend("api_key:key_1", 1) == Verdict(True, 999, 60, budget.limit)


async def test_caller_has_its_own_limit_and_others_everybodys() -> None:
    budget = budget_at(StillTime())
    budget.own = {"ada": Own(points_limit(5))}

    ada, bob = [await budget.spend("ada", 1) for _ in range(6)], await budget.spend("bob", 1)

    assert [verdict.allowed for verdict in ada] == [True] * 5 + [False]
    assert (ada[0].limit.amount, bob.limit.amount, bob.remaining) == (5, 1000, 999)


async def test_own_limit_ends_at_its_moment_and_what_was_spent_counts_on() -> None:
    time = StillTime()
    budget = budget_at(time)
    budget.own = {"ada": Own(points_limit(5), ends=MINUTE + 10)}
    await budget.spend("ada", 5)

    time.now = MINUTE + 9.999
    before = await budget.spend("ada", 1)
    time.now = MINUTE + 10
    after = await budget.spend("ada", 1)

    assert (before.allowed, before.limit.amount) == (False, 5)
    assert (after.allowed, after.limit.amount, after.remaining) == (True, 1000, 994)


async def test_looking_spends_nothing() -> None:
    budget = budget_at(StillTime())
    await budget.spend("ada", 10)

    looks = [await budget.look("ada") for _ in range(3)]

    assert looks == [Verdict(True, 990, 60, budget.limit)] * 3


async def test_callers_of_past_minutes_are_not_kept() -> None:
    time = StillTime()
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
