"""Whether credentials that were good when a stream began still are: a stream may outlive them by hours."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self

from sqlalchemy import ColumnElement, Row, and_, or_, select

from commerce.accounts.errors import CredentialRevoked, TokenExpired
from commerce.accounts.models import ApiKeyRow, SignInRow, TicketRow, UserRow
from commerce.accounts.principal import SCOPES_OF, Principal
from core.clock import Clock
from core.database import Database, ReadSession
from core.errors import Unauthenticated
from core.hub import Hub
from core.looking import Looking

CREDENTIALS = "credentials"  # of the hub, when some were revoked or what they may do was changed
End = Literal["expired", "revoked"]
OnEnd = Callable[[End], None]
_LOOK_SECONDS = 5.0
_AT_ONCE = 500  # ids in one statement


@dataclass(eq=False, slots=True)
class _Followed:
    principal: Principal
    on_end: OnEnd
    timer: asyncio.TimerHandle | None = None


class CredentialWatch(Looking):
    """`async with CredentialWatch(...) as watch:` One per process. However many are followed, it asks for all at once:
    when credentials were revoked here, and every few seconds for those that were elsewhere.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        hub: Hub,
        *,
        look_seconds: float = _LOOK_SECONDS,
        at_once: int = _AT_ONCE,
    ) -> None:
        super().__init__("credential_watch", hub, CREDENTIALS, look_seconds)
        self._database = database
        self._clock = clock
        self._at_once = at_once
        self._followed: dict[_Followed, None] = {}

    def follow(self, principal: Principal, on_end: OnEnd) -> Callable[[], None]:
        """Calls `on_end` once, in the event loop, when the principal's credential has expired, was revoked, or may do
        something else than it might. It must not wait. Returns what ends the following.
        """
        followed = _Followed(principal, on_end)
        if principal.expires_at is not None:
            left = (principal.expires_at - self._clock.now()).total_seconds()
            loop = asyncio.get_running_loop()
            followed.timer = loop.call_later(max(left, 0.0), self._end, followed, "expired")
        self._followed[followed] = None
        return lambda: self._forget(followed)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        for followed in tuple(self._followed):
            self._forget(followed)

    async def look(self) -> None:
        if not self._followed:
            return
        followed = tuple(self._followed)
        async with self._database.read() as session:
            good = await _Good.read(session, [each.principal for each in followed], self._clock.now(), self._at_once)
        for each in followed:
            if not good.has(each.principal):
                self._end(each, "revoked")

    def _end(self, followed: _Followed, how: End) -> None:
        if followed in self._followed:
            self._forget(followed)
            followed.on_end(how)

    def _forget(self, followed: _Followed) -> None:
        self._followed.pop(followed, None)
        if followed.timer is not None:
            followed.timer.cancel()


def ended(how: End) -> Unauthenticated:
    """What a stream is to tell its client."""
    return TokenExpired() if how == "expired" else CredentialRevoked()


@dataclass(frozen=True, slots=True)
class _Good:
    """What is in the database now of the credentials of some principals."""

    now: datetime
    sign_ins: dict[str, Row[Any]]
    keys: dict[str, Row[Any]]
    tickets: dict[bytes, Row[Any]]

    @classmethod
    async def read(cls, session: ReadSession, principals: Sequence[Principal], now: datetime, at_once: int) -> Self:
        sign_ins = {each.sign_in_id for each in principals if each.sign_in_id is not None}
        keys = {each.id for each in principals if each.kind == "api_key"}
        tickets = {each.ticket.secret_hash for each in principals if each.ticket is not None}
        return cls(
            now,
            await _rows(session, _SIGN_INS.where(SignInRow.expires_at > now), SignInRow.id, sign_ins, at_once),
            await _rows(session, _KEYS, ApiKeyRow.id, keys, at_once),
            await _rows(session, _TICKETS, TicketRow.secret_hash, tickets, at_once),
        )

    def has(self, principal: Principal) -> bool:
        if principal.ticket is not None:
            row = self.tickets.get(principal.ticket.secret_hash)
            if row is None or row.uses != principal.ticket.number:
                return False
        if principal.kind == "api_key":
            return self._has_key(principal)
        if principal.kind == "user":
            row = self.sign_ins.get(str(principal.sign_in_id))
            return row is not None and row.role == principal.role
        return True

    def _has_key(self, principal: Principal) -> bool:
        row = self.keys.get(str(principal.id))
        if row is None:
            return False
        scopes = frozenset(row.scopes)
        may = scopes & SCOPES_OF[row.role] if row.role is not None else scopes
        overlaps = row.previous_hash == principal.key_hash and row.previous_expires_at > self.now
        return (row.role, may) == (principal.role, principal.scopes) and (
            row.secret_hash == principal.key_hash or overlaps
        )


_ACTIVE = and_(UserRow.disabled_at.is_(None), UserRow.deleted_at.is_(None))
_SIGN_INS = select(SignInRow.id, UserRow.role).join(UserRow).where(SignInRow.revoked_at.is_(None), _ACTIVE)
_KEYS = (
    select(
        ApiKeyRow.id,
        ApiKeyRow.scopes,
        ApiKeyRow.secret_hash,
        ApiKeyRow.previous_hash,
        ApiKeyRow.previous_expires_at,
        UserRow.role,
    )
    .outerjoin(UserRow)
    .where(ApiKeyRow.revoked_at.is_(None), or_(ApiKeyRow.user_id.is_(None), _ACTIVE))
)
_TICKETS = select(TicketRow.secret_hash, TicketRow.uses)


async def _rows(
    session: ReadSession, statement: Any, key: Any, wanted: Iterable[Any], at_once: int
) -> dict[Any, Row[Any]]:
    """By their first column."""
    ids, found = list(wanted), {}
    for start in range(0, len(ids), at_once):
        of_these: ColumnElement[bool] = key.in_(ids[start : start + at_once])
        found.update({row[0]: row for row in await session.execute(statement.where(of_these))})
    return found
