"""What questions cost, and who has spent it."""

import pytest

from core.budget import Budget
from core.inference.chat import Ended, Usage
from core.ratelimit.memory import MemoryLimiter
from tests.factories.clocks import StillTime
from tests.public_api.assistant.asking import Desk, Headers, until


@pytest.fixture
def points(desk: Desk) -> Budget:
    """Of a time that stands still."""
    limiter = MemoryLimiter(StillTime())
    budget = Budget(limiter, 2_000)
    object.__setattr__(desk.resources, "limiter", limiter)
    object.__setattr__(desk.resources, "budget", budget)
    return budget


async def left(budget: Budget) -> int:
    return (await budget.look("127.0.0.1")).remaining


async def test_tokens_are_taken_from_the_callers_points(desk: Desk, points: Budget) -> None:
    desk.scripted(["Short.", Ended("stop", Usage(700, 100))])

    answer = await desk.answer("hello")

    assert answer["usage"] == {"prompt_tokens": 700, "completion_tokens": 100}
    assert await left(points) == 2_000 - 10 - 700 - 100


async def test_question_that_costs_more_than_is_left_is_refused(desk: Desk, points: Budget) -> None:
    model = desk.scripted(["never"])
    await points.spend("127.0.0.1", 1_500)

    refused = await desk.ask("x" * 2_400)

    assert (refused.status_code, refused.json()["code"]) == (429, "quota_exceeded")
    assert int(refused.headers["retry-after"]) > 0
    assert model.asked == []
    assert not desk.assistant._callers


async def test_answer_ends_where_the_points_end(desk: Desk, points: Budget) -> None:
    model = desk.scripted(["la la la. " * 100] * 100)

    refused = await desk.ask("sing")

    assert (refused.status_code, refused.json()["code"], refused.json()["retryable"]) == (429, "quota_exceeded", True)
    assert await left(points) < 300
    await until(lambda: model.running == 0)


async def test_twenty_questions_a_minute(desk: Desk, customer: Headers) -> None:
    object.__setattr__(desk.resources, "limiter", MemoryLimiter(StillTime()))
    desk.scripted(["Yes."])
    answers = [await desk.ask("?", customer) for _ in range(21)]

    assert [each.status_code for each in answers] == [200] * 20 + [429]
    assert answers[-1].json()["code"] == "quota_exceeded"
    assert answers[-1].headers["ratelimit-policy"] == '"assistant";q=20;w=60'
