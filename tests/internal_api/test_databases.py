"""A day of staff's work over each kind of database."""

from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from core.resources import Resources
from gateway.app import create_app
from tests.factories.people import a_user, signed_in
from tests.fixtures.application import settings_over
from tests.fixtures.probes import read_error

SALE = {
    "title": "Sale",
    "code": "SALE",
    "percent_off": 5,
    "starts_at": "2026-03-01T00:00Z",
    "ends_at": "2026-03-08T00:00Z",
}


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> FastAPI:
    return create_app(settings_over(database_url, tmp_path / "var"))


async def test_lists_are_narrowed_and_changes_are_kept_alike(client: httpx2.AsyncClient, resources: Resources) -> None:
    boss = await a_user(resources, "admin", "boss@example.com")
    ann = await a_user(resources, "customer", "ann_1@example.com")
    await a_user(resources, "customer", "annx1@example.com")
    client.headers.update(await signed_in(resources, boss, "internal"))

    changed = await client.patch(f"/internal/users/{ann.id}", json={"role": "editor", "disabled": True})
    last = await client.patch(f"/internal/users/{boss.id}", json={"role": "editor"})
    made = (await client.post("/internal/promotions", json=SALE)).json()
    again = await client.post("/internal/promotions", json=SALE)
    later = await client.patch(f"/internal/promotions/{made['id']}", json={"ends_at": "2026-04-01T00:00Z"})

    assert (changed.json()["role"], changed.json()["disabled"]) == ("editor", True)
    assert (last.status_code, read_error("internal", last).code) == (409, "last_admin")
    assert (again.status_code, read_error("internal", again).code) == (409, "duplicate_code")
    assert (later.json()["duration"], later.json()["version"]) == ("P31D", 2)
    for query, emails in {
        "q=ANN_1": ["ann_1@example.com"],
        "role=customer": ["annx1@example.com"],
        "disabled=true": ["ann_1@example.com"],
        "disabled=false": ["annx1@example.com", "boss@example.com"],
    }.items():
        found = (await client.get(f"/internal/users?{query}")).json()["items"]
        assert [user["email"] for user in found] == emails, query
    audit = (await client.get(f"/internal/audit?actor=user:{boss.id}")).json()["items"]
    assert [(entry["action"], entry["subject"]) for entry in audit] == [
        ("promotion.update", made["id"]),
        ("promotion.create", made["id"]),
        ("user.disable", ann.id),
        ("user.role", ann.id),
    ]
    assert (audit[0]["before"]["ends_at"], audit[0]["after"]["ends_at"]) == (
        "2026-03-08T00:00:00Z",
        "2026-04-01T00:00:00Z",
    )
    by_action = (await client.get("/internal/audit?action=user.role")).json()["items"]
    assert [(entry["before"], entry["after"]) for entry in by_action] == [({"role": "customer"}, {"role": "editor"})]
