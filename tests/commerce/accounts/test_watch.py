"""Who follows a credential is told when it ends: at once here, soon where it was ended elsewhere."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from commerce.accounts.api_keys import ApiKeyService, NewKey
from commerce.accounts.authentication import principal_for
from commerce.accounts.commands import CreateKey, RotateKey
from commerce.accounts.principal import ANONYMOUS, Principal
from commerce.accounts.service import AccountService
from commerce.accounts.sign_in import SignIn
from commerce.accounts.tickets import issue_ticket, principal_of_ticket
from commerce.accounts.watch import CREDENTIALS, CredentialWatch, End
from core.hub.memory import MemoryHub
from core.resources import Resources
from tests.factories.clocks import FakeClock
from tests.factories.people import a_user, signed_in
from tests.factories.statements import recorded


class Ends:
    """What a follower was told, waited for."""

    def __init__(self) -> None:
        self.told: list[End] = []
        self._told = asyncio.Event()

    def __call__(self, how: End) -> None:
        self.told.append(how)
        self._told.set()

    async def wait(self) -> list[End]:
        async with asyncio.timeout(30):
            await self._told.wait()
        return self.told


@pytest.fixture
async def watch(resources: Resources) -> AsyncIterator[CredentialWatch]:
    """It looks only when it is woken."""
    async with CredentialWatch(resources.database, resources.clock, resources.hub, look_seconds=600) as watch:
        await asyncio.sleep(0)
        yield watch


async def of_user(resources: Resources, role: Any = "editor") -> Principal:
    headers = await signed_in(resources, await a_user(resources, role))
    return await principal_for(headers["Authorization"].removeprefix("Bearer "), resources, "public")


async def of_key(resources: Resources, owner: Principal | None) -> tuple[Principal, NewKey]:
    async with resources.database.write() as session:
        service = ApiKeyService(session, resources.clock, actor="test")
        made = await service.create(CreateKey("test", ("catalog:write", "events:read")), owner=owner)
    return await principal_for(made.secret, resources, "public"), made


async def settled(resources: Resources, watch: CredentialWatch) -> None:
    """After a look of the watch's own: that at somebody who has ended."""
    ends = Ends()
    watch.follow(Principal("api_key", "nobody"), ends)
    resources.hub.publish(CREDENTIALS)
    assert await ends.wait() == ["revoked"]


async def sign_out(resources: Resources, anna: Principal, _key: NewKey) -> None:
    await SignIn(resources).sign_out(str(anna.sign_in_id))


async def disable(resources: Resources, anna: Principal, _key: NewKey) -> None:
    async with resources.database.write() as session:
        await AccountService(session, resources.clock, actor="test").disable(str(anna.user_id))


async def delete(resources: Resources, anna: Principal, _key: NewKey) -> None:
    async with resources.database.write() as session:
        await AccountService(session, resources.clock, actor="test").delete(str(anna.user_id))


async def degrade(resources: Resources, anna: Principal, _key: NewKey) -> None:
    async with resources.database.write() as session:
        await AccountService(session, resources.clock, actor="test").set_role(str(anna.user_id), "customer")


async def revoke(resources: Resources, anna: Principal, key: NewKey) -> None:
    async with resources.database.write() as session:
        await ApiKeyService(session, resources.clock, actor="test").revoke(key.key.id, owner=anna)


async def rotate(resources: Resources, anna: Principal, key: NewKey, overlap_seconds: int = 0) -> None:
    async with resources.database.write() as session:
        service = ApiKeyService(session, resources.clock, actor="test")
        await service.rotate(RotateKey(key.key.id, overlap_seconds), owner=anna)


@pytest.mark.parametrize(
    ("act", "ended"),
    [
        (sign_out, {"anna"}),
        (disable, {"anna", "key"}),
        (delete, {"anna", "key"}),
        (degrade, {"anna", "key"}),
        (revoke, {"key"}),
        (rotate, {"key"}),
    ],
)
async def test_followers_of_what_was_revoked_are_told_at_once_and_no_others(
    resources: Resources, watch: CredentialWatch, act: Any, ended: set[str]
) -> None:
    anna, bert = await of_user(resources), await of_user(resources)
    key, made = await of_key(resources, anna)
    shop, _ = await of_key(resources, None)
    followed = {"anna": anna, "bert": bert, "key": key, "shop": shop, "anonymous": ANONYMOUS}
    ends = {name: Ends() for name in followed}
    for name, principal in followed.items():
        watch.follow(principal, ends[name])

    await act(resources, anna, made)

    for name in ended:
        assert await ends[name].wait() == ["revoked"]
    await settled(resources, watch)
    assert {name for name, each in ends.items() if each.told} == ended


async def test_refresh_token_that_comes_twice_ends_streams_of_its_sign_in(
    resources: Resources, watch: CredentialWatch
) -> None:
    user, ends = await a_user(resources), Ends()
    async with resources.database.write() as session:
        tokens = await SignIn(resources)._open(session, user, "public")
    watch.follow(await principal_for(tokens.access_token, resources, "public"), ends)
    await SignIn(resources).refresh(str(tokens.refresh_token))

    with pytest.raises(Exception, match="Invalid refresh token"):
        await SignIn(resources).refresh(str(tokens.refresh_token))

    assert await ends.wait() == ["revoked"]


async def test_secret_before_a_rotation_is_good_while_it_overlaps(
    resources: Resources, watch: CredentialWatch, clock: FakeClock
) -> None:
    anna, ends = await of_user(resources), Ends()
    key, made = await of_key(resources, anna)
    watch.follow(key, ends)

    await rotate(resources, anna, made, overlap_seconds=60)
    await settled(resources, watch)
    assert ends.told == []
    clock.advance(seconds=60)
    resources.hub.publish(CREDENTIALS)

    assert await ends.wait() == ["revoked"]


async def test_next_use_of_a_ticket_ends_the_one_before(resources: Resources, watch: CredentialWatch) -> None:
    anna, before, after = await of_user(resources), Ends(), Ends()
    async with resources.database.write() as session:
        ticket = (await issue_ticket(session, resources.clock, anna, "events")).ticket
    watch.follow(await principal_of_ticket(ticket, "events", resources), before)

    watch.follow(await principal_of_ticket(ticket, "events", resources), after)

    assert await before.wait() == ["revoked"]
    await settled(resources, watch)
    assert after.told == []


async def test_what_was_revoked_elsewhere_is_noticed_soon(resources: Resources) -> None:
    anna, ends = await of_user(resources), Ends()
    deaf = MemoryHub()

    async with CredentialWatch(resources.database, resources.clock, deaf, look_seconds=0.05) as watch:
        watch.follow(anna, ends)
        await SignIn(resources).sign_out(str(anna.sign_in_id))

        assert await ends.wait() == ["revoked"]


async def test_token_ends_when_its_time_has_come(
    resources: Resources, watch: CredentialWatch, clock: FakeClock
) -> None:
    anna, first, other = await of_user(resources), Ends(), Ends()
    clock.advance(minutes=14, seconds=59.9)

    watch.follow(anna, first)
    clock.advance(seconds=-60)
    watch.follow(anna, other)

    assert await first.wait() == ["expired"]
    assert other.told == []


async def test_who_follows_no_more_is_told_nothing(resources: Resources, watch: CredentialWatch) -> None:
    anna, ends = await of_user(resources), Ends()
    leave = watch.follow(anna, ends)

    leave()
    leave()
    await sign_out(resources, anna, None)  # type: ignore[arg-type]
    await settled(resources, watch)

    assert ends.told == []


async def test_it_asks_once_for_all_in_statements_of_a_bounded_size(resources: Resources) -> None:
    anna, bert, carl = [await of_user(resources) for _ in range(3)]
    async with CredentialWatch(
        resources.database, resources.clock, resources.hub, look_seconds=600, at_once=2
    ) as watch:
        await asyncio.sleep(0)  # its first look finds nobody
        for each in (anna, bert, carl, carl, anna):
            watch.follow(each, Ends())

        with recorded(resources.database.reader) as statements:
            await watch.look()

    assert len([each for each in statements if "sign_ins" in each]) == 2
    assert not [each for each in statements if "api_keys" in each or "tickets" in each]
