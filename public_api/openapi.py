"""The OpenAPI documents of the public API, one a version: FastAPI's, with our problem shape, servers and brand."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.types import Scope

from core.settings import Settings
from core.web.urls import base_path
from public_api.auth import TOKEN_URL
from public_api.errors import MEDIA_TYPE, Problem

DESCRIPTION = """
REST for external clients: integrators, partner shops, mobile apps.

* **Credentials**: `Authorization: Bearer` with an API key (`ptk_...`), or with the access token that signing in gives
  (`POST /public/v1/auth/token`). Catalogue reads need none.
* **Money** is `{"amount": 4999, "currency": "USD"}`, in minor units. **Times** are RFC 3339 in UTC.
* **Errors** are `application/problem+json` (RFC 9457); `type` is the address of a page that explains the problem.
* **Retries**: send an `Idempotency-Key` with a write, and sending it again does it no second time.
* **Caching**: reads have an `ETag`; send it back in `If-None-Match` and get 304 while nothing changed.
* Every answer has `X-Request-ID`: name it when you ask us about a request.
"""
# In an operation's `openapi_extra`: it takes no request without an Idempotency-Key.
KEY_REQUIRED = "x-idempotency-key-required"
TAGS = [
    {"name": "Catalogue", "description": "Products, variants, categories."},
    {"name": "Orders", "description": "From placed to shipped, and the way back."},
    {"name": "Reports", "description": "Files made from what the shop knows."},
    {"name": "Jobs", "description": "What takes longer than a request."},
    {"name": "Support", "description": "Rooms where customers and staff write to each other."},
    {"name": "Assistant", "description": "Questions of shoppers, answered from the catalogue."},
    {"name": "Events", "description": "What happened, in one log with one cursor."},
]


def customise(app: FastAPI, settings: Settings) -> None:
    """Replaces `app.openapi` by a document that is generated once."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, settings)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def as_seen_by(scope: Scope, document: dict[str, Any]) -> dict[str, Any]:
    """The document with the addresses that a client of this request uses, behind whatever prefix a proxy put, unless
    the settings name the public address.
    """
    if "servers" in document:
        return document
    components = document["components"]
    schemes = {
        name: _with_token_url(scheme, base_path(scope)) for name, scheme in components["securitySchemes"].items()
    }
    return {
        **document,
        "servers": [{"url": scope["root_path"]}],
        "components": {**components, "securitySchemes": schemes},
    }


def _with_token_url(scheme: dict[str, Any], home: str) -> dict[str, Any]:
    flow = scheme.get("flows", {}).get("password")
    if flow is None:
        return scheme
    return {**scheme, "flows": {"password": {**flow, "tokenUrl": f"{home}{TOKEN_URL}"}}}


def _document(app: FastAPI, settings: Settings) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=DESCRIPTION,
        routes=app.routes,
        tags=TAGS,
        servers=_servers(app.version, settings),
    )
    document["info"]["x-logo"] = {"url": "/static/logo.svg", "altText": "Portico"}
    if settings.server.public_url is not None:
        home = str(settings.server.public_url).rstrip("/")
        schemes = document["components"]["securitySchemes"]
        schemes.update({name: _with_token_url(scheme, home) for name, scheme in schemes.items()})
    components = document.setdefault("components", {}).setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components.update(problem.pop("$defs", {}))
    components["Problem"] = problem
    for name in ("HTTPValidationError", "ValidationError"):
        components.pop(name, None)
    for operations in document["paths"].values():
        for operation in operations.values():
            _describe_errors(operation)
            _require_key(operation)
    return document


def _servers(version: str, settings: Settings) -> list[dict[str, str]] | None:
    if settings.server.public_url is None:
        return None  # the served document names the prefix that it was asked under
    return [{"url": f"{str(settings.server.public_url).rstrip('/')}/public/{version}"}]


def _require_key(operation: dict[str, Any]) -> None:
    """The header is optional to FastAPI, so that its absence gets our 400; not to the reader of the document."""
    if operation.pop(KEY_REQUIRED, False):
        next(each for each in operation["parameters"] if each["name"] == "Idempotency-Key")["required"] = True


def _describe_errors(operation: dict[str, Any]) -> None:
    """What any operation may refuse with, beside what it says itself; FastAPI's own 422 shape is not ours."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    responses = operation["responses"]
    if "422" in responses and MEDIA_TYPE not in responses["422"].get("content", {}):
        responses["422"] = {"description": "`invalid_request`: Invalid request", "content": content}
    common = dict(_COMMON)
    if operation.get("security"):
        common |= _OF_CREDENTIALS
    if "requestBody" in operation:
        common |= _OF_BODIES
    for status, description in common.items():
        responses.setdefault(status, {"description": description, "content": content})
    operation["responses"] = dict(sorted(responses.items()))


_COMMON = {
    "400": "`bad_request`: Bad request",
    "429": "`quota_exceeded`: Quota exceeded",
    "503": "`unavailable`, `database_unavailable`: Temporarily unavailable",
}
_OF_CREDENTIALS = {
    "401": "`unauthenticated`, `invalid_api_key`, `token_expired`",
    "403": "`missing_scope`: Missing scope",
}
_OF_BODIES = {
    "413": "`content_too_large`: Content too large",
    "415": "`unsupported_media_type`: Unsupported media type",
}
