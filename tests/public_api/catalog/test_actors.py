import httpx2

from commerce.audit.log import AuditRepository
from core.resources import Resources
from tests.factories.people import a_user, signed_in
from tests.public_api.catalog.products import PRODUCTS, SMALLEST


async def test_each_write_is_the_doing_of_who_sent_it_on_that_request(
    client: httpx2.AsyncClient, writer: dict[str, str], resources: Resources
) -> None:
    editor = await a_user(resources, "editor")
    headers = await signed_in(resources, editor)

    made = await client.post(PRODUCTS, json=SMALLEST, headers=headers)
    address = f"{PRODUCTS}/{made.json()['id']}"
    changed = await client.patch(address, json={"title": "Other"}, headers=headers)
    gone = await client.delete(address, headers=writer)

    async with resources.database.read() as session:
        entries, _ = await AuditRepository(session).newest(subject=made.json()["id"])
    assert [(entry.action, entry.actor.partition(":")[0], entry.request_id) for entry in entries] == [
        ("product.delete", "api_key", gone.headers["x-request-id"]),
        ("product.update", "user", changed.headers["x-request-id"]),
        ("product.create", "user", made.headers["x-request-id"]),
    ]
    assert entries[1].actor == f"user:{editor.id}"


async def test_refused_writes_leave_no_entry(
    client: httpx2.AsyncClient, writer: dict[str, str], resources: Resources
) -> None:
    made = await client.post(PRODUCTS, json=SMALLEST, headers=writer)
    address = f"{PRODUCTS}/{made.json()['id']}"

    stale = await client.patch(address, json={"title": "Other"}, headers=writer | {"If-Match": 'W/"7"'})
    invalid = await client.patch(address, json={"title": ""}, headers=writer)
    stranger = await client.delete(address)

    assert [answer.status_code for answer in (stale, invalid, stranger)] == [412, 422, 401]
    async with resources.database.read() as session:
        entries, _ = await AuditRepository(session).newest(subject=made.json()["id"])
    assert [entry.action for entry in entries] == ["product.create"]
