"""Every query of the table of receipts."""

from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select

from commerce.receipts.entities import Receipt
from commerce.receipts.models import ReceiptRow
from core.bulk import insert_rows
from core.database import WriteSession, table_of
from core.repository import Repository

RETENTION = timedelta(hours=24)
_FORGOTTEN_AT_ONCE = 5_000  # so that no other writer waits for long
_COLUMNS = [getattr(ReceiptRow, each.name) for each in fields(Receipt)]


class ReceiptRepository(Repository):
    async def of_request(self, request_id: str, now: datetime) -> list[Receipt]:
        """Newest first, of all requests that had this id in the last day."""
        statement = (
            select(*_COLUMNS)
            .where(ReceiptRow.request_id == request_id, ReceiptRow.at >= now - RETENTION)
            .order_by(ReceiptRow.at.desc(), ReceiptRow.position.desc())
        )
        return [_receipt(row) for row in await self._session.execute(statement)]


def _receipt(row: Sequence[Any]) -> Receipt:
    found = Receipt(*row)
    pairs = {part: (count, seconds) for part, (count, seconds) in found.parts.items()}  # which JSON has as lists
    return replace(found, parts=pairs)


async def add_receipts(session: WriteSession, receipts: Sequence[Receipt]) -> None:
    await insert_rows(session, table_of(ReceiptRow), [asdict(receipt) for receipt in receipts])


async def forget_old(session: WriteSession, now: datetime) -> int:
    """By parts; returns how many it was."""
    oldest = (
        select(ReceiptRow.position)
        .where(ReceiptRow.at < now - RETENTION)
        .order_by(ReceiptRow.at)
        .limit(_FORGOTTEN_AT_ONCE)
    )
    found = await session.execute(delete(ReceiptRow).where(ReceiptRow.position.in_(oldest)))
    return int(found.rowcount)  # type: ignore[attr-defined]
