"""What came of an operation over plain HTTP, and the response that it becomes (GraphQL over HTTP, 6.4)."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, cast

from starlette.responses import Response
from strawberry.http import GraphQLHTTPResponse, process_result
from strawberry.types import ExecutionResult

from core.budget import QuotaExceeded
from graphql_api.once import REPLAYED
from graphql_api.responses import GRAPHQL_JSON, json_bytes, json_response

_NOT_STORED = {"Cache-Control": "no-store"}


class Answer(ABC):
    @abstractmethod
    def response(self, media_type: str) -> Response:
        """With all that the caller is told of it."""

    @abstractmethod
    def lasting(self) -> bytes | None:
        """Only what is the same for the next who asks; None where something failed."""


class Planned(Answer):
    """`data` is JSON already."""

    def __init__(self, data: str, cost: Mapping[str, int]) -> None:
        self._data = data
        self._cost = cost

    def response(self, media_type: str) -> Response:
        cost = ",".join([f'"{name}":{points}' for name, points in self._cost.items()])
        body = f'{{"data":{self._data},"extensions":{{"cost":{{{cost}}}}}}}'
        return Response(body.encode(), 200, _NOT_STORED, media_type)

    def lasting(self) -> bytes:
        return f'{{"data":{self._data}}}'.encode()


class Executed(Answer):
    def __init__(self, result: ExecutionResult) -> None:
        self._result = result

    def response(self, media_type: str) -> Response:
        body = process_result(self._result)
        status, headers = 200, dict(_NOT_STORED)
        if _is_refused(body):
            del body["data"]  # nothing was executed
            # Plain JSON keeps 200, as clients of old expect (graphql-over-http, 6.4.1).
            status = 400 if media_type == GRAPHQL_JSON else 200
        if (seconds := _over_budget(body)) is not None:
            status, headers["Retry-After"] = 429, str(seconds)
        if REPLAYED in (body.get("extensions") or {}):
            headers["Idempotency-Replayed"] = "true"
        return json_response(body, status, media_type, headers)

    def lasting(self) -> bytes | None:
        return json_bytes({"data": self._result.data}) if not self._result.errors else None


def _over_budget(result: GraphQLHTTPResponse) -> int | None:
    """The seconds after which the budget has the points of an operation that was refused for lack of them."""
    if "data" in result:
        return None
    extensions = cast("list[dict[str, Any]]", result["errors"])[0]["extensions"]
    seconds: int | None = extensions.get("retry_after_seconds") if extensions["code"] == QuotaExceeded.code else None
    return seconds


def _is_refused(result: GraphQLHTTPResponse) -> bool:
    """Whether the document or its variables kept the operation from running: errors of fields have a path."""
    errors = cast("list[dict[str, Any]]", result.get("errors") or [])
    return result.get("data") is None and bool(errors) and all(error.get("path") is None for error in errors)
