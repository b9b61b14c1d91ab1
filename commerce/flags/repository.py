"""Every query of the table of flags."""

from dataclasses import fields
from datetime import datetime

from sqlalchemy import delete, or_, select

from commerce.flags.entities import Flag
from commerce.flags.models import FlagRow
from core.database import WriteSession
from core.repository import Repository

_COLUMNS = [getattr(FlagRow, each.name) for each in fields(Flag)]


class FlagRepository(Repository):
    async def holding(self, now: datetime) -> list[Flag]:
        """By their targets."""
        holds = or_(FlagRow.expires_at.is_(None), FlagRow.expires_at > now)
        rows = await self._session.execute(select(*_COLUMNS).where(holds).order_by(FlagRow.target))
        return [Flag(*row) for row in rows]

    async def lock(self, target: str) -> Flag | None:
        """Nobody else changes it until the transaction ends."""
        statement = select(*_COLUMNS).where(FlagRow.target == target).with_for_update()
        row = (await self._session.execute(statement)).one_or_none()
        return Flag(*row) if row is not None else None


async def forget_expired(session: WriteSession, now: datetime) -> None:
    await session.execute(delete(FlagRow).where(FlagRow.expires_at <= now))
