"""How often one may look for credentials, whatever comes of it."""

import httpx2
import pytest
from httpx2.websockets import WebSocketUpgradeError

from commerce.accounts.key_secrets import new_key_secret
from commerce.limits.entities import Terms
from commerce.limits.service import LimitService
from commerce.limits.subjects import subject_named
from core.resources import Resources
from tests.factories.statements import recorded
from tests.fixtures.application import key_with
from tests.fixtures.asgi import Served, client_of
from tests.gateway.quota.asking import POINTS, PRODUCTS, ask, items_of, left, told
from tests.graphql_api.subscribing import connected


async def test_credential_is_not_looked_for_again_and_again(client: httpx2.AsyncClient, resources: Resources) -> None:
    """What is refused for want of points was looked for too: twice as many looks as points, and no more."""
    storming, calm = await key_with(resources, "catalog:read"), await key_with(resources, "catalog:read")
    statuses = [(await client.get(PRODUCTS, headers=storming)).status_code for _ in range(2 * POINTS)]

    with recorded(resources.database.reader) as sent:
        refused = await client.get(PRODUCTS, headers=storming)
        over_graphql = await ask(client, "{ __typename }", storming)
    other = await client.get(PRODUCTS, headers=calm)

    assert statuses == [200] * POINTS + [429] * POINTS
    for answer in (refused, over_graphql):
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "61")
        assert items_of(answer.headers["ratelimit-policy"]) == [("credentials", {"q": 200, "w": 60})]
        assert items_of(answer.headers["ratelimit"]) == [("credentials", {"r": 0, "t": 61})]
    detail = "these credentials may be shown 200 times in 60 seconds, whatever comes of it"
    assert refused.json()["detail"] == over_graphql.json()["errors"][0]["message"] == detail
    assert sent == []
    assert (other.status_code, told(other)) == (200, ('"points";q=100;w=60', '"points";r=99;t=60'))


async def test_network_may_not_look_for_ever_new_credentials(served: Served, resources: Resources) -> None:
    """The whole /64. Of both limits that a look counts on, the one that has room is not spent by what is refused."""
    good = await key_with(resources, "catalog:read")
    ids = [f"{number:012}" for number in range(4 * POINTS + 1)]
    async with client_of(served, client=("2001:db8::1", 1)) as client:
        statuses = [
            (await client.get(PRODUCTS, headers={"Authorization": f"Bearer {new_key_secret(each)}"})).status_code
            for each in ids[:-1]
        ]
    async with client_of(served, client=("2001:db8::2", 1)) as neighbour:
        with recorded(resources.database.reader) as sent:
            refused = await neighbour.get(PRODUCTS, headers=good)
        anonymous = await neighbour.get(PRODUCTS)
    async with client_of(served, client=("2001:db8:0:1::1", 1)) as stranger:
        looks = [(await stranger.get(PRODUCTS, headers=good)).status_code for _ in range(2 * POINTS)]
        over = await stranger.get(PRODUCTS, headers=good)

    assert statuses == [401] * POINTS + [429] * 3 * POINTS
    assert (refused.status_code, sent) == (429, [])
    detail = "credentials from this network may be shown 400 times in 60 seconds, whatever comes of it"
    assert refused.json()["detail"] == detail
    assert items_of(refused.headers["ratelimit-policy"]) == [("credentials:address", {"q": 400, "w": 60})]
    assert anonymous.status_code == 429  # its points went for the bad credentials
    assert looks == [200] * POINTS + [429] * POINTS
    assert items_of(over.headers["ratelimit-policy"]) == [("credentials", {"q": 200, "w": 60})]


async def test_refusal_tells_how_often_the_caller_with_a_limit_of_its_own_may_look(
    served: Served, client: httpx2.AsyncClient, resources: Resources
) -> None:
    key = await key_with(resources, "catalog:read")
    key_id = key["Authorization"].split("_")[1]
    async with resources.database.write() as session:
        limits = LimitService(session, resources.clock, actor="user:ada")
        await limits.set(subject_named(f"api_key:{key_id}"), Terms(None, 6, "it asks too often", None))
    await served.state["limits"].look()
    for _ in range(12):
        await client.get(PRODUCTS, headers=key)

    refused = await client.get(PRODUCTS, headers=key)

    assert refused.json()["detail"] == "these credentials may be shown 12 times in 60 seconds, whatever comes of it"


async def test_who_forges_a_key_takes_nothing_from_whose_it_is(served: Served, resources: Resources) -> None:
    good = await key_with(resources, "catalog:read")
    key_id = good["Authorization"].split("_")[1]
    async with client_of(served, client=("10.0.0.1", 1)) as forger:
        statuses = {
            (await forger.get(PRODUCTS, headers={"Authorization": f"Bearer {new_key_secret(key_id)}"})).status_code
            for _ in range(3 * POINTS)
        }
    async with client_of(served, client=("10.0.0.2", 1)) as owner:
        answer = await owner.get(PRODUCTS, headers=good)

    assert statuses == {401, 429}
    assert (answer.status_code, left(answer)) == (200, 99)


@pytest.mark.parametrize("path", ["/public/v1/ws", "/graphql"])
async def test_websocket_is_denied_before_its_credential_is_looked_for(
    client: httpx2.AsyncClient, resources: Resources, path: str
) -> None:
    key = await key_with(resources, "events:read")
    for _ in range(2 * POINTS):
        await client.get(PRODUCTS, headers=key)

    with recorded(resources.database.reader) as sent, pytest.raises(WebSocketUpgradeError) as refused:
        async with connected(client, path, headers=key):
            pass

    assert (refused.value.response.status_code, sent) == (429, [])
    assert items_of(refused.value.response.headers["ratelimit-policy"]) == [("credentials", {"q": 200, "w": 60})]


async def test_ticket_is_not_looked_for_again_and_again(client: httpx2.AsyncClient, resources: Resources) -> None:
    ticket = f"tkt_{'x' * 43}"
    statuses = [(await client.get(f"/public/v1/events/stream?ticket={ticket}")).status_code for _ in range(2 * POINTS)]

    with recorded(resources.database.reader) as sent:
        refused = await client.get(f"/public/v1/events/stream?ticket={ticket}")

    assert statuses == [401] * POINTS + [429] * POINTS
    assert (refused.status_code, sent) == (429, [])
