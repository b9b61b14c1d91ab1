"""What operators see of models, and which version answers."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest

from commerce.accounts.principal import Role
from commerce.audit.log import AuditRepository
from commerce.recommendations.serving import RECOMMENDATIONS
from core.ids import new_id
from core.resources import Resources
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.models import published
from tests.factories.people import staff
from tests.fixtures.probes import read_error

MODELS = "/internal/models"
Headers = dict[str, str]


@pytest.fixture
async def product(resources: Resources) -> dict[str, Any]:
    made = await Catalogue(resources.database, FakeClock()).create(handle="lamp")
    return {"id": made.head.id}


async def look(resources: Resources) -> None:
    """As each process does every few seconds."""
    resources.models.serving(RECOMMENDATIONS)
    await resources.models.look()


async def shown(client: httpx2.AsyncClient, operator: Headers, name: str = "recommendations") -> dict[str, Any]:
    answer = await client.get(MODELS, headers=operator)
    assert answer.status_code == 200, answer.text
    found: dict[str, dict[str, Any]] = {each["name"]: each for each in answer.json()["items"]}
    return found[name]


async def use(client: httpx2.AsyncClient, operator: Headers, role: str, version: str) -> httpx2.Response:
    body = {"version": version, "reason": "the other one recommends umbrellas"}
    return await client.put(f"{MODELS}/recommendations/{role}", json=body, headers=operator)


async def roles(client: httpx2.AsyncClient, operator: Headers) -> dict[str, str]:
    return {each["version"]: each["role"] for each in (await shown(client, operator))["versions"]}


async def test_versions_are_listed_with_what_is_known_of_them(
    client: httpx2.AsyncClient, operator: Headers, resources: Resources
) -> None:
    now = resources.clock.now()
    old = await published(resources, now - timedelta(days=1))
    new = await published(resources, now)
    await look(resources)

    found = await shown(client, operator)

    assert found["loaded"] == new.version
    assert [(each["version"], each["role"]) for each in found["versions"]] == [
        (new.version, "current"),
        (old.version, "kept"),
    ]
    first = found["versions"][0]
    assert (first["content_hash"], first["size"]) == (new.content_hash, new.size)
    assert (first["format"], first["metrics"]) == ("safetensors", {"products": 2})


async def test_answers_fallbacks_and_times_are_counted(
    client: httpx2.AsyncClient, operator: Headers, resources: Resources, product: dict[str, Any]
) -> None:
    await published(resources, resources.clock.now())
    await look(resources)
    await client.get(f"/public/v1/products/{product['id']}/recommendations")
    before = await shown(client, operator)

    for _ in range(3):
        await client.get(f"/public/v1/products/{product['id']}/recommendations")
    after = await shown(client, operator)

    assert after["answers"] - before["answers"] == 3
    assert after["fallbacks"]["cold_product"] - before["fallbacks"]["cold_product"] == 3
    assert 0 < after["fallback_rate"] <= 1
    assert 0 < after["p50_ms"] <= after["p95_ms"]


async def test_answers_of_the_assistant_and_of_search_count_too(client: httpx2.AsyncClient, operator: Headers) -> None:
    asking = {"messages": [{"role": "user", "content": "a warm jacket"}], "stream": False}

    await client.post("/public/v1/assistant/chat", json=asking)
    before = await shown(client, operator, "builtin")
    assert (await client.post("/public/v1/assistant/chat", json=asking)).json()["model"] == "builtin"
    searched = (await client.get("/public/v1/search/semantic?q=warm")).json()
    after = await shown(client, operator, "builtin")

    assert after["answers"] - before["answers"] == 1
    assert after["p95_ms"] > 0
    assert (await shown(client, operator, searched["model"]))["answers"] > 0


async def test_feedback_is_told_by_version(client: httpx2.AsyncClient, operator: Headers) -> None:
    for kind in ("shown", "helpful"):
        for version in ("7", "7", "8"):
            body = {"answer_id": new_id("ans"), "model": "words", "version": version, "kind": kind}
            assert (await client.post("/public/v1/feedback", json=body)).status_code == 201

    found = await shown(client, operator, "words")

    assert found["feedback"] == {"7": {"helpful": 2, "shown": 2}, "8": {"helpful": 1, "shown": 1}}
    assert (found["versions"], found["loaded"], found["answers"]) == ([], None, 0)


async def test_earlier_version_answers_again_when_it_is_chosen(
    client: httpx2.AsyncClient, operator: Headers, resources: Resources
) -> None:
    now = resources.clock.now()
    old, new = [await published(resources, now - timedelta(days=days)) for days in (1, 0)]

    answer = await use(client, operator, "current", old.version)
    await look(resources)

    assert answer.status_code == 204
    assert await roles(client, operator) == {new.version: "kept", old.version: "current"}
    assert (await shown(client, operator))["loaded"] == old.version
    async with resources.database.read() as session:
        (entry, *_), _ = await AuditRepository(session).newest()
    assert (entry.action, entry.subject) == ("model.use", "recommendations")
    assert entry.before == {"current": new.version}
    assert entry.after == {"current": old.version, "reason": "the other one recommends umbrellas"}


async def test_shadow_is_given_and_ended(client: httpx2.AsyncClient, operator: Headers, resources: Resources) -> None:
    now = resources.clock.now()
    old, new = [await published(resources, now - timedelta(days=days)) for days in (1, 0)]

    given = await use(client, operator, "shadow", old.version)
    during = await roles(client, operator)
    ended = await client.delete(f"{MODELS}/recommendations/shadow?reason=over", headers=operator)
    again = await client.delete(f"{MODELS}/recommendations/shadow?reason=over", headers=operator)

    assert (given.status_code, ended.status_code, again.status_code) == (204, 204, 404)
    assert during == {new.version: "current", old.version: "shadow"}
    assert await roles(client, operator) == {new.version: "current", old.version: "kept"}


async def test_version_that_is_not_there_or_answers_already_changes_nothing(
    client: httpx2.AsyncClient, operator: Headers, resources: Resources
) -> None:
    current = await published(resources, resources.clock.now())

    unknown = await use(client, operator, "current", "nowhere")
    own = await use(client, operator, "shadow", current.version)
    nothing = await client.put(f"{MODELS}/recommendations/current", json={"version": ""}, headers=operator)

    assert (unknown.status_code, read_error("internal", unknown).code) == (404, "model_version_not_found")
    assert (own.status_code, read_error("internal", own).code) == (409, "model_in_use")
    assert nothing.status_code == 422
    assert await roles(client, operator) == {current.version: "current"}


@pytest.mark.parametrize("role", ["support", "editor"])
async def test_only_admins_choose(
    client: httpx2.AsyncClient, operator: Headers, resources: Resources, role: Role
) -> None:
    current = await published(resources, resources.clock.now())
    headers = await staff(resources, role)

    refused = await use(client, headers, "current", current.version)
    ended = await client.delete(f"{MODELS}/recommendations/shadow?reason=over", headers=headers)

    assert (refused.status_code, ended.status_code) == (403, 403)
    assert (await client.get(MODELS, headers=headers)).status_code == 200
    assert await roles(client, operator) == {current.version: "current"}
