"""The OpenAPI documents of the public API, one a version: FastAPI's, with our problem shape, servers and brand."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from core.settings import Settings
from public_api.errors import MEDIA_TYPE, Problem

DESCRIPTION = """
REST for external clients: integrators, partner shops, mobile apps.

* **Credentials**: `Authorization: Bearer ptk_...`, an API key. Catalogue reads need none.
* **Money** is `{"amount": 4999, "currency": "USD"}`, in minor units. **Times** are RFC 3339 in UTC.
* **Errors** are `application/problem+json` (RFC 9457); `type` is the address of a page that explains the problem.
* **Caching**: reads have an `ETag`; send it back in `If-None-Match` and get 304 while nothing changed.
* Every answer has `X-Request-ID`: name it when you ask us about a request.
"""
TAGS = [{"name": "Catalogue", "description": "Products, variants, categories."}]


def customise(app: FastAPI, settings: Settings) -> None:
    """Replaces `app.openapi` by a document that is generated once."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, settings)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


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
    components = document.setdefault("components", {}).setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components.update(problem.pop("$defs", {}))
    components["Problem"] = problem
    for name in ("HTTPValidationError", "ValidationError"):
        components.pop(name, None)
    for operations in document["paths"].values():
        for operation in operations.values():
            _describe_errors(operation)
    return document


def _servers(version: str, settings: Settings) -> list[dict[str, str]] | None:
    if settings.server.public_url is None:
        return None  # the served document names the prefix that it was asked under
    return [{"url": f"{str(settings.server.public_url).rstrip('/')}/public/{version}"}]


def _describe_errors(operation: dict[str, Any]) -> None:
    """Every operation may refuse with a problem; FastAPI's own 422 shape is not ours."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    responses = operation["responses"]
    if "422" in responses and MEDIA_TYPE not in responses["422"].get("content", {}):
        responses["422"] = {"description": "`invalid_request`: Invalid request", "content": content}
    if operation.get("security"):
        responses.setdefault("401", {"description": "`unauthenticated`, `invalid_api_key`", "content": content})
        responses.setdefault("403", {"description": "`missing_scope`: Missing scope", "content": content})
    responses["default"] = {"description": "Any other problem", "content": content}
