"""What the tests of persisted operations ask for."""

from typing import Any

import httpx2

from core.resources import Resources
from tests.factories import operations
from tests.factories.operations import sha

GRAPHQL = {"Accept": "application/graphql-response+json"}
WEB, IOS = {"X-Client-Name": "web"}, {"X-Client-Name": "ios"}
MENU = "query Menu { categories { name } }"
PLAIN = "query Plain($handle: String!) { product(handle: $handle) { title } }"
STRANGE = "query Strange { __typename }"
CANCEL = 'mutation Cancel { cancelOrder(id: "ord_1") { __typename } }'
UPDATES = 'subscription Updates { productUpdates(after: "nothing") { id } }'


async def registered(resources: Resources, *texts: str, client: str = "web") -> None:
    await operations.register(resources.database, resources.clock, *texts, client=client)


async def allow(resources: Resources, client: str, **options: Any) -> None:
    await operations.allow(resources.database, resources.clock, client, **options)


def apq(text: str, **more: Any) -> dict[str, Any]:
    """As Apollo's clients name an operation."""
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha(text)}}, **more}


async def post(client: httpx2.AsyncClient, body: dict[str, Any], headers: dict[str, str] = WEB) -> tuple[int, Any]:
    """The status for a client that knows the media type, and the data or the code."""
    response = await client.post("/graphql", json=body, headers=GRAPHQL | headers)
    answer = response.json()
    if "errors" in answer:
        (error,) = answer["errors"]
        assert "data" not in answer
        return response.status_code, error["extensions"]["code"]
    return response.status_code, answer["data"]
