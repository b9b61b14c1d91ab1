"""Every read of promotions."""

from dataclasses import fields
from datetime import datetime

from sqlalchemy import select

from commerce.catalog.text import is_storable
from commerce.promotions.commands import normal_code
from commerce.promotions.entities import Promotion
from commerce.promotions.models import PromotionRow
from core.money import Money
from core.pagination import Keyset, Slice
from core.repository import Repository

_COLUMNS = [getattr(PromotionRow, field.name) for field in fields(Promotion)]
_NEWEST = Keyset("starts_at", PromotionRow.starts_at, PromotionRow.id, descending=True)  # type: ignore[arg-type]


class PromotionRepository(Repository):
    async def get(self, promotion_id: str, *, lock: bool = False) -> Promotion | None:
        """With `lock` held against other writers until the transaction ends."""
        if not is_storable(promotion_id):
            return None
        statement = select(*_COLUMNS).where(PromotionRow.id == promotion_id)
        row = (await self._session.execute(statement.with_for_update() if lock else statement)).one_or_none()
        return Promotion(*row) if row else None

    async def slice(self, *, limit: int, after: str | None, count: bool = False) -> Slice[Promotion]:
        """A keyset page, those that begin last first. Raises InvalidCursor."""
        statement = select(*_COLUMNS, PromotionRow.starts_at.label("sort_value"))
        found = await self.keyset_page(statement, _NEWEST, limit=limit, after=after, count=count)
        promotions = [Promotion(*row[: len(_COLUMNS)]) for row in found.items]
        return Slice(promotions, found.cursors, found.has_next, found.total)

    async def best_for(self, code: str | None, subtotal: Money, currency: str, now: datetime) -> Promotion | None:
        """The one with this code, or without a code that which takes most off by itself; None where none applies.

        Of several that take off as much, the one that was made first.
        """
        normal = normal_code(code) if code is not None else None
        if code is not None and normal is None:
            return None
        statement = select(*_COLUMNS).where(
            PromotionRow.code == normal if normal is not None else PromotionRow.code.is_(None),
            PromotionRow.starts_at <= now,
            PromotionRow.ends_at > now,
            PromotionRow.currency.is_(None) | (PromotionRow.currency == currency),
        )
        found = [Promotion(*row) for row in await self._session.execute(statement.order_by(PromotionRow.id))]
        return max(found, key=lambda promotion: promotion.discount_on(subtotal).amount, default=None)
