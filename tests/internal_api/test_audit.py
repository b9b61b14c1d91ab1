"""The audit log as staff read it: newest first, page by page, narrowed."""

import httpx2
import pytest

from commerce.audit.log import AuditLog
from core.resources import Resources
from tests.factories.clocks import NOON, FakeClock
from tests.fixtures.probes import read_error

AUDIT = "/internal/audit"


@pytest.fixture
async def client(client: httpx2.AsyncClient, support: dict[str, str]) -> httpx2.AsyncClient:
    client.headers.update(support)
    return client


@pytest.fixture
async def entries(resources: Resources, client: httpx2.AsyncClient) -> None:  # noqa: ARG001  signed in before
    async with resources.database.write() as session:
        for actor, action, subject in [
            ("user:usr_a", "order.place", "ord_1"),
            ("user:usr_b", "order.pay", "ord_1"),
            ("user:usr_a", "order.place", "ord_2"),
            ("cli", "order.pay", "ord_2"),
        ]:
            log = AuditLog(session, FakeClock(), actor)
            await log.record(action, subject, {"state": "a", "same": 1}, {"state": "b", "same": 1})


def told(response: httpx2.Response) -> list[tuple[str, str, str]]:
    return [(entry["actor"], entry["action"], entry["subject"]) for entry in response.json()["items"]]


@pytest.mark.usefixtures("entries")
async def test_entry_says_who_did_what_when_on_which_request(client: httpx2.AsyncClient) -> None:
    response = await client.get(AUDIT, params={"limit": 1})

    (entry,) = response.json()["items"]
    assert entry == {
        "position": response.json()["next"],
        "at": NOON.isoformat().replace("+00:00", "Z"),
        "actor": "cli",
        "request_id": "-",
        "action": "order.pay",
        "subject": "ord_2",
        "before": {"state": "a"},
        "after": {"state": "b"},
    }


@pytest.mark.usefixtures("entries")
async def test_pages_go_back_from_the_newest_to_the_first(client: httpx2.AsyncClient) -> None:
    positions, before = [], None
    while True:
        page = (await client.get(AUDIT, params={"limit": 2} | ({"before": before} if before else {}))).json()
        positions += [entry["position"] for entry in page["items"]]
        before = page["next"]
        if before is None:
            break

    assert positions == [5, 4, 3, 2, 1]  # the first is the making of the account that reads


@pytest.mark.usefixtures("entries")
@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (
            {"actor": "user:usr_a"},
            [("user:usr_a", "order.place", "ord_2"), ("user:usr_a", "order.place", "ord_1")],
        ),
        ({"subject": "ord_1"}, [("user:usr_b", "order.pay", "ord_1"), ("user:usr_a", "order.place", "ord_1")]),
        ({"action": "order.pay"}, [("cli", "order.pay", "ord_2"), ("user:usr_b", "order.pay", "ord_1")]),
        ({"action": "order.pay", "actor": "cli"}, [("cli", "order.pay", "ord_2")]),
        ({"subject": "ord_3"}, []),
    ],
)
async def test_list_is_narrowed(
    client: httpx2.AsyncClient, filters: dict[str, str], found: list[tuple[str, str, str]]
) -> None:
    response = await client.get(AUDIT, params=filters)

    assert told(response) == found
    assert response.json()["next"] is None


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "before=0", "before=x", f"before={2**63}", "actor=%00", "x=1"]
)
async def test_list_that_cannot_be_is_refused(client: httpx2.AsyncClient, query: str) -> None:
    response = await client.get(f"{AUDIT}?{query}")

    assert response.status_code == 422
    assert read_error("internal", response).code == "invalid_request"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_nobody_writes_to_it(client: httpx2.AsyncClient, operator: dict[str, str], method: str) -> None:
    response = await client.request(method, AUDIT, headers=operator)

    assert (response.status_code, response.headers["allow"]) == (405, "GET")
