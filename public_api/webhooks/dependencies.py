"""Webhooks for endpoints: who may call, and the services of a request."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Header
from pydantic import TypeAdapter

from commerce.accounts.principal import Principal
from commerce.events.envelope import event_source
from commerce.webhooks.jobs import enqueuer
from commerce.webhooks.redelivery import RedeliveryService
from commerce.webhooks.repository import WebhookRepository
from commerce.webhooks.service import EndpointService
from core.database import WriteSession
from core.resources import Resources
from core.web.dependencies import ReadSessionDep, ResourcesDep, WriteSessionDep
from public_api.auth import RequireScope
from public_api.once import Once, OnceDep

C = TypeVar("C")
T = TypeVar("T")
WebhookWriter = Annotated[Principal, Depends(RequireScope("webhooks:write"))]
IfMatch = Annotated[str | None, Header(alias="If-Match", description="ETag that you read: 412 if it has changed.")]


def endpoint_service(session: WriteSession, resources: Resources, principal: Principal) -> EndpointService:
    return EndpointService(
        session,
        resources.clock,
        resources.keyring,
        principal=principal,
        public_only=resources.settings.is_production,
    )


def redelivery_service(session: WriteSession, resources: Resources, principal: Principal) -> RedeliveryService:
    return RedeliveryService(
        session,
        resources.clock,
        enqueuer(resources.jobs),
        principal=principal,
        source=event_source(resources.settings),
    )


async def get_webhooks(session: ReadSessionDep) -> WebhookRepository:
    return WebhookRepository(session)


async def get_endpoints(principal: WebhookWriter, session: WriteSessionDep, resources: ResourcesDep) -> EndpointService:
    return endpoint_service(session, resources, principal)


WebhooksDep = Annotated[WebhookRepository, Depends(get_webhooks, scope="function")]
EndpointsDep = Annotated[EndpointService, Depends(get_endpoints, scope="function")]


@dataclass(frozen=True, slots=True)
class WebhookDesk:
    """Per request. Does a command in a transaction of its own, once for each Idempotency-Key."""

    once: Once
    principal: Principal

    async def with_secret(
        self, command: C, act: Callable[[EndpointService, C], Awaitable[T]], result: TypeAdapter[T]
    ) -> T:
        """What is answered is kept sealed."""

        async def action(session: WriteSession) -> T:
            return await act(endpoint_service(session, self.once.resources, self.principal), command)

        return await self.once.run(command, action, result, secret=True)

    async def redeliver(
        self, command: C, act: Callable[[RedeliveryService, C], Awaitable[T]], result: TypeAdapter[T]
    ) -> T:
        async def action(session: WriteSession) -> T:
            return await act(redelivery_service(session, self.once.resources, self.principal), command)

        return await self.once.run(command, action, result)


async def get_desk(principal: WebhookWriter, once: OnceDep) -> WebhookDesk:
    return WebhookDesk(once, principal)


DeskDep = Annotated[WebhookDesk, Depends(get_desk)]
