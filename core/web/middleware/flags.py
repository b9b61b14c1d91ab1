"""Kill switches, looked at before an answer is taken from the cache or a WebSocket accepted.

The request goes on to the application whose it is, which refuses it: with its own headers and in its own shape.
"""

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from core.errors import AppError
from core.web.addresses import Address, address_in
from core.web.urls import route_path

_OFF = "portico.off"


class Switches(Protocol):
    """Per process: `state.flags`."""

    any: bool  # False: nothing is off

    async def refusal(self, mount: str, route: str | None) -> AppError | None: ...


class FlagsMiddleware:
    """`addresses`: of the whole application, asked for when something is switched off for the first time."""

    def __init__(self, app: ASGIApp, addresses: Callable[[], Iterable[Address]]) -> None:
        self.app = app
        self._addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            switches: Switches | None = scope["state"].get("flags")
            if switches is not None and switches.any:
                await self._look(switches, scope)
        await self.app(scope, receive, send)

    async def _look(self, switches: Switches, scope: Scope) -> None:
        found = address_in(self._known, scope)
        refusal = await switches.refusal(route_path(scope).split("/", 2)[1], found.name if found else None)
        if refusal is not None:
            scope[_OFF] = refusal
            if found is not None:
                scope["portico.route"] = found.template  # nobody routes it any more

    @cached_property
    def _known(self) -> tuple[Address, ...]:
        return tuple(self._addresses())


def is_off(scope: Scope) -> bool:
    return _OFF in scope


def refuse_if_off(scope: Scope) -> None:
    """Raises what the request is refused with, where it is."""
    refusal: AppError | None = scope.get(_OFF)
    if refusal is not None:
        raise refusal
