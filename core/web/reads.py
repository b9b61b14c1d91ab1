"""Operations that only read, without FastAPI's way to their arguments: that is worked out once, when a route is made.

FastAPI walks the tree of dependencies for each request, asks each for parameters of every kind, and wraps the whole in
exit stacks and handlers; for a read that costs several times its statement. What is valid, and in which words it is
refused, FastAPI's own functions say here too.
"""

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from fastapi.exceptions import RequestValidationError
from fastapi.routing import RouteContext
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from core.web.headers import headers_of

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_UNSOLVED = object()
# What a step cannot have: FastAPI's own way knows them all.
_OTHER_NEEDS = (
    *("cookie_params", "body_params", "response_param_name", "websocket_param_name", "concurrency"),
    *("background_tasks_param_name", "security_scopes_param_name", "own_oauth_scopes", "parent_oauth_scopes"),
)


@dataclass(frozen=True, slots=True)
class _Step:
    """A call, and where its arguments come from: the request itself, its parameters, and the results of other steps.

    `path`: parameters that are always there, once. `absent`: headers that a request seldom has, None then.
    """

    call: Callable[..., Awaitable[Any]]
    requests: tuple[str, ...]
    path: tuple[Any, ...]
    absent: tuple[tuple[bytes, Any], ...]
    parameters: tuple[tuple[Callable[[Request], Mapping[str, Any]], list[Any]], ...]
    results: tuple[tuple[str | None, int], ...]  # without a name where it must only have run


def read_handler(context: RouteContext) -> Handler | None:
    """None for what is more than a read: another method, a body, dependencies that end after the answer, answers that
    FastAPI has to make.
    """
    endpoint = context.endpoint
    if context.methods != {"GET"} or not _answers_itself(endpoint):
        return None
    steps: list[_Step] = []
    if _add(context.dependant, steps, {}) is None:
        return None
    return _run_of(steps)


def read_app(handle: Handler, overriding: Any, otherwise: ASGIApp) -> ASGIApp:
    """With overridden dependencies, as tests have them, FastAPI does it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if overriding is not None and overriding.dependency_overrides:
            await otherwise(scope, receive, send)
            return
        response = await handle(Request(scope, receive, send))
        await response(scope, receive, send)

    return app


def _answers_itself(endpoint: Any) -> bool:
    answer = inspect.signature(endpoint).return_annotation
    return inspect.iscoroutinefunction(endpoint) and isinstance(answer, type) and issubclass(answer, Response)


def _add(dependant: Dependant, steps: list[_Step], places: dict[Any, int]) -> int | None:
    """The place of its result: after those of all that it needs, and once for the request."""
    call = dependant.call
    if call in places:
        return places[call]
    if (
        call is None
        or not _awaitable(call)
        or not dependant.use_cache
        or any(getattr(dependant, need) for need in _OTHER_NEEDS)
    ):
        return None
    results = []
    for inner in dependant.dependencies:
        place = _add(inner, steps, places)
        if place is None:
            return None
        results.append((inner.name, place))
    kinds = (
        (attrgetter("query_params"), dependant.query_params),
        (attrgetter("headers"), [field for field in dependant.header_params if not _may_be_absent(field)]),
    )
    requests = (dependant.request_param_name, dependant.http_connection_param_name)
    step = _Step(
        call,
        tuple(name for name in requests if name is not None),
        tuple(dependant.path_params),
        tuple((field.alias.lower().encode(), field) for field in dependant.header_params if _may_be_absent(field)),
        tuple((read, fields) for read, fields in kinds if fields),
        tuple(results),
    )
    steps.append(step)
    places[call] = len(steps) - 1
    return places[call]


def _may_be_absent(field: Any) -> bool:
    """A header that is None where there is none."""
    return field.default is None and not field.field_info.validate_default


def _awaitable(call: Any) -> bool:
    return inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(getattr(call, "__call__", None))  # noqa: B004


def _read(step: _Step, request: Request, arguments: dict[str, Any]) -> list[Any]:
    """Adds the values of the step's parameters; the faults of those that are not valid."""
    faults: list[Any] = []
    for field in step.path:
        arguments[field.name], wrong = field.validate(request.path_params[field.alias], {}, loc=("path", field.alias))
        faults += wrong
    given = headers_of(request.scope)
    for header, field in step.absent:
        if header not in given:
            arguments[field.name] = None
            continue
        found, wrong = request_params_to_args([field], request.headers)
        arguments.update(found)
        faults += wrong
    for read, fields in step.parameters:
        found, wrong = request_params_to_args(fields, read(request))
        arguments.update(found)
        faults += wrong
    return faults


def _run_of(steps: list[_Step]) -> Handler:
    async def run(request: Request) -> Response:
        solved: list[Any] = []
        faults: list[Any] = []
        for step in steps:
            arguments = {name: solved[place] for name, place in step.results if name is not None}
            for name in step.requests:
                arguments[name] = request
            known = len(faults)
            faults += _read(step, request, arguments)
            if faults and (len(faults) > known or any(solved[place] is _UNSOLVED for _, place in step.results)):
                solved.append(_UNSOLVED)
            else:
                solved.append(await step.call(**arguments))
        if faults:
            raise RequestValidationError(faults)
        response: Response = solved[-1]
        return response

    return run
