"""What came of an operation over plain HTTP, and the response that it becomes (GraphQL over HTTP, 6.4)."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, cast

from pydantic_core import to_json
from starlette.responses import Response
from starlette.types import Scope
from strawberry.http import GraphQLHTTPResponse, process_result
from strawberry.types import ExecutionResult

from commerce.catalog.sharing import PRODUCTS
from commerce.operations.service import OPERATIONS
from core.budget import QuotaExceeded
from core.bulkheads import Overloaded
from core.ratelimit import Verdict
from core.web.response_cache import share
from graphql_api.errors import cost_told
from graphql_api.once import REPLAYED
from graphql_api.responses import GRAPHQL_JSON, json_bytes, json_response

_NOT_STORED = {"Cache-Control": "no-store"}
_TURNED_AWAY = {QuotaExceeded.code: 429, Overloaded.code: 503}
_SHOWN = (PRODUCTS, OPERATIONS)  # who may ask what is registered


@dataclass(frozen=True, slots=True)
class Told:
    """The end of a body, from the data on."""

    points: int

    def __call__(self, verdict: Verdict) -> bytes:
        cost = cost_told(self.points, verdict)
        return b',"extensions":{"cost":%b}}' % to_json(cost)


class Answer(ABC):
    @abstractmethod
    def response(self, media_type: str) -> Response:
        """With all that the caller is told of it."""

    def offer(self, scope: Scope, *, with_cost: bool) -> None:  # noqa: B027  most are their caller's own
        """Lets others have it, where it is the same for all; or what is `lasting`, without the cost."""

    @abstractmethod
    def lasting(self) -> bytes | None:
        """Only what is the same for the next who asks; None where something failed."""


class Planned(Answer):
    """`data` is JSON already; `told` makes what a caller is told of the cost, by what is left to them."""

    def __init__(self, data: str, told: Told, verdict: Verdict, *, is_everybodys: bool) -> None:
        self.is_everybodys = is_everybodys
        self._stable = f'{{"data":{data}'.encode()
        self._told = told
        self._verdict = verdict

    def response(self, media_type: str) -> Response:
        return Response(self._stable + self._told(self._verdict), 200, _NOT_STORED, media_type)

    def lasting(self) -> bytes:
        return self._stable + b"}"

    def offer(self, scope: Scope, *, with_cost: bool) -> None:
        if self.is_everybodys and with_cost:
            share(scope, _SHOWN, points=self._told.points, stable=self._stable, tail=self._told)
        elif self.is_everybodys:
            share(scope, _SHOWN, points=self._told.points)


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
        if (refusal := _turned_away(body)) is not None:
            status, headers["Retry-After"] = refusal
        if REPLAYED in (body.get("extensions") or {}):
            headers["Idempotency-Replayed"] = "true"
        return json_response(body, status, media_type, headers)

    def lasting(self) -> bytes | None:
        return json_bytes({"data": self._result.data}) if not self._result.errors else None


def _turned_away(result: GraphQLHTTPResponse) -> tuple[int, str] | None:
    """Status and seconds of an operation that was refused for lack of points, or of a turn to execute it."""
    if "data" in result:
        return None
    extensions = cast("list[dict[str, Any]]", result["errors"])[0]["extensions"]
    status = _TURNED_AWAY.get(extensions["code"])
    return (status, str(extensions["retry_after_seconds"])) if status is not None else None


def _is_refused(result: GraphQLHTTPResponse) -> bool:
    """Whether the document or its variables kept the operation from running: errors of fields have a path."""
    errors = cast("list[dict[str, Any]]", result.get("errors") or [])
    return result.get("data") is None and bool(errors) and all(error.get("path") is None for error in errors)
