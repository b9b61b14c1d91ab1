"""What can be done to endpoints. Callers own the transaction; nothing here commits."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select

from commerce.accounts.errors import MissingScope
from commerce.accounts.principal import Principal
from commerce.audit.log import AuditLog
from commerce.catalog.text import is_storable
from commerce.events.visibility import SEEING
from commerce.webhooks.commands import CreateEndpoint, RotateSecret, UpdateEndpoint, check_reachable
from commerce.webhooks.entities import Endpoint, NewEndpoint, endpoint
from commerce.webhooks.errors import EndpointNotFound, TooManyEndpoints
from commerce.webhooks.lanes import abandon_open
from commerce.webhooks.models import EndpointRow
from commerce.webhooks.repository import WebhookRepository, belongs_to
from commerce.webhooks.signing import new_secret
from core.clock import Clock
from core.database import WriteSession
from core.errors import StaleVersion
from core.eventlog import EventLog
from core.ids import new_id
from core.sealing import Keyring

OVERLAP = timedelta(hours=24)  # for which the secret before signs too
MAX_ENDPOINTS = 20  # of one person


class EndpointService:
    """Per transaction. `public_only`: addresses must be on the public internet, and https."""

    def __init__(
        self, session: WriteSession, clock: Clock, keyring: Keyring, *, principal: Principal, public_only: bool
    ) -> None:
        self._session = session
        self._clock = clock
        self._keyring = keyring
        self._principal = principal
        self._public_only = public_only
        self._audit = AuditLog(session, clock, principal.name)

    async def create(self, command: CreateEndpoint) -> NewEndpoint:
        """Raises InvalidEndpoint, TooManyEndpoints."""
        self._check(command.url)
        await self._require_room()
        secret, now = new_secret(), self._clock.now()
        row = EndpointRow(
            id=new_id("whe"),
            user_id=self._principal.user_id,
            scopes=sorted(self._principal.scopes) if self._principal.kind == "api_key" else None,
            url=command.url,
            description=command.description,
            types=list(command.types),
            after_position=await EventLog(self._session).newest(),
            secret=self._keyring.seal(secret.encode()),
            previous_secret=None,
            previous_secret_ends_at=None,
            state="enabled",
            reason=None,
            failures=0,
            failing_since=None,
            paused_until=None,
            last_success_at=None,
            version=1,
            created_at=now,
            updated_at=now,
        )
        self._session.add(row)
        await self._session.flush()
        await self._audit.record("webhook_endpoint.create", row.id, None, _audited(row))
        return NewEndpoint(endpoint(row), secret)

    async def update(self, command: UpdateEndpoint) -> Endpoint:
        """A change that alters nothing writes nothing. An endpoint that is enabled again starts without its failures;
        what waits for one that is disabled is abandoned.

        Raises EndpointNotFound, StaleVersion, InvalidEndpoint, MissingScope.
        """
        row = await self._locked(command.endpoint_id)
        if command.expected_version is not None and command.expected_version != row.version:
            raise StaleVersion(f"the endpoint is at version {row.version}, not {command.expected_version}")
        before = _audited(row)
        for name in ("url", "description", "state"):
            value = getattr(command, name)
            if value is not None:
                setattr(row, name, value)
        if command.types is not None:
            row.types = list(command.types)
        if _audited(row) == before:
            return endpoint(row)
        if row.url != before["url"]:
            self._check(row.url)
            await self._require_sight(row)
        row.version, row.updated_at = row.version + 1, self._clock.now()
        if row.state != before["state"]:
            row.reason, row.failures, row.failing_since, row.paused_until = None, 0, None, None
            row.after_position = await EventLog(self._session).newest()
        await self._session.flush()
        if row.state == "disabled":
            await abandon_open(self._session, row.id, row.updated_at, "the endpoint was disabled")
        await self._audit.record("webhook_endpoint.update", row.id, before, _audited(row))
        return endpoint(row)

    async def rotate(self, command: RotateSecret) -> NewEndpoint:
        """The present secret signs beside the new one for a day; one before that ends now. Raises EndpointNotFound."""
        row = await self._locked(command.endpoint_id)
        secret, now = new_secret(), self._clock.now()
        row.previous_secret, row.previous_secret_ends_at = row.secret, now + OVERLAP
        row.secret = self._keyring.seal(secret.encode())
        row.version, row.updated_at = row.version + 1, now
        await self._session.flush()
        after = {"secret_before_ends": _text(row.previous_secret_ends_at)}
        await self._audit.record("webhook_endpoint.rotate", row.id, None, after)
        return NewEndpoint(endpoint(row), secret)

    async def delete(self, endpoint_id: str) -> None:
        """With its deliveries. Raises EndpointNotFound."""
        row = await self._locked(endpoint_id)
        await self._session.execute(delete(EndpointRow).where(EndpointRow.id == endpoint_id))
        await self._audit.record("webhook_endpoint.delete", endpoint_id, _audited(row), None)

    async def _locked(self, endpoint_id: str) -> EndpointRow:
        return await locked_endpoint(self._session, endpoint_id, self._principal)

    async def _require_room(self) -> None:
        if self._principal.user_id is None:
            return
        own = select(func.count()).where(EndpointRow.user_id == self._principal.user_id)
        if int(await self._session.scalar(own) or 0) >= MAX_ENDPOINTS:
            raise TooManyEndpoints(f"there are {MAX_ENDPOINTS} endpoints of yours")

    async def _require_sight(self, row: EndpointRow) -> None:
        """Nobody sends to an address of theirs what they may not read."""
        viewer = await WebhookRepository(self._session).viewer(row.user_id, row.scopes)
        beyond = (viewer.scopes if viewer is not None else SEEING) & SEEING - self._principal.scopes
        if viewer is not None and viewer.chats and not self._principal.chats:
            beyond |= {"support:write"}
        if beyond:
            raise MissingScope(f"the endpoint is sent what needs {', '.join(sorted(beyond))}")

    def _check(self, url: str) -> None:
        if self._public_only:
            check_reachable(url)


async def locked_endpoint(session: WriteSession, endpoint_id: str, principal: Principal) -> EndpointRow:
    """Whoever changes an endpoint or its queue holds this lock. Raises EndpointNotFound."""
    row: EndpointRow | None = None
    if is_storable(endpoint_id):
        mine = select(EndpointRow).where(EndpointRow.id == endpoint_id, belongs_to(principal))
        row = (await session.execute(mine.with_for_update())).scalar_one_or_none()
    if row is None:
        raise EndpointNotFound(f"no webhook endpoint {endpoint_id[:40]!r}")
    return row


def _audited(row: EndpointRow) -> Mapping[str, Any]:
    return {
        "url": row.url,
        "description": row.description,
        "types": row.types,
        "state": row.state,
        "user_id": row.user_id,
        "scopes": row.scopes,
    }


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
