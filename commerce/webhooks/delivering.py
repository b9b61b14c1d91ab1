"""One attempt of one delivery: begun, sent, and its outcome written, with what follows from it."""

import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

import structlog
from sqlalchemy import select

from commerce.webhooks.content import TEST
from commerce.webhooks.lanes import Enqueue, Lanes, abandon_open
from commerce.webhooks.models import DeliveryRow, EndpointRow
from commerce.webhooks.repository import WebhookRepository
from commerce.webhooks.schedule import LONGEST_ATTEMPT, Uniform, is_broken, next_delay, note_failure, note_success
from commerce.webhooks.sending import Answer, Send
from commerce.webhooks.signing import signed_headers
from core import tracing
from core.clock import Clock
from core.database import WriteSession
from core.sealing import Keyring

log = structlog.get_logger("portico.webhooks")
Transaction = Callable[[], AbstractAsyncContextManager[WriteSession]]


@dataclass(frozen=True, slots=True)
class _Attempt:
    delivery_id: str
    endpoint_id: str
    dispatch: int
    url: str
    event_id: str
    body: bytes
    secrets: list[str] = field(repr=False)


class Deliverer:
    """Per attempt. No transaction is open while the request is sent."""

    def __init__(
        self,
        transaction: Transaction,
        clock: Clock,
        keyring: Keyring,
        send: Send,
        enqueue: Enqueue,
        *,
        uniform: Uniform = random.uniform,
    ) -> None:
        self._transaction = transaction
        self._clock = clock
        self._keyring = keyring
        self._send = send
        self._enqueue = enqueue
        self._uniform = uniform

    async def attempt(self, delivery_id: str, dispatch: int) -> None:
        """Does nothing where the delivery was meanwhile scheduled anew, or is over."""
        attempt = await self._begin(delivery_id, dispatch)
        if attempt is None:
            return
        answer = await self._sent(attempt)
        log.info(
            "webhook_sent",
            delivery=attempt.delivery_id,
            endpoint=attempt.endpoint_id,
            webhook_event=attempt.event_id,
            status=answer.status,
            duration_ms=answer.duration_ms,
        )
        await self._finish(attempt, answer)

    async def _sent(self, attempt: _Attempt) -> Answer:
        """The trace shows whom it went to, not the address, which may hold a secret."""
        headers = signed_headers(attempt.event_id, attempt.body, self._clock.now(), attempt.secrets)
        told = {"server__address": urlsplit(attempt.url).hostname or "", "portico__event__id": attempt.event_id}
        with tracing.part("POST webhook", "client", http__request__method="POST", **told) as span:
            traceparent = tracing.traceparent()
            if traceparent is not None:
                headers = {**headers, "traceparent": traceparent}
            answer = await self._send(attempt.url, headers, attempt.body)
            if answer.status is not None:
                span.tell(http__response__status_code=answer.status)
            if not answer.accepted:
                span.fail(str(answer.status or "unanswered"))
        return answer

    async def _begin(self, delivery_id: str, dispatch: int) -> _Attempt | None:
        async with self._transaction() as session:
            found = await _locked(session, delivery_id)
            if found is None:
                return None
            endpoint, delivery = found
            if delivery.dispatch != dispatch or delivery.next_attempt_at is None:
                return None
            now = self._clock.now()
            if not await self._may_receive(session, endpoint):
                await abandon_open(session, endpoint.id, now, "the endpoint is not enabled")
                return None
            if endpoint.paused_until is not None and endpoint.paused_until > now:
                await self._wait(session, delivery, endpoint.paused_until, now)
                return None
            if await Lanes(session, self._enqueue, now).is_full(delivery):
                delivery.next_attempt_at = delivery.sending_since = None  # the end of one of those schedules it
                return None
            if endpoint.paused_until is not None:
                endpoint.paused_until = now + LONGEST_ATTEMPT  # this one is tried, the others wait to see
            delivery.sending_since = now
            return _Attempt(
                delivery_id=delivery.id,
                endpoint_id=endpoint.id,
                dispatch=dispatch,
                url=endpoint.url,
                event_id=delivery.event_id,
                body=delivery.body,
                secrets=self._secrets(endpoint, now),
            )

    async def _may_receive(self, session: WriteSession, endpoint: EndpointRow) -> bool:
        if endpoint.state != "enabled":
            return False
        return endpoint.user_id is None or bool(await WebhookRepository(session).owners({endpoint.user_id}))

    async def _wait(self, session: WriteSession, delivery: DeliveryRow, until: datetime, now: datetime) -> None:
        delay = (until - now) * self._uniform(1.0, 1.2)
        await Lanes(session, self._enqueue, now).schedule(delivery, delay)

    def _secrets(self, endpoint: EndpointRow, now: datetime) -> list[str]:
        sealed = [endpoint.secret]
        ends_at = endpoint.previous_secret_ends_at
        if endpoint.previous_secret is not None and ends_at is not None and ends_at > now:
            sealed.append(endpoint.previous_secret)
        return [self._keyring.open(each).decode() for each in sealed]

    async def _finish(self, attempt: _Attempt, answer: Answer) -> None:
        async with self._transaction() as session:
            found = await _locked(session, attempt.delivery_id)
            if found is None:
                return
            endpoint, delivery = found
            now = self._clock.now()
            if delivery.dispatch != attempt.dispatch or delivery.sending_since is None:
                return  # another worker took it over, and has said how it went
            _note(delivery, answer, now)
            if answer.accepted:
                note_success(endpoint, now)
                delivery.state, delivery.next_attempt_at = "delivered", None
            else:
                note_failure(endpoint, now)
                await self._failed(session, endpoint, delivery, answer, now)
            lanes = Lanes(session, self._enqueue, now)
            if delivery.type == TEST:
                await lanes.advance(endpoint.id, delivery.subject)
            await lanes.refill(endpoint.id)

    async def _failed(
        self, session: WriteSession, endpoint: EndpointRow, delivery: DeliveryRow, answer: Answer, now: datetime
    ) -> None:
        delivery.failures += 1
        if delivery.state == "abandoned":  # while it was sent
            return
        delay = next_delay(delivery.failures, answer.retry_after, self._uniform) if delivery.type != TEST else None
        if answer.gone:
            await self._give_up(session, endpoint, now, "disabled", "it answered 410 Gone")
        elif delay is not None:
            delivery.state = "failed"
            await Lanes(session, self._enqueue, now).schedule(delivery, delay)
        else:
            delivery.state, delivery.next_attempt_at = "abandoned", None
            if delivery.type != TEST and is_broken(endpoint, now):
                await self._give_up(session, endpoint, now, "broken", f"it took nothing since {endpoint.failing_since}")

    async def _give_up(
        self, session: WriteSession, endpoint: EndpointRow, now: datetime, state: str, reason: str
    ) -> None:
        log.warning("webhook_endpoint_given_up", endpoint=endpoint.id, state=state, reason=reason)
        endpoint.state, endpoint.reason = state, reason
        endpoint.version, endpoint.updated_at = endpoint.version + 1, now
        await abandon_open(session, endpoint.id, now, f"the endpoint is {state}: {reason}")


async def _locked(session: WriteSession, delivery_id: str) -> tuple[EndpointRow, DeliveryRow] | None:
    """The endpoint first, as everybody does; then the delivery as it is under that lock."""
    owner = select(DeliveryRow.endpoint_id).where(DeliveryRow.id == delivery_id).scalar_subquery()
    locked = select(EndpointRow).where(EndpointRow.id == owner).with_for_update()
    endpoint: EndpointRow | None = (await session.execute(locked)).scalar_one_or_none()
    if endpoint is None:
        return None
    delivery = await session.get_one(DeliveryRow, delivery_id)
    return endpoint, delivery


def _note(delivery: DeliveryRow, answer: Answer, now: datetime) -> None:
    delivery.attempts += 1
    delivery.sending_since = None
    delivery.last_status, delivery.last_error = answer.status, answer.error
    delivery.response, delivery.duration_ms, delivery.updated_at = answer.excerpt, answer.duration_ms, now
