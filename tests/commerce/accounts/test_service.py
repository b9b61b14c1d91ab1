"""Registering, roles, disabling and deleting, on each kind of database."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from commerce.accounts.commands import RegisterUser
from commerce.accounts.entities import User
from commerce.accounts.errors import EmailTaken, InvalidAccount, LastAdmin, UserNotFound
from commerce.accounts.models import ApiKeyRow, SignInRow, UserRow
from commerce.accounts.passwords import Passwords
from commerce.accounts.principal import ROLES
from commerce.accounts.registration import add_user, first_admin, registration
from commerce.accounts.repository import AccountRepository
from commerce.accounts.service import AccountService
from commerce.audit.log import AuditEntry, AuditRepository
from core.database import Database
from core.eventlog import EventRow
from core.resources import Resources
from tests.factories.clocks import NOON, FakeClock
from tests.factories.hashers import QUICK_HASH
from tests.factories.people import PASSWORD, PlainHasher, a_user, signed_in

ADA = RegisterUser("ada@example.com", PASSWORD, "Ada")


async def change(resources: Resources, method: str, *arguments: Any) -> User:
    async with resources.database.write() as session:
        service = AccountService(session, resources.clock, actor="user:usr_boss")
        user: User = await getattr(service, method)(*arguments)
    return user


async def stored(database: Database) -> list[tuple[Any, ...]]:
    async with database.read() as session:
        columns = (UserRow.id, UserRow.email, UserRow.name, UserRow.role, UserRow.disabled_at, UserRow.deleted_at)
        return [tuple(row) for row in await session.execute(select(*columns).order_by(UserRow.id))]


async def audit(database: Database) -> list[AuditEntry]:
    async with database.read() as session:
        entries, _ = await AuditRepository(session).newest()
    return list(reversed(entries))


async def test_registering_makes_a_customer_with_an_audit_entry_and_an_event(resources: Resources) -> None:
    async with resources.database.write() as session:
        service = AccountService(session, resources.clock, actor="anonymous")
        user = await service.register(ADA, password_hash=QUICK_HASH)

    assert user == User(user.id, "ada@example.com", "Ada", "customer", NOON, NOON, None, None)
    assert user.id.startswith("usr_")
    async with resources.database.read() as session:
        assert await AccountRepository(session).user(user.id) == user
        assert await AccountRepository(session).user_by_email("ada@example.com") == user
        (event,) = (await session.execute(select(EventRow))).scalars()
    (entry,) = await audit(resources.database)
    assert (entry.actor, entry.action, entry.subject) == ("anonymous", "user.register", user.id)
    assert (entry.before, entry.after) == (None, {"role": "customer"})
    assert (event.type, event.subject, event.visibility, event.owner_id) == ("user.registered", user.id, "staff", None)
    assert event.data == {"id": user.id, "email": "ada@example.com", "role": "customer"}


@pytest.mark.parametrize(
    ("email", "password", "name", "pointers"),
    [
        ("ada", PASSWORD, "Ada", ["/email"]),
        ("ada@localhost", PASSWORD, "Ada", ["/email"]),
        ("Ada <ada@example.com>", PASSWORD, "Ada", ["/email"]),
        ("ada\ud800@example.com", PASSWORD, "Ada", ["/email"]),
        ("ada\0@example.com", PASSWORD, "Ada", ["/email"]),
        ("ada@example.com", "1234567", "Ada", ["/password"]),
        ("ada@example.com", "x" * 129, "Ada", ["/password"]),
        ("ada@example.com", "12345678\ud800", "Ada", ["/password"]),
        ("ada@example.com", PASSWORD, " ", ["/name"]),
        ("ada@example.com", PASSWORD, "x" * 201, ["/name"]),
        ("ada@example.com", PASSWORD, "A\0", ["/name"]),
        ("ada@example.com", PASSWORD, "A\udfff", ["/name"]),
        ("", "", "", ["/email", "/password", "/name"]),
    ],
)
def test_account_that_cannot_be_is_refused_with_every_fault(
    email: str, password: str, name: str, pointers: list[str]
) -> None:
    with pytest.raises(InvalidAccount) as refused:
        RegisterUser(email, password, name)

    assert [fault.pointer for fault in refused.value.errors] == pointers


def test_address_is_lower_case_and_the_password_is_not_shown() -> None:
    command = RegisterUser("Ada.Lovelace@EXAMPLE.com", "x" * 128, " Ada ")

    assert (command.email, command.name) == ("ada.lovelace@example.com", "Ada")
    assert "x" * 8 not in repr(command)
    assert RegisterUser("ada@example.com", "12345678", "x" * 200).name == "x" * 200


async def test_address_can_be_registered_once(resources: Resources) -> None:
    await a_user(resources, email="ada@example.com")
    before = await stored(resources.database)

    with pytest.raises(EmailTaken) as refused:
        await a_user(resources, "admin", "ADA@example.com")

    assert refused.value.detail == "there is an account with this address"
    assert await stored(resources.database) == before
    assert len(await audit(resources.database)) == 1


async def test_of_two_who_register_an_address_at_once_one_is_told_that_it_is_taken(resources: Resources) -> None:
    outcomes = await asyncio.gather(
        *(a_user(resources, email="ada@example.com") for _ in range(5)), return_exceptions=True
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["EmailTaken"] * 4 + ["User"]
    assert len(await stored(resources.database)) == 1


async def test_password_is_hashed_before_the_writer_is_taken(resources: Resources) -> None:
    class Hasher(PlainHasher):
        writers: int = -1

        def hash(self, password: str | bytes) -> str:
            self.writers = resources.database.writer.pool.checkedout()  # type: ignore[attr-defined]
            return super().hash(password)

    hasher = Hasher()

    action = await registration(ADA, resources, actor="anonymous", address="", passwords=Passwords(hasher))
    async with resources.database.write() as session:
        user = await action(session)

    assert hasher.writers == 0
    assert user.role == "customer"


async def test_role_changes_with_an_audit_entry(resources: Resources, clock: FakeClock) -> None:
    user = await a_user(resources)
    clock.advance(hours=1)

    changed = await change(resources, "set_role", user.id, "editor")
    again = await change(resources, "set_role", user.id, "editor")

    assert (changed.role, changed.updated_at) == ("editor", clock.now())
    assert again == changed
    _, entry = await audit(resources.database)
    assert (entry.actor, entry.action, entry.subject) == ("user:usr_boss", "user.role", user.id)
    assert (entry.before, entry.after) == ({"role": "customer"}, {"role": "editor"})


async def test_disabling_and_enabling_are_written_down_once(resources: Resources) -> None:
    user = await a_user(resources)

    disabled = [await change(resources, "disable", user.id) for _ in range(2)]
    enabled = [await change(resources, "enable", user.id) for _ in range(2)]

    assert [each.disabled_at for each in (*disabled, *enabled)] == [NOON, NOON, None, None]
    _, *entries = await audit(resources.database)
    assert [(entry.action, entry.before, entry.after) for entry in entries] == [
        ("user.disable", {"disabled": False}, {"disabled": True}),
        ("user.enable", {"disabled": True}, {"disabled": False}),
    ]


async def test_deleting_forgets_who_it_was_and_keeps_the_row(resources: Resources) -> None:
    user = await a_user(resources, email="ada@example.com")
    await signed_in(resources, user)

    deleted = await change(resources, "delete", user.id)

    assert (deleted.email, deleted.name, deleted.deleted_at) == (f"deleted-{user.id}@invalid", "", NOON)
    entry = (await audit(resources.database))[-1]
    assert (entry.action, entry.before, entry.after) == ("user.delete", {"role": "customer"}, None)
    async with resources.database.read() as session:
        assert await session.scalar(select(UserRow.password_hash)) == ""
        assert [row.revoked_at for row in await session.scalars(select(SignInRow))] == [NOON]
        assert [row.revoked_at for row in await session.scalars(select(ApiKeyRow))] == []
    again = await a_user(resources, email="ada@example.com")
    assert again.id != user.id


async def test_nothing_of_a_person_but_the_id_is_in_the_audit_log(resources: Resources) -> None:
    user = await a_user(resources, email="ada@example.com")
    await change(resources, "set_role", user.id, "support")
    await change(resources, "disable", user.id)
    await change(resources, "delete", user.id)

    entries = repr(await audit(resources.database))

    assert "ada@" not in entries
    assert PASSWORD not in entries


@pytest.mark.parametrize("arguments", [("set_role", "admin"), ("disable",), ("enable",), ("delete",)])
async def test_who_was_deleted_or_never_was_cannot_be_changed(resources: Resources, arguments: tuple[str, ...]) -> None:
    user = await a_user(resources)
    await change(resources, "delete", user.id)
    before = await stored(resources.database), await audit(resources.database)

    for user_id in (user.id, "usr_nobody"):
        with pytest.raises(UserNotFound):
            await change(resources, arguments[0], user_id, *arguments[1:])

    assert (await stored(resources.database), await audit(resources.database)) == before


LOSING = [("set_role", "editor"), ("disable",), ("delete",)]


@pytest.mark.parametrize("arguments", LOSING, ids=lambda each: each[0])
async def test_last_admin_stays(resources: Resources, arguments: tuple[str, ...]) -> None:
    last = await a_user(resources, "admin")
    gone = [await a_user(resources, "admin") for _ in range(3)]
    for other, way in zip(gone, LOSING, strict=True):
        await change(resources, way[0], other.id, *way[1:])
    before = await stored(resources.database)

    with pytest.raises(LastAdmin):
        await change(resources, arguments[0], last.id, *arguments[1:])

    assert await stored(resources.database) == before
    assert (await change(resources, "set_role", last.id, "admin")).role == "admin"


async def test_two_admins_who_remove_each_other_at_once_leave_one(resources: Resources) -> None:
    for _ in range(5):
        first, second = [await a_user(resources, "admin") for _ in range(2)]

        outcomes = await asyncio.gather(
            change(resources, "set_role", first.id, "customer"),
            change(resources, "disable", second.id),
            return_exceptions=True,
        )

        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["LastAdmin", "User"]
        left = next(row for row in await stored(resources.database) if row[3] == "admin" and row[4] is None)
        async with resources.database.write() as session:
            await session.delete(await session.get(UserRow, left[0]))


async def test_users_are_listed_newest_first_page_by_page(resources: Resources, clock: FakeClock) -> None:
    users = []
    for role in ROLES:
        users.append(await a_user(resources, role, f"{role}@example.com"))
        clock.advance(seconds=1)
    async with resources.database.read() as session:
        accounts = AccountRepository(session)

        first = await accounts.users(limit=3)
        rest = await accounts.users(limit=3, after=first.next_cursor)
        found = await accounts.users(limit=3, q="EDIT", role="editor", disabled=False)

    assert list(first.items) == users[:0:-1]
    assert (list(rest.items), rest.next_cursor) == ([users[0]], None)
    assert list(found.items) == [users[2]]


async def test_first_admin_is_made_where_there_is_nobody(resources: Resources) -> None:
    made = await first_admin(resources.database, resources.clock)
    again = await first_admin(resources.database, resources.clock)

    assert made is not None
    assert len(made) == 24
    assert again is None
    ((_, email, name, role, *_),) = await stored(resources.database)
    assert (email, name, role) == ("admin@example.com", "Admin", "admin")


async def test_first_admin_is_not_made_beside_somebody(resources: Resources) -> None:
    await add_user(resources.database, resources.clock, ADA, "customer", actor="cli")

    assert await first_admin(resources.database, resources.clock) is None
    assert len(await stored(resources.database)) == 1
