"""What can be done to promotions. Callers own the transaction; nothing here commits."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import delete, insert, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.dml import UpdateBase

from commerce.audit.log import AuditLog
from commerce.promotions.commands import PromotionData, data_of
from commerce.promotions.entities import Promotion
from commerce.promotions.errors import DuplicateCode, PromotionNotFound
from commerce.promotions.events import promotion_event
from commerce.promotions.jobs import plan
from commerce.promotions.models import PromotionRow
from commerce.promotions.repository import PromotionRepository
from core import eventlog
from core.clock import Clock
from core.database import WriteSession
from core.errors import FieldError, StaleVersion
from core.ids import new_id
from core.jobs.jobs import Jobs


class PromotionService:
    """Per transaction. Orders keep what was taken off them, whatever becomes of the promotion."""

    def __init__(self, session: WriteSession, clock: Clock, jobs: Jobs, *, actor: str) -> None:
        self._session = session
        self._jobs = jobs
        self._clock = clock
        self._promotions = PromotionRepository(session)
        self._audit = AuditLog(session, clock, actor)

    async def create(self, data: PromotionData) -> Promotion:
        """Raises DuplicateCode."""
        promotion_id, now = new_id("promo"), self._clock.now()
        values = _values(data) | {"id": promotion_id, "version": 1, "created_at": now, "updated_at": now}
        await self._write(insert(PromotionRow).values(values), data)
        await self._audit.record("promotion.create", promotion_id, None, _audited(data))
        return await self._planned(promotion_id, None)

    async def update(
        self,
        promotion_id: str,
        change: Callable[[PromotionData], PromotionData],
        *,
        expected_version: int | None = None,
    ) -> Promotion:
        """Applies `change` to the promotion as it is now. A change that alters nothing writes nothing.

        Raises PromotionNotFound, StaleVersion, DuplicateCode.
        """
        promotion = await self._locked(promotion_id, expected_version)
        before = data_of(promotion)
        data = change(before)
        if data == before:
            return promotion
        values = _values(data) | {"version": promotion.version + 1, "updated_at": self._clock.now()}
        await self._write(update(PromotionRow).where(PromotionRow.id == promotion_id).values(values), data)
        await self._audit.record("promotion.update", promotion_id, _audited(before), _audited(data))
        return await self._planned(promotion_id, promotion)

    async def delete(self, promotion_id: str, *, expected_version: int | None = None) -> None:
        """Its code is free again; one that has begun ends now. Raises PromotionNotFound, StaleVersion."""
        promotion = await self._locked(promotion_id, expected_version)
        await self._session.execute(delete(PromotionRow).where(PromotionRow.id == promotion_id))
        await self._audit.record("promotion.delete", promotion_id, _audited(data_of(promotion)), None)
        now = self._clock.now()
        if promotion.starts_at <= now < promotion.ends_at:
            await eventlog.append(self._session, [promotion_event("promotion.ended", promotion)], now)

    async def _locked(self, promotion_id: str, expected_version: int | None) -> Promotion:
        promotion = await self._promotions.get(promotion_id, lock=True)
        if promotion is None:
            raise PromotionNotFound(f"no promotion {promotion_id[:100]!r}")
        if expected_version is not None and expected_version != promotion.version:
            raise StaleVersion(f"the promotion is at version {promotion.version}, not {expected_version}")
        return promotion

    async def _planned(self, promotion_id: str, was: Promotion | None) -> Promotion:
        promotion = await self._promotions.get(promotion_id)
        assert promotion is not None  # noqa: S101  written by this transaction
        await plan(self._session, self._jobs, promotion, self._clock.now(), was=was)
        return promotion

    async def _write(self, statement: UpdateBase, data: PromotionData) -> None:
        try:
            async with self._session.begin_nested():
                await self._session.execute(statement)
        except IntegrityError as error:  # the code is all that must be unique, and the rest was checked
            fault = FieldError("/code", DuplicateCode.code, "another promotion has this code")
            raise DuplicateCode(f"code {data.code!r} belongs to another promotion", errors=(fault,)) from error


def _values(data: PromotionData) -> dict[str, Any]:
    return data.model_dump(exclude={"duration"})


def _audited(data: PromotionData) -> dict[str, Any]:
    return data.model_dump(mode="json", exclude={"duration"})
