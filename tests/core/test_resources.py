import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from sqlalchemy import text

from core.clock import SystemClock
from core.database import DatabaseUnavailable
from core.resources import Opener, open_resources
from core.settings import DataSettings, ServerSettings, Settings


class Recorder:
    """Contexts that note when they open and close."""

    def __init__(self) -> None:
        self.events: list[str] = []

    @asynccontextmanager
    async def part(self, name: str, *, seconds: float = 0, fails: bool = False) -> AsyncIterator[str]:
        await asyncio.sleep(seconds)
        if fails:
            raise ConnectionError(name)
        self.events.append(f"open {name}")
        try:
            yield name.upper()
        finally:
            self.events.append(f"close {name}")


async def test_parts_open_in_order_timed_and_close_in_reverse() -> None:
    recorder = Recorder()

    async with AsyncExitStack() as stack:
        opener = Opener(stack)
        opened = [
            await opener.open("first", recorder.part("first", seconds=0.05)),
            await opener.open("second", recorder.part("second")),
        ]
        recorder.events.append("work")

    assert opened == ["FIRST", "SECOND"]
    assert recorder.events == ["open first", "open second", "work", "close second", "close first"]
    assert list(opener.timings) == ["first", "second"]
    assert 0.05 <= opener.timings["first"] < 1
    assert 0 <= opener.timings["second"] < 0.05


async def test_those_before_are_closed_when_a_later_one_fails_to_open() -> None:
    recorder = Recorder()

    with pytest.raises(ConnectionError, match="third"):  # noqa: PT012  the stack is what is tested
        async with AsyncExitStack() as stack:
            opener = Opener(stack)
            await opener.open("first", recorder.part("first"))
            await opener.open("second", recorder.part("second"))
            await opener.open("third", recorder.part("third", fails=True))

    assert recorder.events == ["open first", "open second", "close second", "close first"]
    assert list(opener.timings) == ["first", "second"]


async def test_resources_are_open_inside_and_know_their_settings(settings: Settings) -> None:
    async with open_resources(settings) as resources:
        await resources.database.ping()

        assert resources.settings == settings
        assert isinstance(resources.clock, SystemClock)
        assert list(resources.timings) == ["database", "objects", "hub", "limiter", "upstreams", "chat"]

    assert resources.database.reader.pool.checkedin() == 0  # type: ignore[attr-defined]


async def test_database_that_cannot_be_opened_stops_the_start() -> None:
    settings = Settings(
        data=DataSettings(database_url="postgresql+asyncpg://portico@127.0.0.1:1/portico"),
        server=ServerSettings(secret_key="sixteen-characters"),
    )

    with pytest.raises(DatabaseUnavailable):
        async with open_resources(settings):
            pytest.fail("opened")


async def test_connections_are_closed_when_the_work_fails(settings: Settings) -> None:
    with pytest.raises(RuntimeError, match="work failed"):  # noqa: PT012  the whole block is what fails
        async with open_resources(settings) as resources:
            async with resources.database.read() as session:
                await session.execute(text("SELECT 1"))
            assert resources.database.reader.pool.checkedin() == 1  # type: ignore[attr-defined]
            raise RuntimeError("work failed")

    assert resources.database.reader.pool.checkedin() == 0  # type: ignore[attr-defined]
