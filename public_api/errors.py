"""Errors as problem details (RFC 9457), and their declaration for the OpenAPI documents."""

import json
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response
from starlette.types import Scope

from core.context import current_request_id
from core.errors import AppError
from core.settings import Settings
from core.web.errors import ErrorRenderer, Failure, status_of
from core.web.urls import base_path

MEDIA_TYPE = "application/problem+json"
_PATH = "/:@!$&'()*+,;=~"  # what a path may hold as it is (RFC 3986, 3.3)


class FieldFault(BaseModel):
    pointer: str = Field(description="JSON Pointer into the body, or /query/..., /path/..., /header/...")
    code: str
    message: str


class Problem(BaseModel):
    """RFC 9457 problem details."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "/public/problems/product_not_found",
                "title": "Product not found",
                "status": 404,
                "detail": "no product 'blue-jackt'",
                "instance": "/public/v1/products/blue-jackt",
                "code": "product_not_found",
                "request_id": "01JD0A3V5T8ZK4",
                "retryable": False,
            }
        }
    )

    type: str = Field(description="Address of a page about this problem.")
    title: str
    status: int
    detail: str
    instance: str = Field(description="The address that was asked for.")
    code: str = Field(description="Stable, the same on REST and GraphQL.")
    request_id: str
    retryable: bool = Field(description="Whether the same request may succeed later.")
    errors: list[FieldFault] | None = Field(None, description="Of a 422: each fault with its place.")


def problem_renderer(settings: Settings) -> ErrorRenderer:
    public_url = str(settings.server.public_url).rstrip("/") if settings.server.public_url else None

    def render(failure: Failure, scope: Scope) -> Response:
        error = failure.error
        home = public_url if public_url is not None else base_path(scope)
        body: dict[str, Any] = {
            "type": f"{home}/public/problems/{error.code}",
            "title": error.title,
            "status": failure.status,
            "detail": error.detail,
            "instance": quote(scope["path"], safe=_PATH),
            "code": error.code,
            "request_id": current_request_id(),
            "retryable": error.retryable,
        }
        if error.errors:
            body["errors"] = [
                {"pointer": fault.pointer, "code": fault.code, "message": fault.message} for fault in error.errors
            ]
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        return Response(content, failure.status, {**failure.headers, "Cache-Control": "no-store"}, MEDIA_TYPE)

    return render


def problems(*errors: type[AppError]) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of an operation that may refuse with these errors."""
    by_status: dict[int, list[type[AppError]]] = {}
    for error in errors:
        by_status.setdefault(status_of(error), []).append(error)
    return {
        status: {
            "description": "; ".join(f"`{kind.code}`: {kind.title}" for kind in kinds),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, kinds in sorted(by_status.items())
    }
