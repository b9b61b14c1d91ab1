"""A workshop whose commands are done once: it counts how often they really are."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from pydantic import SecretStr, TypeAdapter
from sqlalchemy import insert, select

from commerce.catalog.models import CategoryRow
from core.database import Database, WriteSession
from core.errors import Conflict, FieldError
from core.idempotency import Answer, Idempotency, IdempotencyRow, OnceKey
from core.sealing import Keyring
from tests.factories.clocks import FakeClock

KEY = OnceKey("user:usr_1", "key-1")
SECRET = "4532 0151 1283 0366"


@dataclass(frozen=True, slots=True)
class MakeShelf:
    name: str
    card: str = field(default=SECRET, repr=False)


@dataclass(frozen=True, slots=True)
class Shelf:
    id: str
    name: str
    made_at: datetime
    secret: str
    boards: tuple[int, ...] = (1, 2)


SHELF = TypeAdapter(Shelf)


class ShelfTaken(Conflict):
    """Somebody else has this shelf, and it is the only one of its kind."""

    code = "shelf_taken"
    title = "Shelf taken"

    def __init__(self, name: str, *, owner: str, free: int) -> None:
        super().__init__(f"{name} is taken", errors=(FieldError("/name", self.code, "is taken"),))
        self.owner = owner
        self.free = free


class Workshop:
    """Makes shelves, each a row; counts how often it is really done."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = FakeClock()
        self.keyring = Keyring(SecretStr("a secret key for these tests"))
        self.idempotency = self.another_process()
        self.done = 0
        self.begun = asyncio.Event()

    def another_process(self) -> Idempotency:
        return Idempotency(self.database, self.clock, self.keyring)

    async def make(
        self,
        command: MakeShelf | None = None,
        once: OnceKey | None = KEY,
        *,
        process: Idempotency | None = None,
        takes_seconds: float = 0,
        until: asyncio.Event | None = None,
        fails: Exception | None = None,
        secret: bool = False,
    ) -> Answer[Shelf]:
        command = command or MakeShelf("oak")

        async def action(session: WriteSession) -> Shelf:
            self.done += 1
            self.begun.set()
            number = self.done
            values = {"id": f"cat_{number}", "name": f"{command.name}-{number}", "slug": f"{command.name}-{number}"}
            await session.execute(insert(CategoryRow).values(**values))
            await asyncio.sleep(takes_seconds)
            if until is not None:
                await until.wait()
            if fails is not None:
                raise fails
            return Shelf(f"cat_{number}", command.name, self.clock.now(), f"secret-{number}")

        return await (process or self.idempotency).run(once, command, action, SHELF, secret=secret)

    async def begin(self, until: asyncio.Event) -> "asyncio.Task[Answer[Shelf]]":
        """A call that is in the middle of its work, and stays there."""
        task = asyncio.create_task(self.make(until=until))
        await self.begun.wait()
        return task

    async def shelves(self) -> list[str]:
        async with self.database.read() as session:
            return list(await session.scalars(select(CategoryRow.id).order_by(CategoryRow.id)))

    async def rows(self) -> list[IdempotencyRow]:
        async with self.database.read() as session:
            return list(await session.scalars(select(IdempotencyRow).order_by(IdempotencyRow.key)))


@pytest.fixture
def workshop(database: Database) -> Workshop:
    return Workshop(database)


async def outcome_of(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except Exception as error:  # noqa: BLE001  the test looks at it
        return error
