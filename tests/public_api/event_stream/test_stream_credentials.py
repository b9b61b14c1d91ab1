"""Streams end with the credential that opened them, and begin with tickets where no header can be sent."""

from datetime import datetime, timedelta

import pytest

from commerce.accounts.authentication import principal_for
from commerce.accounts.service import AccountService
from commerce.accounts.sign_in import SignIn
from commerce.accounts.tickets import WEBSOCKET_LIFETIME
from commerce.accounts.tokens import AccessTokens
from core.eventlog import event_id
from public_api.events.stream import PLACES
from tests.factories.people import a_user, signed_in
from tests.public_api.event_stream.streaming import TICKETS, Shop, subjects

pytestmark = pytest.mark.usefixtures("log_entries")  # no log on stderr


async def test_stream_ends_when_its_sign_in_ends(shop: Shop) -> None:
    headers = await signed_in(shop.resources, await a_user(shop.resources))
    async with shop.follow(headers=headers) as source, shop.follow() as other:
        await source.comment()
        await other.comment()

        assert (await shop.client.post("/public/v1/auth/logout", headers=headers)).status_code == 204

        (error,) = await source.rest()
        await shop.happens("a")
        assert subjects(await other.take(1)) == ["a"]
    assert (error.type, error.data["code"], error.data["status"]) == ("error", "credential_revoked", 401)
    assert await shop.ask(headers=headers) == (401, "unauthenticated", "")


async def test_stream_ends_when_its_reader_may_see_something_else(shop: Shop) -> None:
    user = await a_user(shop.resources, "support")
    async with shop.follow(headers=await signed_in(shop.resources, user)) as source:
        await source.comment()
        async with shop.resources.database.write() as session:
            await AccountService(session, shop.resources.clock, actor="test").set_role(user.id, "customer")

        assert [event.data["code"] for event in await source.rest()] == ["credential_revoked"]


async def test_stream_ends_when_its_token_expires(shop: Shop) -> None:
    resources, user = shop.resources, await a_user(shop.resources)
    async with resources.database.write() as session:
        tokens = await SignIn(resources)._open(session, user, "public")
    sign_in = (await principal_for(tokens.access_token, resources, "public")).sign_in_id
    short = AccessTokens(resources.keyring).issue(
        user.id, str(sign_in), "public", resources.clock.now(), timedelta(seconds=3)
    )

    async with shop.follow(headers={"Authorization": f"Bearer {short}"}) as source:
        assert [(event.type, event.data["code"]) for event in await source.rest()] == [("error", "token_expired")]


async def test_ticket_opens_the_stream_again_and_again_and_one_at_a_time(shop: Shop) -> None:
    await shop.happens("a")
    ticket = await shop.ticket(shop.reader, **{"for": "events"})

    async with shop.follow(f"?ticket={ticket}", {}) as first:
        await first.comment()
        async with shop.follow(f"?ticket={ticket}&after={event_id(0)}", {}) as second:
            assert subjects(await second.take(1)) == ["a"]

            assert [(event.type, event.data["code"]) for event in await first.rest()] == [
                ("error", "credential_revoked")
            ]
            await shop.happens("b")
            assert subjects(await second.take(1)) == ["b"]


async def test_ticket_says_what_it_is_for_and_until_when(shop: Shop) -> None:
    default = await shop.client.post(TICKETS, headers=shop.reader)
    events = await shop.client.post(TICKETS, headers=shop.reader, json={"for": "events"})
    wrong = await shop.client.post(TICKETS, headers=shop.reader, json={"for": "everything"})

    assert default.headers["cache-control"] == events.headers["cache-control"] == "no-store"
    assert set(default.json()) == {"ticket", "for", "expires_at"}
    assert (default.json()["for"], events.json()["for"]) == ("websocket", "events")
    lasts = datetime.fromisoformat(default.json()["expires_at"]) - shop.resources.clock.now()
    assert timedelta() < lasts <= WEBSOCKET_LIFETIME
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/for")
    assert (await shop.client.post(TICKETS)).status_code == 401


async def test_what_is_no_ticket_for_events_opens_no_stream(shop: Shop) -> None:
    headers = await signed_in(shop.resources, await a_user(shop.resources))
    other = await shop.ticket(headers)
    ended = await shop.ticket(headers, **{"for": "events"})
    await shop.client.post("/public/v1/auth/logout", headers=headers)

    for ticket in (f"tkt_{'A' * 43}", "", other, ended):
        assert await shop.ask(f"?ticket={ticket}", {}) == (401, "invalid_ticket", "")
    assert not PLACES._taken
