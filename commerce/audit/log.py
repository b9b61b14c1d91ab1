"""Writing and reading the audit log: one entry for every change, in the transaction of the change."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from commerce.audit.models import AuditRow
from core.clock import Clock
from core.context import current_request_id
from core.database import WriteSession, table_of
from core.prepared import Prepared
from core.repository import Repository

SYSTEM = "system"  # the program itself: seeds, clean-up


@dataclass(frozen=True, slots=True)
class AuditEntry:
    position: int
    at: datetime
    actor: str
    request_id: str
    action: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


_COLUMNS = [getattr(AuditRow, field.name) for field in fields(AuditEntry)]
_TABLE = table_of(AuditRow)
_INSERT = Prepared(insert(_TABLE).inline(), [column.key for column in _TABLE.c if column.key != "position"])


class AuditLog:
    """Per transaction. `actor` is `Principal.name`, `cli` or SYSTEM. Secrets are the caller's to leave out."""

    def __init__(self, session: WriteSession, clock: Clock, actor: str) -> None:
        self._session = session
        self._clock = clock
        self.actor = actor

    async def record(
        self, action: str, subject: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
    ) -> None:
        """Keeps the fields that differ. Values must be what JSON can hold; None says that there was, or is, nothing."""
        if before is not None and after is not None:
            changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
            before = {name: value for name, value in before.items() if name in changed}
            after = {name: value for name, value in after.items() if name in changed}
        values = {
            "at": self._clock.now(),
            "actor": self.actor,
            "request_id": current_request_id(),
            "action": action,
            "subject": subject,
            "before": before,
            "after": after,
        }
        await _INSERT.run(self._session, values)


class AuditRepository(Repository):
    async def newest(
        self,
        *,
        before: int | None = None,
        limit: int = 50,
        actor: str | None = None,
        subject: str | None = None,
        action: str | None = None,
    ) -> tuple[list[AuditEntry], bool]:
        """Entries from the newest back, those before the position `before`; and whether there are more."""
        statement = select(*_COLUMNS).order_by(AuditRow.position.desc()).limit(limit + 1)
        if before is not None:
            statement = statement.where(AuditRow.position < before)
        if actor is not None:
            statement = statement.where(AuditRow.actor == actor)
        if subject is not None:
            statement = statement.where(AuditRow.subject == subject)
        if action is not None:
            statement = statement.where(AuditRow.action == action)
        rows = (await self._session.execute(statement)).all()
        return [AuditEntry(*row) for row in rows[:limit]], len(rows) > limit
