"""The AsyncAPI 3 document of the WebSockets, made from their frames and channels."""

from importlib.metadata import version as installed_version
from typing import Any

from pydantic.json_schema import models_json_schema
from starlette.types import Scope

from core.settings import Settings
from core.web.sockets.frames import Frame
from core.web.sockets.handshake import SUBPROTOCOL
from core.web.urls import base_path
from public_api.realtime.channels import CHANNELS
from public_api.realtime.frames import CLIENT_FRAMES, SERVER_FRAMES, Message, Presence, Send

ADDRESS = "/public/v1/ws"
_ROOM_FRAMES: tuple[type[Frame], ...] = (Send, Message, Presence)  # of sockets that are in a room
_DESCRIPTION = f"""
One log of what happens, followed by channels: each event comes once and in order, from any cursor that is still kept.

* **Credentials** come before the handshake ends: `Authorization: Bearer`, or the subprotocol `bearer.<token>` (offer
  `{SUBPROTOCOL}` beside it), or `?ticket=` with a ticket of `POST /public/v1/tickets`, good once and for 30 seconds.
  Without them, or from a page of a foreign origin, the answer is HTTP: 401, 403, 429 or 503, with problem details.
* **Frames** are JSON objects in text messages, told apart by `type`.
* **Channels** are:
{{channels}}
* **Resuming**: subscribe with `after`, the id of the last event that you have. Where it is too old, a `reset` comes.
* **Closing**: 1008 too many faulty frames, 1009 a frame is too big, 1012 the server restarts (`reconnect` came before),
  4401 the credential has expired or was revoked, 4408 nothing was heard of you, 4429 you send too fast or read too
  slowly. Come back with your cursors.
"""


def asyncapi_document(settings: Settings) -> dict[str, Any]:
    """Without `servers`, unless the settings name the public address."""
    models = {frame.__name__: frame for frame in (*CLIENT_FRAMES, *SERVER_FRAMES) if frame not in _ROOM_FRAMES}
    _, schemas = models_json_schema(
        [(model, "serialization") for model in models.values()], ref_template="#/components/schemas/{model}"
    )
    document: dict[str, Any] = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Portico WebSockets",
            "version": installed_version("portico"),
            "description": _DESCRIPTION.format(channels=_list_of_channels()),
        },
        "defaultContentType": "application/json",
        "channels": {"events": _channel("The event log, by channels.", models)},
        "operations": {
            "hear": _operation("send", "What the server sends.", SERVER_FRAMES, models),
            "say": _operation("receive", "What you send.", CLIENT_FRAMES, models),
        },
        "components": {
            "messages": {_type_of(model): _message(model) for model in models.values()},
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


def _channel(title: str, models: dict[str, type[Frame]]) -> dict[str, Any]:
    ticket = {"type": "string", "description": "Instead of a bearer token."}
    return {
        "address": ADDRESS,
        "title": title,
        "messages": {
            _type_of(model): {"$ref": f"#/components/messages/{_type_of(model)}"} for model in models.values()
        },
        "bindings": {"ws": {"method": "GET", "query": {"type": "object", "properties": {"ticket": ticket}}}},
    }


def _operation(
    action: str, summary: str, frames: tuple[type[Frame], ...], models: dict[str, type[Frame]]
) -> dict[str, Any]:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": "#/channels/events"},
        "messages": [
            {"$ref": f"#/channels/events/messages/{_type_of(frame)}"} for frame in frames if frame.__name__ in models
        ],
    }


def _message(model: type[Frame]) -> dict[str, Any]:
    return {
        "name": _type_of(model),
        "title": model.model_config.get("title") or model.__name__,
        "summary": " ".join((model.__doc__ or "").split()),
        "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
    }


def _type_of(model: type[Frame]) -> str:
    return str(model.model_fields["type"].default)
