"""What can be done to the limits of single callers. Callers own the transaction; nothing here commits."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import delete, select, update

from commerce.accounts.models import ApiKeyRow, UserRow
from commerce.audit.log import AuditLog
from commerce.limits.entities import Override, Terms
from commerce.limits.errors import ExpiryInThePast, LimitSubjectNotFound, OverrideNotFound
from commerce.limits.models import EVERYBODY, RateLimitRow
from commerce.limits.repository import LimitRepository
from commerce.limits.subjects import Subject
from core.clock import Clock
from core.database import WriteSession, announce
from core.errors import FieldError

LIMITS = "rate-limits"  # of the hub, when an override has changed


class LimitService:
    """Per transaction. One writer at a time, in all processes; each takes out what has expired."""

    def __init__(self, session: WriteSession, clock: Clock, *, actor: str) -> None:
        self._session = session
        self._clock = clock
        self._audit = AuditLog(session, clock, actor)

    async def set(self, subject: Subject, terms: Terms) -> Override:
        """Instead of what was there. Setting the same again changes nothing.

        Raises LimitSubjectNotFound, ExpiryInThePast.
        """
        now = self._clock.now()
        if terms.expires_at is not None and terms.expires_at <= now:
            fault = FieldError("/expires_at", ExpiryInThePast.code, "it is not later than now")
            raise ExpiryInThePast(errors=(fault,))
        await self._require(subject)
        before = await self._lock(subject)
        if before is not None and before.terms == terms:
            return before
        await self._session.execute(delete(RateLimitRow).where(RateLimitRow.subject == subject.name))
        self._session.add(RateLimitRow(subject=subject.name, **asdict(terms), changed_at=now, revision=0))
        await self._changed()
        await self._audit.record("rate_limit.set", subject.name, _audited(before), _audited_terms(terms))
        return Override(subject.name, terms, now)

    async def remove(self, subject: Subject) -> None:
        """Raises OverrideNotFound."""
        before = await self._lock(subject)
        if before is None:
            raise OverrideNotFound(f"{subject.name} has no limit of its own")
        await self._session.execute(delete(RateLimitRow).where(RateLimitRow.subject == subject.name))
        await self._changed()
        await self._audit.record("rate_limit.delete", subject.name, _audited(before), None)

    async def _require(self, subject: Subject) -> None:
        """Addresses need not have been seen."""
        statements = {
            "api_key": select(ApiKeyRow.id).where(ApiKeyRow.id == subject.id, ApiKeyRow.revoked_at.is_(None)),
            "user": select(UserRow.id).where(UserRow.id == subject.id, UserRow.deleted_at.is_(None)),
        }
        statement = statements.get(subject.kind)
        if statement is not None and await self._session.scalar(statement) is None:
            raise LimitSubjectNotFound(f"there is no {subject.name}")

    async def _lock(self, subject: Subject) -> Override | None:
        everybody = select(RateLimitRow.subject).where(RateLimitRow.subject == EVERYBODY)
        await self._session.execute(everybody.with_for_update())
        return await LimitRepository(self._session).find(subject.name, self._clock.now())

    async def _changed(self) -> None:
        await self._session.execute(delete(RateLimitRow).where(RateLimitRow.expires_at <= self._clock.now()))
        values = {"revision": RateLimitRow.revision + 1}
        await self._session.execute(update(RateLimitRow).where(RateLimitRow.subject == EVERYBODY).values(values))
        announce(self._session, LIMITS)


def _audited(override: Override | None) -> dict[str, Any] | None:
    return _audited_terms(override.terms) if override is not None else None


def _audited_terms(terms: Terms) -> dict[str, Any]:
    ends = terms.expires_at.isoformat() if terms.expires_at is not None else None
    return asdict(terms) | {"expires_at": ends}
