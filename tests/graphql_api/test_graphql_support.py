"""Writing in a support room over GraphQL is doing so over REST: same keys, same refusals with the same codes."""

from typing import Any

import httpx2
import pytest

from commerce.support.models import MessageRow, RoomRow
from core.resources import Resources
from tests.factories.people import a_user, signed_in
from tests.fixtures.application import key_with
from tests.graphql_api.asking import Ask, as_graphql, error_of
from tests.graphql_api.ordering import FAULT, count

ROOM = "/public/v1/support/rooms/help-1/messages"
SEND = (
    """mutation($room: String!, $text: String!, $to: ID, $key: String) {
      sendSupportMessage(room: $room, text: $text, to: $to, idempotencyKey: $key) {
        __typename ... on SupportMessage { id cursor room author { id name staff } to text createdAt } ...Fault
      }
    }"""
    + FAULT
)
HELLO = {"room": "help-1", "text": "Hello"}


async def said(resources: Resources) -> list[int]:
    return [await count(resources.database, table) for table in (RoomRow, MessageRow)]


async def test_message_is_the_one_that_rest_reads(
    ask: Ask, client: httpx2.AsyncClient, customer: dict[str, str]
) -> None:
    message = (await ask(SEND, HELLO, **customer))["data"]["sendSupportMessage"]

    (rest,) = (await client.get(ROOM, headers=customer)).json()["items"]
    assert message == {"__typename": "SupportMessage"} | as_graphql(rest)
    assert (message["text"], message["author"]["staff"], message["to"]) == ("Hello", False, None)


@pytest.mark.parametrize("first", ["rest", "graphql"])
async def test_key_gives_the_same_message_at_the_other_door(
    ask: Ask, client: httpx2.AsyncClient, customer: dict[str, str], resources: Resources, first: str
) -> None:
    async def by_rest() -> tuple[Any, bool]:
        response = await client.post(ROOM, json={"text": "Hello"}, headers=customer | {"Idempotency-Key": "k"})
        return as_graphql(response.json()), "idempotency-replayed" in response.headers

    async def by_graphql() -> tuple[Any, bool]:
        body = await ask(SEND, HELLO | {"key": "k"}, **customer)
        assert body["data"]["sendSupportMessage"].pop("__typename") == "SupportMessage"
        return body["data"]["sendSupportMessage"], "extensions" in body

    doors = [by_rest, by_graphql] if first == "rest" else [by_graphql, by_rest]
    (sent, fresh), (again, replayed) = [await door() for door in doors]

    assert (sent, fresh, replayed) == (again, False, True)
    assert await said(resources) == [1, 1]


async def test_personal_message_is_for_somebody_of_the_room(
    ask: Ask, client: httpx2.AsyncClient, resources: Resources
) -> None:
    ada = await a_user(resources)
    theirs, support = await signed_in(resources, ada), await signed_in(resources, await a_user(resources, "support"))
    await ask(SEND, HELLO, **theirs)

    sent = (await ask(SEND, HELLO | {"to": ada.id}, **support))["data"]["sendSupportMessage"]
    rest = await client.post(ROOM, json={"text": "Hello", "to": "usr_nobody"}, headers=support)
    refusal = (await ask(SEND, HELLO | {"to": "usr_nobody"}, **support))["data"]["sendSupportMessage"]

    assert (sent["__typename"], sent["to"]) == ("SupportMessage", ada.id)
    assert (rest.json()["code"], refusal["code"], refusal["__typename"]) == (
        "unknown_recipient",
        "unknown_recipient",
        "UnknownRecipient",
    )
    assert [fault["pointer"] for fault in refusal["errors"]] == ["/to"]
    assert await said(resources) == [1, 2]


@pytest.mark.parametrize(
    ("changes", "code", "pointers"),
    [
        ({"text": " "}, "invalid_message", ["/text"]),
        ({"text": "a" * 4001}, "invalid_message", ["/text"]),
        ({"room": "-"}, "invalid_room_name", ["/room"]),
        ({"room": "theirs"}, "room_not_found", []),
        ({"key": "a b"}, "invalid_idempotency_key", []),
        ({"key": "used"}, "idempotency_key_reused", ["/idempotencyKey"]),
    ],
)
async def test_message_is_refused_with_the_code_of_rest(
    ask: Ask,
    client: httpx2.AsyncClient,
    customer: dict[str, str],
    stranger: dict[str, str],
    resources: Resources,
    changes: dict[str, str],
    code: str,
    pointers: list[str],
) -> None:
    await ask(SEND, {"room": "theirs", "text": "Mine"}, **stranger)
    await ask(SEND, HELLO | {"text": "Before", "key": "used"}, **customer)
    before = await said(resources)
    given = HELLO | changes
    headers = customer | ({"Idempotency-Key": given["key"]} if "key" in given else {})

    rest = await client.post(
        f"/public/v1/support/rooms/{given['room']}/messages", json={"text": given["text"]}, headers=headers
    )
    refusal = (await ask(SEND, given, **customer))["data"]["sendSupportMessage"]

    assert (rest.json()["code"], refusal["code"], refusal["__typename"]) == (code, code, "Refused")
    assert [fault["pointer"] for fault in refusal["errors"]] == pointers
    assert await said(resources) == before


async def test_who_may_not_chat_is_refused_with_the_code_of_rest(
    ask: Ask, client: httpx2.AsyncClient, resources: Resources
) -> None:
    for headers, code in (({}, "unauthenticated"), (await key_with(resources, "orders:read"), "missing_scope")):
        rest = await client.post(ROOM, json={"text": "Hello"}, headers=headers)
        body = await ask(SEND, HELLO, **headers)
        assert rest.json()["code"] == error_of(body)["extensions"]["code"] == code
        assert body["data"] == {"sendSupportMessage": None}

    assert await said(resources) == [0, 0]
