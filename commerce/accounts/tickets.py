"""Tickets: what stands for a credential in an address, where no header can be sent, as browsers cannot for streams.

An address is written down in many places, so that a ticket is good for one thing and not for long.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row, delete, insert, select, true, update

from commerce.accounts.authentication import principal_of_claims, principal_of_key
from commerce.accounts.errors import InvalidTicket
from commerce.accounts.models import SignInRow, TicketRow
from commerce.accounts.principal import Principal, TicketUse
from commerce.accounts.throttling import admit_credential
from commerce.accounts.tokens import Claims
from commerce.accounts.watch import CREDENTIALS
from core.clock import Clock
from core.database import ReadSession, WriteSession, announce
from core.errors import Unauthenticated
from core.resources import Resources

# `websocket` is good once. `events` opens GET /events/stream again and again, one at a time, for an EventSource comes
# back with the address that it has.
Use = Literal["websocket", "events"]
WEBSOCKET_LIFETIME = timedelta(seconds=30)
EVENTS_LIFETIME = timedelta(minutes=15)  # at most that of an access token
_TICKET = re.compile(r"tkt_[\w-]{43}")
_ROW: list[Any] = [
    TicketRow.use,
    TicketRow.sign_in_id,
    TicketRow.key_id,
    TicketRow.key_hash,
    TicketRow.token_expires_at,
    TicketRow.expires_at,
    TicketRow.uses,
]


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A ticket at the moment of its making: the only time that it is known."""

    ticket: str = field(repr=False)
    use: Use
    expires_at: datetime


async def issue_ticket(session: WriteSession, clock: Clock, principal: Principal, use: Use) -> NewTicket:
    """For a person or an API key. It ends with the credential that asks for it, at the latest."""
    now = clock.now()
    ticket = f"tkt_{secrets.token_urlsafe(32)}"
    ends = [now + (WEBSOCKET_LIFETIME if use == "websocket" else EVENTS_LIFETIME)]
    if principal.expires_at is not None:
        ends.append(principal.expires_at)
    values = {
        "secret_hash": _hash(ticket),
        "use": use,
        "sign_in_id": principal.sign_in_id,
        "key_id": principal.id if principal.kind == "api_key" else None,
        "key_hash": principal.key_hash,
        "token_expires_at": principal.expires_at if principal.kind == "user" else None,
        "created_at": now,
        "expires_at": min(ends),
        "uses": 0,
    }
    await session.execute(insert(TicketRow).values(**values))
    return NewTicket(ticket, use, min(ends))


async def principal_of_ticket(ticket: str, use: Use, resources: Resources, address: str = "") -> Principal:
    """Whom it stands for, as they are now; this counts as its use. Raises InvalidTicket, and QuotaExceeded before it
    looks.
    """
    if not _TICKET.fullmatch(ticket):
        raise InvalidTicket
    secret_hash, now = _hash(ticket), resources.clock.now()
    await admit_credential(resources, secret_hash, "ticket", address)
    good = (TicketRow.secret_hash == secret_hash, TicketRow.use == use, TicketRow.expires_at > now)
    async with resources.database.read() as session:  # what is no ticket at all waits for no writer
        if await session.scalar(select(TicketRow.use).where(*good)) is None:
            raise InvalidTicket
    async with resources.database.write() as session:
        unused = TicketRow.uses == 0 if use == "websocket" else true()
        used = update(TicketRow).where(*good, unused).values(uses=TicketRow.uses + 1).returning(*_ROW)
        row = (await session.execute(used)).one_or_none()
        if row is None:
            raise InvalidTicket
        principal = await _asker(session, row, now)
        if row.uses > 1:
            announce(session, CREDENTIALS)
    if use == "websocket":
        return principal
    return replace(principal, expires_at=row.expires_at, ticket=TicketUse(secret_hash, row.uses))


async def _asker(session: ReadSession, row: Row[Any], now: datetime) -> Principal:
    try:
        if row.key_id is not None:
            principal, _ = await principal_of_key(session, row.key_id, row.key_hash, now)
            return principal
        user_id = await session.scalar(select(SignInRow.user_id).where(SignInRow.id == row.sign_in_id))
        return await principal_of_claims(session, Claims(user_id, row.sign_in_id, "public", row.token_expires_at), now)
    except Unauthenticated:
        raise InvalidTicket("who asked for this ticket may not come in any more") from None


async def forget_expired(session: WriteSession, now: datetime) -> None:
    await session.execute(delete(TicketRow).where(TicketRow.expires_at <= now))


def _hash(ticket: str) -> bytes:
    """Fast, because the ticket has 256 random bits."""
    return hashlib.sha256(ticket.encode()).digest()
