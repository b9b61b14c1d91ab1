"""Who gets a mail, and who does not."""

from collections.abc import AsyncIterator
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from sqlalchemy import func, select, update

from commerce.accounts.commands import RegisterUser
from commerce.accounts.models import UserRow
from commerce.accounts.service import AccountService
from core.database import Database
from core.jobs.models import JobRow
from core.resources import Resources, assemble
from core.settings import Settings
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.jobs import run_jobs
from tests.factories.objects import objects_in_memory
from tests.factories.orders import OrderDesk, only_variant
from tests.factories.people import a_user
from tests.factories.products import a_product, a_variant


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def shop(settings: Settings, database: Database, clock: FakeClock) -> AsyncIterator[Resources]:
    opened = assemble(settings, clock, database, objects_in_memory(), {})
    yield opened
    await opened.jobs.close()


async def register(shop: Resources, email: str = "ada@example.com") -> str:
    async with shop.database.write() as session:
        accounts = AccountService(session, shop.clock, actor="test")
        command = RegisterUser(email, "a long password", "Ada")
        return (await accounts.register(command, password_hash="", welcome_by=shop.jobs)).id


async def outbox(shop: Resources) -> list[tuple[str, str]]:
    await run_jobs(shop)
    files = (shop.settings.data.data_dir / "outbox").glob("*.eml")
    mails: list[Any] = [message_from_bytes(file.read_bytes(), policy=default) for file in files]
    return sorted((mail["To"], mail["Subject"]) for mail in mails)


async def test_who_registers_is_welcomed_once(shop: Resources) -> None:
    await register(shop)

    assert await outbox(shop) == [("Ada <ada@example.com>", "Welcome to Portico")]
    assert await outbox(shop) == [("Ada <ada@example.com>", "Welcome to Portico")]


async def test_registration_that_is_taken_back_sends_nothing(shop: Resources) -> None:
    async with shop.database.write() as session:
        accounts = AccountService(session, shop.clock, actor="test")
        command = RegisterUser("ada@example.com", "a long password", "Ada")
        await accounts.register(command, password_hash="", welcome_by=shop.jobs)
        await session.rollback()

    async with shop.database.read() as session:
        assert await session.scalar(select(func.count()).select_from(JobRow)) == 0
    assert await outbox(shop) == []


async def test_account_that_has_ended_meanwhile_is_not_welcomed(shop: Resources, clock: FakeClock) -> None:
    user_id = await register(shop)
    async with shop.database.write() as session:
        await session.execute(update(UserRow).where(UserRow.id == user_id).values(disabled_at=clock.now()))

    assert await outbox(shop) == []


async def test_order_is_confirmed_and_staff_that_may_sign_in_hear_of_it(shop: Resources, clock: FakeClock) -> None:
    for role in ("support", "admin"):
        await a_user(shop, role, f"{role}@example.com")
    gone = await a_user(shop, "editor", "gone@example.com")
    async with shop.database.write() as session:
        await AccountService(session, clock, actor="test").disable(gone.id)
    product = await Catalogue(shop.database, clock).add(a_product(variants=(a_variant(price=1000),)))

    order = await OrderDesk(shop.database, clock).place((only_variant(product), 1), email="eve@example.com")

    assert await outbox(shop) == [
        ("Support <support@example.com>, Admin <admin@example.com>", f"New order number {order.number}, 1 line"),
        ("eve@example.com", f"Your order number {order.number}"),
    ]
