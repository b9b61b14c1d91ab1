"""graphql-transport-ws (graphql-ws's PROTOCOL.md): Strawberry's handler, bounded, and ended by whatever ends its line.

Queries and mutations run here too, under the rules of every operation.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Protocol, cast

from graphql import GraphQLError
from starlette.websockets import WebSocketDisconnect, WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http.exceptions import NonJsonMessageReceived, NonTextMessageReceived, WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.types import Message, SubscribeMessage

from core.errors import AppError, RateLimited
from core.streams.places import TooManyStreams
from core.web.sockets.pace import Pace
from graphql_api.context import Context
from graphql_api.errors import present
from graphql_api.limits import MAX_BODY_BYTES
from graphql_api.persisted import NAMES, hash_of, text_of
from graphql_api.requests import FIELDS
from graphql_api.streams import Reason, StreamLimits

# The protocol's codes, and ours. After 4401 and 4429 the usual client does not come back by itself, after 1012 it does.
_CLOSING: dict[Reason, tuple[int, str]] = {
    "draining": (1012, "Service restart"),
    "too_slow": (4429, "Too slow"),
    "too_fast": (4429, "Too fast"),
    "too_big": (1009, "Message too big"),
    "expired": (4401, "Token expired"),
    "revoked": (4401, "Credentials revoked"),
    "silent": (4408, "Heartbeat lost"),
}
_TOO_MANY, _TRY_AGAIN_LATER = 4429, 1013
_CLOSE_SECONDS = 5.0  # for a close frame that waits behind what the client does not read


class Unruly(Exception):
    """The client sends what it may not."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class _Limited(Protocol):
    """What Strawberry calls the view."""

    limits: StreamLimits


class Wire(ASGIWebSocketAdapter):
    """What goes in and out. Nothing goes out after the close."""

    heard_at = 0.0

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:  # noqa: ARG002
        """Raises Unruly."""
        clock = asyncio.get_running_loop().time
        limits = cast("_Limited", self.view).limits
        pace = Pace(limits.messages_per_second, limits.burst)
        try:
            while self.ws.application_state is WebSocketState.CONNECTED:
                text = await self.ws.receive_text()
                self.heard_at = clock()
                if len(text) > MAX_BODY_BYTES:
                    raise Unruly("too_big")
                if not pace.allows():
                    raise Unruly("too_fast")
                yield _parsed(text)
        except KeyError:
            raise NonTextMessageReceived from None
        except WebSocketDisconnect:
            return

    async def send_json(self, message: Mapping[str, object]) -> None:
        """Raises WebSocketDisconnected."""
        if self.ws.application_state is WebSocketState.CONNECTED:
            await super().send_json(message)

    async def close(self, code: int, reason: str) -> None:
        if self.ws.application_state is WebSocketState.CONNECTED:
            await super().close(code, reason)


class TransportHandler(BaseGraphQLTransportWSHandler[Context, None]):
    """Per WebSocket."""

    websocket: Wire

    @property
    def _limits(self) -> StreamLimits:
        return cast("_Limited", self.view).limits

    async def handle(self) -> None:
        line = self.context.line
        reading = asyncio.create_task(self._read())
        beside = [asyncio.create_task(self._beat()), asyncio.create_task(self._drain())]
        try:
            await line.wait()
            closing = _CLOSING.get(line.reason or "left")
            if closing is not None:
                await self._close(*closing)
        finally:
            for task in (reading, *beside):
                task.cancel()
            failed = await asyncio.gather(reading, *beside, return_exceptions=True)
        for error in failed:
            if isinstance(error, Exception):
                raise error

    async def _read(self) -> None:
        """Until the client leaves, or Strawberry has closed. Cancels the operations that are left."""
        try:
            await super().handle()
        except Unruly as unruly:
            self.context.line.end(unruly.reason)
        except AppError as error:  # of connection_init
            await self._close(_TOO_MANY if isinstance(error, RateLimited) else _TRY_AGAIN_LATER, error.code)
        finally:
            self.context.line.end("left")

    async def _beat(self) -> None:
        """Pings, and ends the line of a client that says nothing, or takes nothing."""
        clock, seconds = asyncio.get_running_loop().time, self._limits.ping_seconds
        self.websocket.heard_at = clock()
        while clock() - self.websocket.heard_at < 2 * seconds:
            await asyncio.sleep(seconds)
            try:
                async with asyncio.timeout(seconds):
                    await self.send_message({"type": "ping"})
            except TimeoutError:
                break
        self.context.line.end("silent")

    async def _drain(self) -> None:
        await self.websocket.ws.state.draining.wait()
        self.context.line.end("draining")

    async def _close(self, code: int, reason: str) -> None:
        """As well as it can be."""
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self.websocket.close(code, reason)
        except (TimeoutError, WebSocketDisconnect):
            return

    async def handle_message(self, message: Message) -> None:
        """Refuses messages of the wrong shape: Strawberry would fail on them, which is logged as a bug of ours."""
        given: Any = message
        if not isinstance(given, dict) or not _is_well_formed(given):
            await self.handle_invalid_message("Failed to parse message")
            return
        await super().handle_message(message)

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        if message["id"] in self.operations or not self.connection_acknowledged:
            await super().handle_subscribe(message)
            return
        payload: dict[str, Any] = cast("dict[str, Any]", message["payload"])
        try:
            if len(self.operations) >= self._limits.operations:
                raise TooManyStreams(f"at most {self._limits.operations} operations run on one connection")
            query, name = payload.get("query"), payload.get("operationName")
            text = await text_of(query, hash_of(payload), name, self.context)
        except AppError as error:
            await self._refuse(message["id"], error)
        else:
            await super().handle_subscribe({**message, "payload": {**payload, "query": text}})  # type: ignore[typeddict-item]

    async def _refuse(self, operation_id: str, error: AppError) -> None:
        shown = present(GraphQLError(error.detail, original_error=error), suggest=False)
        await self.send_message({"id": operation_id, "type": "error", "payload": [shown.formatted]})

    async def send_message(self, message: Message) -> None:
        """Not to a line that has ended: an operation that the server has cut off is not complete."""
        if self.context.line.reason is not None:
            return
        try:
            await super().send_message(message)
        except WebSocketDisconnected:  # who reads is told so too
            return


def _parsed(text: str) -> object:
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError):
        raise NonJsonMessageReceived from None
    return parsed


def _is_well_formed(message: dict[str, Any]) -> bool:
    if message.get("type") not in ("subscribe", "complete"):
        return isinstance(message.get("type"), str)
    if not isinstance(message.get("id"), str):
        return False
    payload = message.get("payload")
    return message["type"] == "complete" or (
        isinstance(payload, dict)
        and any(payload.get(name) is not None for name in ("query", *NAMES))
        and all(isinstance(payload.get(name), kind | None) for name, kind in FIELDS.items())
    )
