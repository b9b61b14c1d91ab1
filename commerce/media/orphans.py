"""What no product shows any more, and what was uploaded in vain: removed after a day."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import delete

from commerce.media.models import MediaImageRow
from commerce.media.repository import MediaRepository
from core.database import Database
from core.objects import ObjectInfo, Objects

# Longer than any upload takes, so that an object whose transaction has not committed yet is left alone; and time to
# put back an image that was taken off a product by mistake.
GRACE = timedelta(days=1)
_AT_ONCE = 500


async def remove_orphans(database: Database, objects: Objects, now: datetime, *, grace: timedelta = GRACE) -> int:
    """Forgets images that no product shows, then removes objects without an image; returns how many of those."""
    before = now - grace
    await _forget_unused(database, before)
    removed = 0
    batch: list[ObjectInfo] = []
    async for found in objects.list("media"):
        batch.append(found)
        if len(batch) == _AT_ONCE:
            removed += await _remove(database, objects, batch, before)
            batch = []
    return removed + await _remove(database, objects, batch, before)


async def _forget_unused(database: Database, before: datetime) -> None:
    while True:
        async with database.write() as session:
            unused = await MediaRepository(session).unused(before, _AT_ONCE)
            await session.execute(delete(MediaImageRow).where(MediaImageRow.id.in_(unused)))
        if len(unused) < _AT_ONCE:
            return


async def _remove(database: Database, objects: Objects, found: Iterable[ObjectInfo], before: datetime) -> int:
    old = [each for each in found if each.modified < before]
    async with database.read() as session:
        known = await MediaRepository(session).known({_image_id(each.key) for each in old})
    orphans = [each.key for each in old if _image_id(each.key) not in known]
    for key in orphans:
        await objects.delete(key)
    return len(orphans)


def _image_id(key: str) -> str:
    return key.split("/")[1]
