"""The AsyncAPI 3 document of the WebSockets, made from their frames and channels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from typing import Any

from pydantic.json_schema import models_json_schema
from starlette.types import Scope

from core.settings import Settings
from core.web.sockets.frames import Frame
from core.web.sockets.handshake import SUBPROTOCOL
from core.web.urls import base_path
from public_api.realtime.channels import CHANNELS
from public_api.realtime.frames import (
    CLIENT_FRAMES,
    SERVER_FRAMES,
    EventFrame,
    Message,
    Presence,
    Send,
    Subscribe,
    Unsubscribe,
)

_TICKET = {"type": "string", "description": "Instead of a bearer token."}
_AFTER = {"type": "string", "description": "The cursor of the last message that you have; without it, from now on."}


@dataclass(frozen=True, slots=True)
class _Socket:
    """`hear` and `say` are the names of its operations. `without`: frames that it neither sends nor takes."""

    address: str
    title: str
    hear: str
    say: str
    without: tuple[type[Frame], ...]
    parameters: Mapping[str, Any]
    query: Mapping[str, Any]

    @property
    def says(self) -> list[type[Frame]]:
        """Its client."""
        return [each for each in CLIENT_FRAMES if each not in self.without]

    @property
    def hears(self) -> list[type[Frame]]:
        return [each for each in SERVER_FRAMES if each not in self.without]


# By the name of its channel.
_SOCKETS = {
    "events": _Socket(
        "/public/v1/ws",
        "The event log, by channels.",
        "hear",
        "say",
        (Send, Message, Presence),
        {},
        {"ticket": _TICKET},
    ),
    "room": _Socket(
        "/public/v1/support/rooms/{room}/ws",
        "A support room. Who is there is told first, as joined; then that its channel, `support:<room>`, is followed.",
        "hear_room",
        "say_in_room",
        (Subscribe, Unsubscribe, EventFrame),
        {"room": {"description": "The room's name. It is made by whoever comes first."}},
        {"ticket": _TICKET, "after": _AFTER},
    ),
}
_DESCRIPTION = f"""
One log of what happens, followed by channels: each event comes once and in order, from any cursor that is still kept.

* **Credentials** come before the handshake ends: `Authorization: Bearer`, or the subprotocol `bearer.<token>` (offer
  `{SUBPROTOCOL}` beside it), or `?ticket=` with a ticket of `POST /public/v1/tickets`, good once and for 30 seconds.
  Without them, or from a page of a foreign origin, the answer is HTTP: 401, 403, 429 or 503, with problem details.
* **Frames** are JSON objects in text messages, told apart by `type`. Each that you send spends a point of your
  budget, `send` ten, `pong` none. Where none are left it is answered with the error `quota_exceeded` and not carried
  out; after ten more of them the socket is closed with 4429.
* **Channels** are:
{{channels}}
* **Resuming**: subscribe with `after`, the id of the last event that you have. Where it is too old, a `reset` comes.
* **Closing**: 1008 too many faulty frames, 1009 a frame is too big, 1012 the server restarts (`reconnect` came before),
  4401 the credential has expired or was revoked, 4408 nothing was heard of you, 4429 you send too fast or read too
  slowly. Come back with your cursors.
"""


def asyncapi_document(settings: Settings) -> dict[str, Any]:
    """Without `servers`, unless the settings name the public address."""
    models = list(dict.fromkeys((*CLIENT_FRAMES, *SERVER_FRAMES)))
    _, schemas = models_json_schema(
        [(model, "serialization") for model in models], ref_template="#/components/schemas/{model}"
    )
    document: dict[str, Any] = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Portico WebSockets",
            "version": installed_version("portico"),
            "description": _DESCRIPTION.format(channels=_list_of_channels()),
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(socket) for name, socket in _SOCKETS.items()},
        "operations": {
            operation: each for name, socket in _SOCKETS.items() for operation, each in _operations(name, socket)
        },
        "components": {
            "messages": {type_of(model): _message(model) for model in models},
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, or an access token."}
            },
        },
    }
    if settings.server.public_url is not None:
        url = settings.server.public_url
        document["servers"] = _servers(url.scheme == "https", _host(url.host, url.port), (url.path or "").rstrip("/"))
    return document


def as_seen_by(scope: Scope, document: dict[str, Any]) -> dict[str, Any]:
    """The document with the server that a client of this request uses, unless the settings name one."""
    if "servers" in document:
        return document
    host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
    return {**document, "servers": _servers(scope["scheme"] == "https", host or "localhost", base_path(scope))}


def _servers(secure: bool, host: str, prefix: str) -> dict[str, Any]:
    server: dict[str, Any] = {
        "host": host,
        "protocol": "wss" if secure else "ws",
        "security": [{"$ref": "#/components/securitySchemes/bearer"}],
    }
    return {"gateway": {**server, "pathname": prefix} if prefix else server}


def _host(host: str | None, port: int | None) -> str:
    return f"{host}:{port}" if port not in (None, 80, 443) else str(host)


def _list_of_channels() -> str:
    return "\n".join(
        f"  * `{name}{'<id>' if name.endswith(':') else ''}`: {channel.description}"
        for name, channel in CHANNELS.items()
    )


def _channel(socket: _Socket) -> dict[str, Any]:
    names = dict.fromkeys(type_of(frame) for frame in (*socket.says, *socket.hears))
    return {
        "address": socket.address,
        "title": socket.title,
        **({"parameters": socket.parameters} if socket.parameters else {}),
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {"ws": {"method": "GET", "query": {"type": "object", "properties": socket.query}}},
    }


def _operations(name: str, socket: _Socket) -> Iterator[tuple[str, dict[str, Any]]]:
    yield socket.hear, _operation("send", "What the server sends.", name, socket.hears)
    yield socket.say, _operation("receive", "What you send.", name, socket.says)


def _operation(action: str, summary: str, channel: str, sent: Sequence[type[Frame]]) -> dict[str, Any]:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{type_of(frame)}"} for frame in sent],
    }


def _message(model: type[Frame]) -> dict[str, Any]:
    return {
        "name": type_of(model),
        "title": model.model_config.get("title") or model.__name__,
        "summary": " ".join((model.__doc__ or "").split()),
        "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
    }


def type_of(model: type[Frame]) -> str:
    return str(model.model_fields["type"].default)
