"""One snapshot for all who look, and none while nobody does."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

from internal_api.dashboard.snapshots import Snapshot
from internal_api.dashboard.watching import Viewer, Watching


class Counting:
    """Counts what it makes."""

    def __init__(self) -> None:
        self.made = 0
        self.changed = asyncio.Event()
        self.fails = False

    async def make(self) -> Snapshot:
        self.made += 1
        self.changed.set()
        if self.fails:
            raise OSError("away")
        at = datetime(2026, 3, 1, tzinfo=UTC)
        return Snapshot(at, 0.0, str(self.made), (), (), {"at": self.made})

    def history(self) -> bytes:
        return b""


async def first(viewer: Viewer) -> bytes:
    frames: AsyncGenerator[bytes, None] = viewer.frames()
    async with asyncio.timeout(10):
        found = await anext(frames)
    await frames.aclose()
    return found


async def test_snapshot_is_made_once_for_fifty_viewers() -> None:
    maker = Counting()
    async with Watching(maker, period=3600) as watching:
        viewers = [watching.looking() for _ in range(50)]
        frames = await asyncio.gather(*(first(viewer.__enter__()) for viewer in viewers))

        assert maker.made == 1
        assert len(set(frames)) == 1
        assert all(frame is frames[0] for frame in frames)
        for viewer in viewers:
            viewer.__exit__(None, None, None)


async def test_nothing_is_made_while_nobody_looks() -> None:
    maker = Counting()
    async with Watching(maker, period=0.06) as watching:
        with watching.looking() as viewer:
            await first(viewer)
            await first(viewer)
        made = maker.made
        maker.changed.clear()
        for _ in range(20):
            await asyncio.sleep(0.01)
        left_at = maker.made
        with watching.looking() as viewer:
            await first(viewer)

        assert left_at == made
        assert maker.made == made + 1


async def test_page_and_stream_share_what_is_new_enough() -> None:
    maker = Counting()
    async with Watching(maker, period=3600) as watching:
        await asyncio.gather(*(watching.newest() for _ in range(5)))

        assert maker.made == 1


async def test_snapshot_that_fails_is_followed_by_others() -> None:
    maker = Counting()
    maker.fails = True
    async with Watching(maker, period=0.06) as watching:
        with watching.looking() as viewer:
            await maker.changed.wait()
            maker.fails = False

            assert b'"state"' in await first(viewer)


async def test_who_reads_slowly_gets_the_newest_and_the_last_word() -> None:
    viewer = Viewer()
    viewer.offer(b"old")
    viewer.offer(b"new")
    frames = viewer.frames()

    assert await anext(frames) == b"new"
    viewer.offer(b"newer")
    viewer.close(b"goodbye")
    viewer.close(b"too late")
    assert [frame async for frame in frames] == [b"goodbye"]
