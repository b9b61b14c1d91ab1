"""What peers send is paid for from their budget; what they are sent is not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from core.budget import Budget, Own, points_limit
from core.ratelimit.memory import MemoryLimiter
from core.resources import Resources
from tests.factories.people import a_user, signed_in
from tests.fixtures.listening import Listening
from tests.fixtures.sockets import happen, product
from tests.public_api.realtime.conftest import Connect

Points = Callable[[int], Budget]
ROOM = "/public/v1/support/rooms/help/ws"


@pytest.fixture
def points(listening: Listening) -> Points:
    """Everybody has so many, of a time that stands still."""

    def give(amount: int) -> Budget:
        budget = Budget(MemoryLimiter(lambda: 29_000_000 * 60.0), amount)
        listening.state["resources"] = replace(listening.state["resources"], budget=budget)
        return budget

    return give


async def said(peer: Any, count: int) -> list[str]:
    """What so many echoes were answered with."""
    answers = [await peer.ask("echo", data=number) for number in range(count)]
    return [answer.get("code", answer["type"]) for answer in answers]


async def test_message_that_cannot_be_paid_is_told_and_not_carried_out(
    connect: Connect, points: Points, resources: Resources
) -> None:
    headers = await signed_in(resources, await a_user(resources))
    points(4)

    async with connect(headers) as peer:  # one point to open it
        answers = await said(peer, 4)
        refused = await peer.ask("subscribe", channel="catalog")

    assert answers == ["echo", "echo", "echo", "quota_exceeded"]
    assert refused == {
        "type": "error",
        "code": "quota_exceeded",
        "message": "this costs 1 of the 4 points that you have in 60 seconds, and 0 are left",
        "channel": "catalog",
    }


async def test_who_goes_on_all_the_same_is_closed(connect: Connect, points: Points, resources: Resources) -> None:
    headers = await signed_in(resources, await a_user(resources))
    points(1)

    async with connect(headers) as peer:
        answers = await said(peer, 11)

        assert answers == ["quota_exceeded"] * 11
        assert await peer.closed() == (4429, "too_fast")


async def test_who_is_refused_now_and_then_stays(connect: Connect, points: Points, resources: Resources) -> None:
    """And a limit that an operator gives holds for a socket that is open."""
    user = await a_user(resources)
    headers = await signed_in(resources, user)
    budget = points(1)

    async with connect(headers) as peer:
        refused = await said(peer, 10)
        budget.own = {f"user:{user.id}": Own(points_limit(2))}
        paid = await said(peer, 1)
        again = await said(peer, 10)

        assert (refused, paid, again) == (["quota_exceeded"] * 10, ["echo"], ["quota_exceeded"] * 10)
        budget.own = {f"user:{user.id}": Own(points_limit(3))}
        await peer.quiet()


async def test_rest_and_sockets_spend_from_one_budget(connect: Connect, points: Points, resources: Resources) -> None:
    user = await a_user(resources)
    headers = await signed_in(resources, user)
    budget = points(100)

    async with connect(headers) as peer:
        await said(peer, 2)

        assert (await budget.look(f"user:{user.id}")).remaining == 97


async def test_chat_message_costs_what_a_write_costs(connect: Connect, points: Points, resources: Resources) -> None:
    user = await a_user(resources)
    headers = await signed_in(resources, user)
    budget = points(100)

    async with connect(headers, ROOM) as peer:
        await peer.say("send", text="hello")
        heard = await peer.hear()
        while heard["type"] != "message":
            heard = await peer.hear()

        assert heard["text"] == "hello"
        assert (await budget.look(f"user:{user.id}")).remaining == 89


async def test_events_and_pongs_cost_nothing(connect: Connect, points: Points, resources: Resources) -> None:
    user = await a_user(resources)
    headers = await signed_in(resources, user)
    budget = points(100)

    async with connect(headers) as peer:
        await peer.follow("catalog")
        await happen(resources, product("prod_1"), product("prod_2"))
        await peer.subjects(2)
        await peer.say("pong")
        await peer.quiet()

        assert (await budget.look(f"user:{user.id}")).remaining == 97
