"""Tickets stand for who asked for them, for one thing, and not for long."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from commerce.accounts.api_keys import ApiKeyService, NewKey
from commerce.accounts.authentication import principal_for
from commerce.accounts.commands import CreateKey, RotateKey
from commerce.accounts.errors import InvalidTicket
from commerce.accounts.models import TicketRow
from commerce.accounts.principal import Principal
from commerce.accounts.service import AccountService
from commerce.accounts.sign_in import SignIn
from commerce.accounts.tickets import NewTicket, Use, forget_expired, issue_ticket, principal_of_ticket
from core.resources import Resources
from tests.factories.clocks import NOON, FakeClock
from tests.factories.people import a_user, signed_in


async def of_user(resources: Resources) -> Principal:
    headers = await signed_in(resources, await a_user(resources))
    return await principal_for(headers["Authorization"].removeprefix("Bearer "), resources, "public")


async def new_key(resources: Resources, owner: Principal | None = None) -> NewKey:
    async with resources.database.write() as session:
        service = ApiKeyService(session, resources.clock, actor="test")
        return await service.create(CreateKey("test", ("events:read",)), owner=owner)


async def ticket_of(resources: Resources, principal: Principal, use: Use = "websocket") -> NewTicket:
    async with resources.database.write() as session:
        return await issue_ticket(session, resources.clock, principal, use)


async def opens(resources: Resources, ticket: str, use: Use = "websocket") -> bool:
    try:
        await principal_of_ticket(ticket, use, resources)
    except InvalidTicket:
        return False
    return True


async def tickets(resources: Resources) -> int:
    async with resources.database.read() as session:
        return int(await session.scalar(select(func.count()).select_from(TicketRow)))


async def test_websocket_ticket_of_a_person_stands_for_them_once(resources: Resources) -> None:
    anna = await of_user(resources)

    made = await ticket_of(resources, anna)

    assert made.expires_at == NOON + timedelta(seconds=30)
    assert made.ticket not in repr(made)
    principal = await principal_of_ticket(made.ticket, "websocket", resources)
    assert principal == anna
    assert principal.expires_at == NOON + timedelta(minutes=15)
    assert not await opens(resources, made.ticket)


async def test_websocket_ticket_that_comes_twice_at_once_opens_one(resources: Resources) -> None:
    made = await ticket_of(resources, await of_user(resources))

    answers = await asyncio.gather(*(opens(resources, made.ticket) for _ in range(5)))

    assert sorted(answers) == [False, False, False, False, True]


async def test_ticket_of_a_key_stands_for_the_key(resources: Resources) -> None:
    made = await new_key(resources)
    key = await principal_for(made.secret, resources, "public")

    principal = await principal_of_ticket((await ticket_of(resources, key)).ticket, "websocket", resources)

    assert (principal, principal.key_hash, principal.ticket) == (key, key.key_hash, None)


async def test_events_ticket_opens_again_until_the_token_expires(resources: Resources, clock: FakeClock) -> None:
    anna = await of_user(resources)
    clock.advance(minutes=5)
    made = await ticket_of(resources, anna, "events")

    first = await principal_of_ticket(made.ticket, "events", resources)
    clock.advance(minutes=9, seconds=59)
    second = await principal_of_ticket(made.ticket, "events", resources)
    clock.advance(seconds=1)

    assert made.expires_at == first.expires_at == second.expires_at == NOON + timedelta(minutes=15)
    assert first.ticket is not None
    assert second.ticket is not None
    assert (first.ticket.number, second.ticket.number) == (1, 2)
    assert not await opens(resources, made.ticket, "events")


async def test_events_ticket_of_a_key_is_good_for_fifteen_minutes(resources: Resources, clock: FakeClock) -> None:
    key = await principal_for((await new_key(resources)).secret, resources, "public")

    made = await ticket_of(resources, key, "events")

    assert made.expires_at == NOON + timedelta(minutes=15)
    assert (await principal_of_ticket(made.ticket, "events", resources)).expires_at == made.expires_at
    clock.advance(minutes=15)
    assert not await opens(resources, made.ticket, "events")


@pytest.mark.parametrize(("use", "other"), [("websocket", "events"), ("events", "websocket")])
async def test_ticket_for_one_kind_of_stream_does_not_open_the_other(
    resources: Resources, use: Use, other: Use
) -> None:
    made = await ticket_of(resources, await of_user(resources), use)

    assert not await opens(resources, made.ticket, other)
    assert await opens(resources, made.ticket, use)


async def test_websocket_ticket_is_good_for_thirty_seconds(resources: Resources, clock: FakeClock) -> None:
    made = await ticket_of(resources, await of_user(resources))
    clock.advance(seconds=30)

    assert not await opens(resources, made.ticket)


@pytest.mark.parametrize("forged", ["", "tkt_", f"tkt_{'A' * 43}", "tkt_" + "\0" * 43, "ä" * 2000])
async def test_what_is_no_ticket_opens_nothing(resources: Resources, forged: str) -> None:
    assert not await opens(resources, forged)


async def end_sign_in(resources: Resources, principal: Principal, _key: NewKey) -> None:
    await SignIn(resources).sign_out(str(principal.sign_in_id))


async def disable(resources: Resources, principal: Principal, _key: NewKey) -> None:
    async with resources.database.write() as session:
        await AccountService(session, resources.clock, actor="test").disable(str(principal.user_id))


async def revoke_key(resources: Resources, principal: Principal, key: NewKey) -> None:
    async with resources.database.write() as session:
        await ApiKeyService(session, resources.clock, actor="test").revoke(key.key.id, owner=principal)


async def rotate_key(resources: Resources, principal: Principal, key: NewKey) -> None:
    async with resources.database.write() as session:
        await ApiKeyService(session, resources.clock, actor="test").rotate(RotateKey(key.key.id, 0), owner=principal)


@pytest.mark.parametrize(
    ("end", "of_the_key"),
    [(end_sign_in, False), (disable, False), (disable, True), (revoke_key, True), (rotate_key, True)],
)
async def test_ticket_ends_with_the_credential_that_asked_for_it(
    resources: Resources, end: Any, of_the_key: bool
) -> None:
    anna = await of_user(resources)
    key = await new_key(resources, anna)
    asker = await principal_for(key.secret, resources, "public") if of_the_key else anna
    made = await ticket_of(resources, asker, "events")
    assert await opens(resources, made.ticket, "events")

    await end(resources, anna, key)

    assert not await opens(resources, made.ticket, "events")


async def test_ticket_survives_a_rotation_that_overlaps(resources: Resources) -> None:
    anna = await of_user(resources)
    key = await new_key(resources, anna)
    made = await ticket_of(resources, await principal_for(key.secret, resources, "public"))

    async with resources.database.write() as session:
        await ApiKeyService(session, resources.clock, actor="test").rotate(RotateKey(key.key.id, 60), owner=anna)

    assert await opens(resources, made.ticket)


async def test_tickets_that_have_expired_are_forgotten(resources: Resources, clock: FakeClock) -> None:
    anna = await of_user(resources)
    await ticket_of(resources, anna)
    young = await ticket_of(resources, anna, "events")
    clock.advance(seconds=30)

    async with resources.database.write() as session:
        await forget_expired(session, clock.now())

    assert await tickets(resources) == 1
    assert await opens(resources, young.ticket, "events")
