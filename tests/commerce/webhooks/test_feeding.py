"""From events of the log to deliveries: each once, for whom it is, whoever feeds and whoever else does so."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from commerce.accounts.errors import MissingScope
from commerce.accounts.models import UserRow
from commerce.accounts.principal import Principal
from commerce.accounts.service import AccountService
from commerce.webhooks.feeder import Feeder
from commerce.webhooks.models import CursorRow, DeliveryRow
from core.database import Database
from core.eventlog import NewEvent, append
from core.hub.memory import MemoryHub
from core.jobs.models import JobRow
from core.resources import assemble
from core.tailer import Tailer
from tests.commerce.webhooks.conftest import Desk, an_event, settings_of
from tests.factories.objects import objects_in_memory
from tests.factories.orders import SHOP_KEY, a_person, key_of

URL = "http://127.0.0.1:9/hooks"


async def jobs_of(desk: Desk) -> list[dict[str, Any]]:
    async with desk.database.read() as session:
        return list(await session.scalars(select(JobRow.args).where(JobRow.name == "webhook.deliver")))


async def test_event_becomes_a_delivery_with_its_body_and_a_job(desk: Desk) -> None:
    made = await desk.add(URL)

    (event_id,) = await desk.happen(an_event("prod_a", data={"id": "prod_a", "title": "Ä"}))

    delivery = await desk.one()
    assert (delivery.endpoint_id, delivery.event_id) == (made.endpoint.id, event_id)
    assert (delivery.type, delivery.subject, delivery.state) == ("product.updated", "prod_a", "pending")
    assert (delivery.attempts, delivery.next_attempt_at) == (0, desk.clock.now())
    assert await jobs_of(desk) == [{"delivery_id": delivery.id, "dispatch": 1}]
    async with desk.database.read() as session:
        body = await session.scalar(select(DeliveryRow.body))
    assert json.loads(body) == {
        "specversion": "1.0",
        "id": event_id,
        "source": "urn:portico",
        "type": "product.updated",
        "subject": "prod_a",
        "time": "2026-03-01T12:00:00Z",
        "data": {"id": "prod_a", "title": "Ä"},
    }


async def test_endpoint_gets_the_types_that_it_asked_for(desk: Desk) -> None:
    some = await desk.add(URL, "order.paid", "order.placed")
    everything = await desk.add(URL)

    ids = await desk.happen(
        an_event("a", "product.updated"), an_event("b", "order.placed"), an_event("c", "order.paid")
    )

    assert [each.event_id for each in await desk.deliveries(some.endpoint.id)] == ids[1:]
    assert [each.event_id for each in await desk.deliveries(everything.endpoint.id)] == ids


async def test_endpoint_gets_nothing_of_what_happened_before_it_nor_while_it_is_disabled(desk: Desk) -> None:
    await desk.happen("before", feed=False)
    made = await desk.add(URL)
    await desk.update(made.endpoint.id, state="disabled")
    await desk.happen("meanwhile", feed=False)
    await desk.update(made.endpoint.id, state="enabled")
    await desk.happen("after")  # the feeder comes to all of them only now

    assert [each.subject for each in await desk.deliveries()] == ["after"]


async def test_nobody_gets_what_they_may_not_see(desk: Desk) -> None:
    ada, bob = await a_person(desk.database), await a_person(desk.database)
    support, editor = await a_person(desk.database, "support"), await a_person(desk.database, "editor")
    people = {"ada": ada, "bob": bob, "ada's key": key_of(ada), "support": support, "editor": editor}
    made = {name: (await desk.add(URL, by=person)).endpoint.id for name, person in people.items()}
    made["shop"] = (await desk.add(URL)).endpoint.id

    await desk.happen(
        an_event("public"),
        an_event("ord_ada", "order.placed", visibility="owner", owner_id=ada.id),
        an_event("ord_bob", "order.placed", visibility="owner", owner_id=bob.id),
        an_event("draft", visibility="editors"),
        an_event("usr_new", "user.registered", visibility="staff"),
    )

    found = {name: [each.subject for each in await desk.deliveries(each_id)] for name, each_id in made.items()}
    assert found == {
        "ada": ["public", "ord_ada"],
        "bob": ["public", "ord_bob"],
        "ada's key": ["public", "ord_ada"],
        "support": ["public", "ord_ada", "ord_bob", "usr_new"],
        "editor": ["public", "ord_ada", "ord_bob", "draft", "usr_new"],
        "shop": ["public", "ord_ada", "ord_bob", "draft", "usr_new"],
    }


async def test_endpoint_sees_no_more_than_the_key_that_it_was_made_with(desk: Desk) -> None:
    ada, editor = await a_person(desk.database), await a_person(desk.database, "editor")
    keys = {
        "ada's for hooks alone": key_of(ada, "webhooks:write"),
        "ada's for orders": key_of(ada, "webhooks:write", "orders:read"),
        "editor's for hooks alone": key_of(editor, "webhooks:write"),
        "editor's for orders": key_of(editor, "webhooks:write", "orders:read"),
        "editor's for products": key_of(editor, "webhooks:write", "catalog:write"),
        "shop's for hooks alone": Principal("api_key", "key1", frozenset(["webhooks:write"])),
        "shop's for orders": Principal("api_key", "key1", frozenset(["webhooks:write", "orders:read"])),
    }
    made = {name: (await desk.add(URL, by=key)).endpoint.id for name, key in keys.items()}

    await desk.happen(
        an_event("public"),
        an_event("ord_ada", "order.placed", visibility="owner", owner_id=ada.id),
        an_event("ord_bob", "order.placed", visibility="owner", owner_id="usr_bob"),
        an_event("draft", visibility="editors"),
    )

    found = {name: [each.subject for each in await desk.deliveries(each_id)] for name, each_id in made.items()}
    assert found == {
        "ada's for hooks alone": ["public"],
        "ada's for orders": ["public", "ord_ada"],
        "editor's for hooks alone": ["public"],
        "editor's for orders": ["public", "ord_ada", "ord_bob"],
        "editor's for products": ["public", "draft"],
        "shop's for hooks alone": ["public"],
        "shop's for orders": ["public", "ord_ada", "ord_bob"],
    }


async def test_endpoint_is_sent_what_its_owner_reads_in_support_rooms_and_a_keys_what_the_key_does(desk: Desk) -> None:
    ada, bob, sue = [await a_person(desk.database, role) for role in ("customer", "customer", "support")]
    makers = {
        "ada": ada,
        "ada's key": key_of(ada),
        "bob": bob,
        "sue": sue,
        "sue's key for rooms": key_of(sue, "webhooks:write", "support:write"),
        "sue's key for orders": key_of(sue, "webhooks:write", "orders:read"),
        "shop": SHOP_KEY,
    }
    made = {name: (await desk.add(URL, by=maker)).endpoint.id for name, maker in makers.items()}

    def said(text: str, by: Principal, visibility: str, owner: Principal) -> NewEvent:
        data = {"author": {"id": by.owner}, "text": text}
        return NewEvent("support.message", text, data, visibility, owner.user_id)

    await desk.happen(said("to all", ada, "support", ada), said("to ada", sue, "direct", ada))

    found = {name: [each.subject for each in await desk.deliveries(each_id)] for name, each_id in made.items()}
    both = ["to all", "to ada"]
    assert found == {
        "ada": both,
        "ada's key": [],
        "bob": [],
        "sue": both,
        "sue's key for rooms": both,
        "sue's key for orders": [],
        "shop": ["to all"],
    }


async def test_key_that_may_not_chat_sends_its_owners_endpoint_nowhere_else(desk: Desk) -> None:
    ada = await a_person(desk.database)
    made = await desk.add(URL, by=ada)

    with pytest.raises(MissingScope):
        await desk.update(made.endpoint.id, by=key_of(ada), url=f"{URL}/else")

    assert (await desk.update(made.endpoint.id, by=ada, url=f"{URL}/else")).url == f"{URL}/else"


async def test_scope_that_the_owner_has_no_more_shows_nothing(desk: Desk) -> None:
    editor = await a_person(desk.database, "editor")
    await desk.add(URL, by=key_of(editor, "webhooks:write", "catalog:write"))
    await desk.happen(an_event("before", visibility="editors"))

    async with desk.database.write() as session:
        await session.execute(update(UserRow).where(UserRow.id == editor.id).values(role="support"))
    await desk.happen(an_event("after", visibility="editors"))

    assert [each.subject for each in await desk.deliveries()] == ["before"]


@pytest.mark.parametrize("column", ["disabled_at", "deleted_at"])
async def test_who_may_not_sign_in_any_more_gets_nothing(desk: Desk, column: str) -> None:
    ada = await a_person(desk.database)
    await desk.add(URL, by=ada)
    await desk.happen("before")

    async with desk.database.write() as session:
        await session.execute(update(UserRow).where(UserRow.id == ada.id).values({column: desk.clock.now()}))
    await desk.happen("after")

    assert [each.subject for each in await desk.deliveries()] == ["before"]


async def test_deleted_account_takes_its_endpoints_along_and_no_others(desk: Desk) -> None:
    ada = await a_person(desk.database)
    assert ada.user_id is not None
    await desk.add(URL, by=ada)
    shops = await desk.add(URL)
    await desk.happen("before")

    async with desk.database.write() as session:
        await AccountService(session, desk.clock, actor="test").delete(ada.user_id)

    assert [each.endpoint_id for each in await desk.deliveries()] == [shops.endpoint.id]


async def test_what_somebody_may_see_is_what_their_role_may_when_it_happens(desk: Desk) -> None:
    ada = await a_person(desk.database, "editor")
    await desk.add(URL, by=ada)
    await desk.happen(an_event("first", visibility="editors"))

    async with desk.database.write() as session:
        await session.execute(update(UserRow).where(UserRow.id == ada.id).values(role="customer"))
    await desk.happen(an_event("second", visibility="editors"))

    assert [each.subject for each in await desk.deliveries()] == ["first"]


async def test_one_transaction_makes_few_deliveries_and_those_of_an_event_together(desk: Desk) -> None:
    for _ in range(3):
        await desk.add(URL)
    await desk.happen(*(f"prod_{n}" for n in range(15)), feed=False)

    made = []
    while await desk.feeder.feed():
        made.append((len(await desk.deliveries()), await cursor(desk.database)))

    assert made == [(21, 7), (42, 14)]
    assert (len(await desk.deliveries()), await cursor(desk.database)) == (45, 15)


async def test_only_the_first_of_a_subject_has_a_job(desk: Desk) -> None:
    await desk.add(URL)

    await desk.happen("a", "a", "b")
    await desk.happen("a")

    scheduled = [(each.subject, each.next_attempt_at is not None) for each in await desk.deliveries()]
    assert scheduled == [("a", True), ("a", False), ("b", True), ("a", False)]
    assert len(await jobs_of(desk)) == 2


async def test_failure_in_the_middle_leaves_neither_deliveries_nor_a_moved_cursor(desk: Desk) -> None:
    await desk.add(URL)
    before = await cursor(desk.database)

    class Broken(Exception): ...

    async def fail(*_: object) -> None:
        raise Broken

    desk.feeder._enqueue = fail
    with pytest.raises(Broken):
        await desk.happen("a")

    assert await desk.deliveries() == []
    assert await cursor(desk.database) == before


async def test_feeders_of_several_processes_at_once_make_each_delivery_once(
    desk: Desk, database_url: str, tmp_path: Path
) -> None:
    await desk.add(URL, "product.updated")
    await desk.add(URL, "product.updated")
    async with desk.database.write() as session:
        await append(session, [an_event(f"prod_{n % 7}") for n in range(60)], desk.clock.now())
    databases = [Database(database_url) for _ in range(3)]
    settings = settings_of(database_url, tmp_path)
    houses = [assemble(settings, desk.clock, each, objects_in_memory(), {}) for each in databases]
    feeders = [Feeder(each, Tailer(each.database, MemoryHub()), batch=5) for each in houses]

    async def feed(feeder: Feeder) -> None:
        while (more := await feeder.feed()) is None or more:  # noqa: ASYNC110  None: another one feeds
            await asyncio.sleep(0)

    await asyncio.gather(*(feed(feeder) for feeder in feeders))

    async with desk.database.read() as reading:
        counts = select(func.count(), func.count(DeliveryRow.position.distinct()))
        assert tuple((await reading.execute(counts)).one()) == (120, 60)
    assert await cursor(desk.database) == 60
    assert len(await jobs_of(desk)) == 8  # four of each endpoint
    for house in houses:
        await house.jobs.close()
        await house.database.close()


async def test_feeder_that_is_started_goes_on_where_the_last_one_ended(desk: Desk, database_url: str) -> None:
    await desk.add(URL)
    async with desk.database.write() as session:
        await append(session, [an_event(f"prod_{n}") for n in range(12)], desk.clock.now())

    async def fed(position: int) -> None:
        async with asyncio.timeout(10):
            while await cursor(desk.database) < position:  # noqa: ASYNC110  another process would not tell
                await asyncio.sleep(0.01)

    async with (
        Tailer(Database(database_url), desk.resources.hub) as tailer,
        Feeder(desk.resources, tailer, batch=5),
    ):
        await fed(12)
        async with desk.database.write() as session:
            await append(session, [an_event("prod_new")], desk.clock.now())
        await fed(13)

    assert [each.subject for each in await desk.deliveries()] == [*(f"prod_{n}" for n in range(12)), "prod_new"]


async def test_events_that_no_endpoint_waits_for_are_passed_over_at_once(desk: Desk) -> None:
    disabled = await desk.add(URL)
    await desk.update(disabled.endpoint.id, state="disabled")
    await desk.happen(*(f"prod_{n}" for n in range(12)), feed=False)
    feeder = Feeder(desk.resources, Tailer(desk.database, desk.resources.hub), batch=5)

    more = await feeder.feed()

    assert (more, await cursor(desk.database)) == (False, 12)
    assert await desk.deliveries() == []


async def cursor(database: Database) -> int:
    async with database.read() as session:
        return int(await session.scalar(select(CursorRow.position)))
