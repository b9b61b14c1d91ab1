"""Support chat over REST: rooms, messages, and who sees which."""

from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select

from commerce.support.models import MessageRow, RoomRow
from core.resources import Resources
from tests.factories.people import a_user, signed_in
from tests.fixtures.application import key_with

ROOMS = "/public/v1/support/rooms"
Headers = dict[str, str]


class Shop:
    """Two customers, somebody of the staff, a key of the shop's own, and what they send."""

    def __init__(self, client: httpx2.AsyncClient, resources: Resources) -> None:
        self.client = client
        self.resources = resources

    async def open(self) -> None:
        people = {name: await a_user(self.resources, role) for name, role in ROLES.items()}
        self.ids = {name: user.id for name, user in people.items()}
        self.headers = {name: await signed_in(self.resources, user) for name, user in people.items()}
        self.headers["shop"] = await key_with(self.resources, "support:write")

    async def send(self, who: str, room: str, text: str, to: str | None = None) -> dict[str, Any]:
        body = {"text": text} | ({"to": self.ids[to]} if to is not None else {})
        response = await self.client.post(f"{ROOMS}/{room}/messages", json=body, headers=self.headers[who])
        assert response.status_code == 201, response.text
        message: dict[str, Any] = response.json()
        return message

    async def read(self, who: str, room: str, **query: Any) -> httpx2.Response:
        return await self.client.get(f"{ROOMS}/{room}/messages", params=query, headers=self.headers[who])

    async def texts(self, who: str, room: str) -> list[str]:
        return [message["text"] for message in (await self.read(who, room)).json()["items"]]

    async def rooms(self, who: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await self.client.get(ROOMS, headers=self.headers[who])).json()["items"]
        return items

    async def stored(self) -> tuple[int, int]:
        """Rooms and messages."""
        async with self.resources.database.read() as session:
            rooms = await session.scalar(select(func.count()).select_from(RoomRow))
            return rooms, await session.scalar(select(func.count()).select_from(MessageRow))


ROLES: dict[str, Any] = {"ada": "customer", "bob": "customer", "sue": "support", "sam": "editor"}


@pytest.fixture
async def shop(client: httpx2.AsyncClient, resources: Resources) -> Shop:
    shop = Shop(client, resources)
    await shop.open()
    return shop


async def test_message_is_answered_listed_and_in_the_log_with_the_same_cursor(shop: Shop) -> None:
    sent = await shop.send("ada", "returns-1001", "Where is my order?")

    assert sent == {
        "id": sent["id"],
        "cursor": sent["cursor"],
        "room": "returns-1001",
        "author": {"id": shop.ids["ada"], "name": "Customer", "staff": False},
        "to": None,
        "text": "Where is my order?",
        "created_at": sent["created_at"],
    }
    response = await shop.read("sue", "returns-1001")
    assert response.json() == {"items": [sent], "next": None}
    assert response.headers["cache-control"] == "private, no-store"
    log = await shop.client.get("/public/v1/events?types=support.message", headers=shop.headers["ada"])
    (event,) = log.json()["items"]
    assert (event["id"], event["subject"], event["data"]["id"]) == (sent["cursor"], "returns-1001", sent["id"])
    (room,) = await shop.rooms("shop")
    assert room == {
        "name": "returns-1001",
        "owner_id": shop.ids["ada"],
        "created_at": sent["created_at"],
        "active_at": sent["created_at"],
        "last_message": sent,
    }


async def test_room_of_another_customer_is_not_found_as_one_that_is_not_there(shop: Shop) -> None:
    await shop.send("ada", "r1", "hello")
    before = await shop.stored()

    sent = await shop.client.post(f"{ROOMS}/r1/messages", json={"text": "me"}, headers=shop.headers["bob"])
    read = await shop.read("bob", "r1")
    nowhere = await shop.read("bob", "r2")

    for answer, room in ((sent, "r1"), (read, "r1"), (nowhere, "r2")):
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["detail"]) == (404, "room_not_found", f"no room {room!r}")
    assert await shop.rooms("bob") == []
    assert await shop.stored() == before


async def test_personal_message_is_seen_by_two_on_every_road(shop: Shop) -> None:
    await shop.send("ada", "r1", "hello")
    await shop.send("sam", "r1", "welcome")
    await shop.send("sue", "r1", "for ada", to="ada")
    await shop.send("ada", "r1", "for sue", to="sue")

    seen = {who: await shop.texts(who, "r1") for who in ("ada", "sue", "sam", "shop")}
    both = ["hello", "welcome", "for ada", "for sue"]
    assert seen == {"ada": both, "sue": both, "sam": ["hello", "welcome"], "shop": ["hello", "welcome"]}
    for who, last in (("ada", "for sue"), ("sam", "welcome"), ("shop", "welcome")):
        (room,) = await shop.rooms(who)
        assert room["last_message"]["text"] == last
    shop.headers["log"] = await key_with(shop.resources, "events:read", "support:write")
    for who, expected in (("ada", both), ("sue", both), ("sam", both[:2]), ("log", both[:2]), ("bob", [])):
        log = await shop.client.get("/public/v1/events?types=support.message", headers=shop.headers[who])
        assert [event["data"]["text"] for event in log.json()["items"]] == expected


async def test_personal_message_to_somebody_who_never_was_there_is_refused(shop: Shop) -> None:
    await shop.send("ada", "r1", "hello")
    before = await shop.stored()

    answer = await shop.client.post(
        f"{ROOMS}/r1/messages", json={"text": "psst", "to": shop.ids["bob"]}, headers=shop.headers["sue"]
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_recipient")
    assert answer.json()["errors"][0]["pointer"] == "/to"
    assert await shop.stored() == before


async def test_key_makes_a_message_once(shop: Shop) -> None:
    headers = shop.headers["ada"] | {"Idempotency-Key": "my-first"}
    answers = [
        await shop.client.post(f"{ROOMS}/r1/messages", json={"text": "hello"}, headers=headers) for _ in range(2)
    ]

    other = await shop.client.post(f"{ROOMS}/r1/messages", json={"text": "another"}, headers=headers)

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    assert answers[1].headers["idempotency-replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert await shop.texts("sue", "r1") == ["hello"]


async def test_refusal_under_a_key_is_the_same_again(shop: Shop) -> None:
    await shop.send("ada", "r1", "hello")
    headers = shop.headers["bob"] | {"Idempotency-Key": "mine"}

    answers = [await shop.client.post(f"{ROOMS}/r1/messages", json={"text": "x"}, headers=headers) for _ in range(2)]

    assert [answer.json()["code"] for answer in answers] == ["room_not_found"] * 2
    assert await shop.texts("ada", "r1") == ["hello"]


@pytest.mark.parametrize(
    ("room", "body", "code", "pointer"),
    [
        ("r1", {"text": ""}, "invalid_message", "/text"),
        ("r1", {"text": "  "}, "invalid_message", "/text"),
        ("r1", {"text": "a\0b"}, "invalid_message", "/text"),
        ("r1", {"text": "x" * 4001}, "invalid_message", "/text"),
        ("r1", {}, "invalid_request", "/text"),
        ("r1", {"text": "x", "room": "r2"}, "invalid_request", "/room"),
        ("r1", {"text": "x", "to": "usr_\0"}, "unknown_recipient", "/to"),
        ("-r1", {"text": "x"}, "invalid_room_name", "/path/room"),
        ("x" * 65, {"text": "x"}, "invalid_room_name", "/path/room"),
        ("a%00", {"text": "x"}, "invalid_room_name", "/path/room"),
    ],
)
async def test_what_cannot_be_said_is_refused_with_its_place(
    shop: Shop, room: str, body: dict[str, Any], code: str, pointer: str
) -> None:
    answer = await shop.client.post(f"{ROOMS}/{room}/messages", json=body, headers=shop.headers["ada"])

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert await shop.stored() == (0, 0)


async def test_history_and_rooms_are_read_page_by_page(shop: Shop) -> None:
    sent = [await shop.send("ada", f"r{n % 2}", f"{n}") for n in range(5)]

    first = (await shop.read("sue", "r0", limit=2)).json()
    second = (await shop.read("sue", "r0", limit=2, after=first["next"])).json()
    rooms = (await shop.client.get(ROOMS, params={"limit": 1}, headers=shop.headers["ada"])).json()
    others = (
        await shop.client.get(ROOMS, params={"limit": 1, "after": rooms["next"]}, headers=shop.headers["ada"])
    ).json()

    assert [first["items"], second["items"]] == [[sent[0], sent[2]], [sent[4]]]
    assert (first["next"], second["next"]) == (sent[2]["cursor"], None)
    assert [each["name"] for each in (*rooms["items"], *others["items"])] == ["r0", "r1"]
    assert others["next"] is None


@pytest.mark.parametrize("query", ["after=nothing", "limit=0", "limit=101", "before=1"])
async def test_queries_that_are_none_are_refused(shop: Shop, query: str) -> None:
    await shop.send("ada", "r1", "hello")

    for path in (ROOMS, f"{ROOMS}/r1/messages"):
        assert (await shop.client.get(f"{path}?{query}", headers=shop.headers["ada"])).status_code == 422


async def test_keys_of_customers_and_keys_without_the_scope_do_not_chat(shop: Shop) -> None:
    made = await shop.client.post(
        "/public/v1/api-keys", json={"name": "k", "scopes": ["events:read"]}, headers=shop.headers["ada"]
    )
    keys = [{"Authorization": f"Bearer {made.json()['secret']}"}, await key_with(shop.resources, "orders:read")]

    for headers in keys:
        for answer in (
            await shop.client.get(ROOMS, headers=headers),
            await shop.client.get(f"{ROOMS}/r1/messages", headers=headers),
            await shop.client.post(f"{ROOMS}/r1/messages", json={"text": "x"}, headers=headers),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
    assert await shop.stored() == (0, 0)
