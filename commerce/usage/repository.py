"""Every query of the table of uses."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Table, case, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from commerce.usage.entities import ClientUse, Kind
from commerce.usage.models import UseRow
from core.database import WriteSession
from core.repository import Repository

RETENTION = timedelta(days=400)  # a year, and the shop that opens for a season
_ROWS_AT_ONCE = 1_000  # of seven values: SQLite binds 32,766
_TABLE: Table = UseRow.__table__  # type: ignore[assignment]


class Used(NamedTuple):
    """The primary key of a row."""

    kind: Kind
    subject: str
    client: str
    client_version: str


@dataclass(slots=True)
class Count:
    uses: int
    first: datetime
    last: datetime


class UseRepository(Repository):
    async def by_subject(self, kind: Kind) -> dict[str, list[ClientUse]]:
        """Of all that was ever used; whoever used it last comes first."""
        statement = (
            select(
                UseRow.subject,
                UseRow.client,
                UseRow.client_version,
                UseRow.uses,
                UseRow.first_used_at,
                UseRow.last_used_at,
            )
            .where(UseRow.kind == kind)
            .order_by(UseRow.last_used_at.desc(), UseRow.client, UseRow.client_version)
        )
        found: dict[str, list[ClientUse]] = {}
        for subject, *use in await self._session.execute(statement):
            found.setdefault(subject, []).append(ClientUse(*use))
        return found


async def add_uses(session: WriteSession, counts: Mapping[Used, Count]) -> None:
    """On top of what is there. In the order of their keys, or two processes would wait for each other's rows."""
    dialect: Any = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    rows = [
        {**used._asdict(), "uses": count.uses, "first_used_at": count.first, "last_used_at": count.last}
        for used, count in sorted(counts.items(), key=lambda each: each[0])
    ]
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        insert = dialect.insert(_TABLE).values(rows[start : start + _ROWS_AT_ONCE])
        new = insert.excluded
        later = case((new.last_used_at > _TABLE.c.last_used_at, new.last_used_at), else_=_TABLE.c.last_used_at)
        added = {"uses": _TABLE.c.uses + new.uses, "last_used_at": later}
        await session.execute(insert.on_conflict_do_update(index_elements=list(_TABLE.primary_key), set_=added))


async def forget_unused(session: WriteSession, now: datetime) -> None:
    await session.execute(delete(UseRow).where(UseRow.last_used_at < now - RETENTION))
