"""What can be done to flags. Callers own the transaction; nothing here commits."""

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import delete, update

from commerce.audit.log import AuditLog
from commerce.flags.entities import Flag
from commerce.flags.errors import FlagNotFound
from commerce.flags.models import FlagRow
from commerce.flags.repository import FlagRepository
from commerce.flags.rules import canonical, check_target
from core.bulk import insert_missing
from core.clock import Clock
from core.database import WriteSession, announce, table_of
from core.errors import FieldError, Invalid

FLAGS = "flags"  # of the hub, when one has changed


class FlagService:
    """Per transaction. `known` are the mounts and routes that there are."""

    def __init__(self, session: WriteSession, clock: Clock, *, actor: str, known: Collection[str] = ()) -> None:
        self._session = session
        self._clock = clock
        self._known = known
        self._flags = FlagRepository(session)
        self._audit = AuditLog(session, clock, actor)

    async def switch_off(
        self, target: str, *, reason: str, message: str | None = None, expires_at: datetime | None = None
    ) -> Flag:
        """In place of what was said of it before. Raises UnknownTarget, NotSwitchable, Invalid."""
        target, now = canonical(target), self._clock.now()
        check_target(target, self._known)
        if expires_at is not None and expires_at <= now:
            fault = FieldError("/expires_at", "past", "is not in the future")
            raise Invalid("a flag that has expired switches nothing off", errors=(fault,))
        flag = Flag(target, reason, message, self._audit.actor, now, expires_at)
        made = await insert_missing(self._session, table_of(FlagRow), [asdict(flag)])
        before = None if made else await self._flags.lock(target)
        await self._session.execute(update(FlagRow).where(FlagRow.target == target).values(asdict(flag)))
        await self._changed("flag.switch_off", target, _state(before, now), _state(flag, now))
        return flag

    async def switch_on(self, target: str, *, reason: str) -> None:
        """Raises FlagNotFound."""
        target, now = canonical(target), self._clock.now()
        before = await self._flags.lock(target)
        if before is None or not before.holds(now):
            raise FlagNotFound(f"{target[:200]!r} is not switched off")
        await self._session.execute(delete(FlagRow).where(FlagRow.target == target))
        await self._changed("flag.switch_on", target, _state(before, now), {**_state(None, now), "reason": reason})

    async def _changed(self, action: str, target: str, before: dict[str, Any], after: dict[str, Any]) -> None:
        await self._audit.record(action, target, before, after)
        announce(self._session, FLAGS)


def _state(flag: Flag | None, now: datetime) -> dict[str, Any]:
    if flag is None or not flag.holds(now):
        return {"off": False, "reason": None, "message": None, "expires_at": None}
    expires_at = flag.expires_at.isoformat() if flag.expires_at is not None else None
    return {"off": True, "reason": flag.reason, "message": flag.message, "expires_at": expires_at}
