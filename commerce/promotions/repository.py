"""Every read of promotions."""

from dataclasses import fields
from datetime import datetime

from sqlalchemy import bindparam, select

from commerce.catalog.text import is_storable
from commerce.promotions.commands import normal_code
from commerce.promotions.entities import Promotion
from commerce.promotions.models import PromotionRow
from core.money import Money
from core.pagination import Keyset, Slice
from core.prepared import Prepared
from core.repository import Repository

_COLUMNS = [getattr(PromotionRow, field.name) for field in fields(Promotion)]
_NEWEST = Keyset("starts_at", PromotionRow.starts_at, PromotionRow.id, descending=True)  # type: ignore[arg-type]
_APPLYING = select(*_COLUMNS).where(
    PromotionRow.starts_at <= bindparam("now"),
    PromotionRow.ends_at > bindparam("now"),
    PromotionRow.currency.is_(None) | (PromotionRow.currency == bindparam("currency")),
)
_BY_CODE = Prepared(_APPLYING.where(PromotionRow.code == bindparam("code")).order_by(PromotionRow.id))
_BY_ITSELF = Prepared(_APPLYING.where(PromotionRow.code.is_(None)).order_by(PromotionRow.id))


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
        values = {"now": now, "currency": currency}
        rows = await (
            _BY_ITSELF.run(self._session, values)
            if normal is None
            else _BY_CODE.run(self._session, values | {"code": normal})
        )
        found = [Promotion(*row) for row in rows]
        return max(found, key=lambda promotion: promotion.discount_on(subtotal).amount, default=None)
