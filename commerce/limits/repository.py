"""Every query of overrides that only reads."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, or_, select

from commerce.limits.entities import Override, Terms
from commerce.limits.models import EVERYBODY, RateLimitRow
from core.pagination import Page
from core.repository import Repository

_COLUMNS = (
    RateLimitRow.subject,
    RateLimitRow.plan,
    RateLimitRow.points,
    RateLimitRow.reason,
    RateLimitRow.expires_at,
    RateLimitRow.changed_at,
)


class LimitRepository(Repository):
    """Those that have expired are not there."""

    async def revision(self) -> int:
        """Rises with every change."""
        statement = select(RateLimitRow.revision).where(RateLimitRow.subject == EVERYBODY)
        revision: int = (await self._session.execute(statement)).scalar_one()
        return revision

    async def all(self, now: datetime) -> list[Override]:
        return _overrides((await self._session.execute(_in_force(now))).all())

    async def listed(self, now: datetime, *, page: int, size: int) -> Page[Override]:
        """By name."""
        found = await self.numbered_page(_in_force(now).order_by(RateLimitRow.subject), page=page, size=size)
        return Page(_overrides(found.items), found.page, found.size, found.total)

    async def find(self, subject: str, now: datetime) -> Override | None:
        rows = (await self._session.execute(_in_force(now).where(RateLimitRow.subject == subject))).all()
        return next(iter(_overrides(rows)), None)


def _in_force(now: datetime) -> Any:
    lasting = or_(RateLimitRow.expires_at.is_(None), RateLimitRow.expires_at > now)
    return select(*_COLUMNS).where(RateLimitRow.subject != EVERYBODY, lasting)


def _overrides(rows: Sequence[Row[Any]]) -> list[Override]:
    return [
        Override(row.subject, Terms(row.plan, row.points, row.reason, row.expires_at), row.changed_at) for row in rows
    ]
