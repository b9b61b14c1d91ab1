"""Every query of the table of feedback."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from commerce.feedback.entities import Feedback, Reaction
from commerce.feedback.models import FeedbackRow
from core.database import WriteSession
from core.repository import Repository

RETENTION = timedelta(days=90)  # as long as orders are counted for recommendations
_FORGOTTEN_AT_ONCE = 5_000  # so that no other writer waits for long


class FeedbackRepository(Repository):
    async def said(self, what: Mapping[str, object]) -> Feedback | None:
        """By the columns of SAID."""
        found = await self._session.scalar(select(FeedbackRow).filter_by(**what))
        return _feedback(found) if found is not None else None

    async def reactions(self, since: datetime) -> Sequence[Reaction]:
        """By model, version and kind; an answer counts once for each kind."""
        row = FeedbackRow
        by = (row.model, row.version, row.kind)
        counted = func.count(row.answer_id.distinct())
        rows = await self._session.execute(select(*by, counted).where(row.created_at >= since).group_by(*by))
        return sorted((Reaction(*each) for each in rows), key=lambda each: (each.model, each.version, each.kind))


def _feedback(row: FeedbackRow) -> Feedback:
    return Feedback(
        row.id,
        row.answer_id,
        row.model,
        row.version,
        row.kind,  # type: ignore[arg-type]
        row.product_id or None,
        row.order_id or None,
        row.created_at,
    )


async def forget_old(session: WriteSession, now: datetime) -> int:
    """By parts; returns how many it was."""
    oldest = (
        select(FeedbackRow.id)
        .where(FeedbackRow.created_at < now - RETENTION)
        .order_by(FeedbackRow.created_at)
        .limit(_FORGOTTEN_AT_ONCE)
    )
    found = await session.execute(delete(FeedbackRow).where(FeedbackRow.id.in_(oldest)))
    return int(found.rowcount)  # type: ignore[attr-defined]
