"""Commands that are done once, however often they are sent (draft-ietf-httpapi-idempotency-key-header).

The key, a fingerprint of the command and its outcome are written in the transaction of the command itself: there is no
moment at which one is stored and the other is not. What is kept is the domain's result, not a response, so that a key
that was used over REST gives the same order over GraphQL. No HTTP here: the headers are `core.web.idempotency`'s.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter
from pydantic_core import from_json, to_json
from sqlalchemy import Boolean, LargeBinary, String, and_, bindparam, delete, insert, select, text
from sqlalchemy.orm import Mapped, mapped_column

from core import failpoints
from core.clock import Clock
from core.database import Base, Database, WriteSession, table_of
from core.errors import AppError, Conflict, Denied, FieldError, Invalid, NotFound, error_classes
from core.prepared import Prepared
from core.sealing import Keyring

T = TypeVar("T")
RETENTION = timedelta(hours=48)
# What a command may answer for good. Anything else (away, too many, a bug) may go better next time, and is not kept.
_REFUSALS = (Conflict, Denied, Invalid, NotFound)
_EVERY_ERRORS = {"detail", "errors", "retry_after_seconds", "replayed"}  # fields; any other is a subclass's own


class IdempotencyKeyReused(Invalid):
    """This Idempotency-Key was used for another request. Make a new key for each thing that you want done."""

    code = "idempotency_key_reused"
    title = "Idempotency key reused"


class IdempotencyInProgress(Conflict):
    """A request with this Idempotency-Key is still running. Send it again in a moment, and get its answer."""

    code = "idempotency_in_progress"
    title = "Still in progress"
    retryable = True


class IdempotencyRow(Base):
    __tablename__ = "idempotency_keys"

    principal: Mapped[str] = mapped_column(String, primary_key=True)
    key: Mapped[str] = mapped_column(String, primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    refused: Mapped[bool] = mapped_column(Boolean)
    sealed: Mapped[bool] = mapped_column(Boolean)
    outcome: Mapped[bytes] = mapped_column(LargeBinary)  # JSON
    expires_at: Mapped[datetime] = mapped_column(index=True)


_TABLE = table_of(IdempotencyRow)
_KEPT = and_(IdempotencyRow.principal == bindparam("principal"), IdempotencyRow.key == bindparam("key"))


@dataclass(frozen=True, slots=True)
class _Stored:
    fingerprint: bytes
    refused: bool
    sealed: bool
    outcome: bytes
    expires_at: datetime


_FIND = Prepared(select(*(_TABLE.c[field.name] for field in fields(_Stored))).where(_KEPT))
_INSERT = Prepared(insert(_TABLE), _TABLE.c.keys())


@dataclass(frozen=True, slots=True)
class OnceKey:
    """A caller's key; those of two principals have nothing to do with each other."""

    principal: str
    key: str


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """`replayed`: nothing was done now, this is what was answered before."""

    value: T
    replayed: bool


class Idempotency:
    """Per process."""

    def __init__(self, database: Database, clock: Clock, keyring: Keyring) -> None:
        self._database = database
        self._clock = clock
        self._keyring = keyring
        self._running: set[OnceKey] = set()

    async def run(
        self,
        once: OnceKey | None,
        command: object,
        action: Callable[[WriteSession], Awaitable[T]],
        result: TypeAdapter[T],
        *,
        secret: bool = False,
    ) -> Answer[T]:
        """Runs the action in one write transaction, or answers what it answered before. Without a key it just runs.

        `command` is a dataclass with everything that the action depends on; `result` reads and writes what it returns.
        Refusals that the action raises are kept too; fields of their own are plain values, as JSON has them. With
        `secret` the outcome is stored encrypted. Raises IdempotencyKeyReused, IdempotencyInProgress, what the
        action raises, and what `Database.write` raises; a refusal that is replayed has `replayed` set.
        """
        with failpoints.running(type(command).__name__):
            if once is None:
                async with self._database.write() as session:
                    return Answer(await action(session), replayed=False)
            async with self._claimed(once), self._database.write() as session:
                await _claim(session, once)
                fingerprint = self._fingerprint(command)
                stored = await self._stored(session, once, fingerprint)
                if stored is None:
                    outcome = await _attempt(session, action)
                    await _INSERT.run(session, self._row(once, fingerprint, outcome, result, secret=secret))
            # Only here is the transaction committed, the refusal's too.
            if stored is None:
                if isinstance(outcome, AppError):
                    raise outcome
                return Answer(outcome, replayed=False)
            return self._replayed(stored, result)

    @asynccontextmanager
    async def _claimed(self, once: OnceKey) -> AsyncIterator[None]:
        """Two requests with one key in one process: the second is told at once, and waits for no connection."""
        if once in self._running:
            raise IdempotencyInProgress(retry_after_seconds=1)
        self._running.add(once)
        try:
            yield
        finally:
            self._running.discard(once)

    async def _stored(self, session: WriteSession, once: OnceKey, fingerprint: bytes) -> _Stored | None:
        rows = await _FIND.run(session, asdict(once))
        stored = _Stored(*rows[0]) if rows else None
        if stored is not None and stored.expires_at <= self._clock.now():
            await session.execute(delete(IdempotencyRow).where(_KEPT), asdict(once))
            return None
        if stored is not None and stored.fingerprint != fingerprint:
            fault = FieldError("/header/Idempotency-Key", IdempotencyKeyReused.code, "used for another request before")
            raise IdempotencyKeyReused(errors=(fault,))
        return stored

    def _fingerprint(self, command: object) -> bytes:
        canonical = json.dumps(from_json(to_json(command)), sort_keys=True, separators=(",", ":"))
        return self._keyring.fingerprint(f"{type(command).__name__}\0{canonical}".encode())

    def _row(
        self, once: OnceKey, fingerprint: bytes, outcome: T | AppError, result: TypeAdapter[T], *, secret: bool
    ) -> dict[str, Any]:
        refused = isinstance(outcome, AppError)
        plain = _refusal_json(outcome) if isinstance(outcome, AppError) else result.dump_json(outcome)
        return {
            "principal": once.principal,
            "key": once.key,
            "fingerprint": fingerprint,
            "refused": refused,
            "sealed": secret,
            "outcome": self._keyring.seal(plain) if secret else plain,
            "expires_at": self._clock.now() + RETENTION,
        }

    def _replayed(self, stored: _Stored, result: TypeAdapter[T]) -> Answer[T]:
        plain = self._keyring.open(stored.outcome) if stored.sealed else stored.outcome
        if stored.refused:
            raise _refusal(from_json(plain))
        return Answer(result.validate_json(plain), replayed=True)


async def forget_expired(session: WriteSession, now: datetime) -> None:
    await session.execute(delete(IdempotencyRow).where(IdempotencyRow.expires_at <= now))


async def _claim(session: WriteSession, once: OnceKey) -> None:
    """Two requests with one key in two processes. SQLite has one process and one writer, so that it needs none."""
    if session.get_bind().dialect.name == "postgresql":
        digest = hashlib.sha256(f"{once.principal}\0{once.key}".encode()).digest()
        number = int.from_bytes(digest[:8], signed=True)
        if not await session.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": number}):
            raise IdempotencyInProgress(retry_after_seconds=1)


async def _attempt(session: WriteSession, action: Callable[[WriteSession], Awaitable[T]]) -> T | AppError:
    """The action's result, or its refusal, which leaves nothing behind."""
    try:
        async with session.begin_nested():
            return await action(session)
    except _REFUSALS as refusal:
        return refusal


def _refusal_json(error: AppError) -> bytes:
    faults = [(fault.pointer, fault.code, fault.message) for fault in error.errors]
    more = {name: value for name, value in vars(error).items() if name not in _EVERY_ERRORS}
    return to_json({"code": error.code, "detail": error.detail, "errors": faults, "more": more})


def _refusal(stored: dict[str, Any]) -> AppError:
    kind = error_classes()[stored["code"]]
    error = kind.__new__(kind)
    AppError.__init__(error, stored["detail"], errors=tuple(FieldError(*fault) for fault in stored["errors"]))
    vars(error).update(stored["more"], replayed=True)
    return error
