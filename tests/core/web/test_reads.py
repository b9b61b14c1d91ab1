"""What a read needs is found as FastAPI finds it: the same arguments, the same refusals, each dependency once."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Path, Query, Request
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, Field
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from core.errors import Denied
from core.web.audience import new_app
from core.web.errors import Failure, install_error_handlers
from core.web.reads import read_handler
from tests.fixtures.asgi import Served, client_of

calls: list[str] = []


async def get_settings(connection: HTTPConnection) -> str:
    calls.append("settings")
    return str(connection.scope["type"])


SettingsDep = Annotated[str, Depends(get_settings)]


async def get_limit(settings: SettingsDep, limit: Annotated[int, Query(ge=1)] = 10) -> int:
    calls.append("limit")
    return limit + len(settings)


@dataclass(frozen=True)
class Require:
    name: str

    async def __call__(self, settings: SettingsDep, x_role: Annotated[str | None, Header()] = None) -> str:
        calls.append(f"require {self.name}")
        if x_role == "nobody":
            raise Denied
        return f"{self.name}:{x_role}:{settings}"


async def guard(x_guard: Annotated[int | None, Header(alias="X-Guard")] = None) -> None:
    calls.append(f"guard {x_guard}")


class Filters(BaseModel):
    q: str = ""
    tags: list[str] = Field(default=[], alias="tag", max_length=2)
    page: int = Field(default=1, ge=1)


router = APIRouter(dependencies=[Depends(guard)])


@router.get("/things/{number}")
async def read_thing(
    request: Request,
    number: Annotated[int, Path(le=99)],
    role: Annotated[str, Depends(Require("reader"))],
    again: Annotated[str, Depends(Require("reader"))],
    limit: Annotated[int, Depends(get_limit)],
    filters: Annotated[Filters, Query()],
    accept: Annotated[list[str] | None, Header()] = None,
) -> Response:
    calls.append("endpoint")
    body = {"path": request.url.path, "number": number, "role": role, "again": again, "limit": limit}
    return JSONResponse(body | {"filters": filters.model_dump(), "accept": accept}, headers={"X-Made": "yes"})


@router.get("/sum")
async def read_sum(
    limit: Annotated[int, Depends(get_limit)], a: int, b: int, if_none_match: Annotated[str | None, Header()] = None
) -> JSONResponse:
    return JSONResponse([limit, a + b, if_none_match])


@router.get("/needed")
async def read_needed(
    x_tenant: Annotated[str, Header()],
    x_page: Annotated[int, Header()] = 1,
    x_size: Annotated[int | None, Header()] = 7,
) -> Response:
    return JSONResponse([x_tenant, x_page, x_size])


def render(failure: Failure, _scope: Any) -> Response:
    errors = [[fault.pointer, fault.code, fault.message] for fault in getattr(failure.error, "errors", ())]
    return JSONResponse({"code": failure.error.code, "errors": errors}, failure.status, failure.headers)


def by_fastapi() -> FastAPI:
    app = FastAPI()
    app.include_router(router)
    install_error_handlers(app, render)
    return app


def by_us() -> FastAPI:
    app = new_app(title="reads", version="1", render=render)
    app.include_router(router)
    return app


async def ask(app: ASGIApp, path: str, headers: dict[str, str]) -> tuple[httpx2.Response, list[str]]:
    calls.clear()
    async with client_of(Served(app, {})) as client:
        return await client.get(path, headers=headers), calls[:]


REQUESTS: list[tuple[str, dict[str, str]]] = [
    ("/things/7", {}),
    ("/things/7?q=rain&tag=a&tag=b&page=3&limit=5", {"X-Role": "editor", "X-Guard": "4"}),
    ("/things/7", {"X-Role": ""}),
    ("/things/7", {"X-Role": "nobody"}),
    ("/things/7?limit=0", {"X-Role": "nobody"}),
    ("/things/100", {}),
    ("/things/seven?page=0&tag=a&tag=b&tag=c&limit=x", {"X-Guard": "y"}),
    ("/things/7", {"X-Guard": "y"}),
    ("/things/7?limit=x", {}),
    ("/sum?a=1&b=2", {}),
    ("/sum?a=1&b=2&limit=3", {"If-None-Match": 'W/"1"'}),
    ("/sum?a=1", {}),
    ("/needed", {}),
    ("/needed", {"X-Tenant": "a"}),
    ("/needed", {"X-Tenant": "", "X-Page": "x", "X-Size": "3"}),
    ("/sum?b=&limit=-1", {}),
]


@pytest.mark.parametrize(("path", "headers"), REQUESTS)
async def test_read_is_answered_as_by_fastapi(path: str, headers: dict[str, str]) -> None:
    theirs, their_calls = await ask(by_fastapi(), path, headers)
    ours, our_calls = await ask(by_us(), path, headers)

    assert ours.status_code == theirs.status_code
    assert ours.content == theirs.content
    assert ours.headers.get("x-made") == theirs.headers.get("x-made")
    assert our_calls == their_calls


async def test_dependency_of_several_runs_once() -> None:
    _, made = await ask(by_us(), "/things/7", {})

    assert made == ["guard None", "settings", "require reader", "limit", "endpoint"]


async def test_overridden_dependency_is_the_one_that_runs() -> None:
    app = by_us()
    app.dependency_overrides[get_limit] = lambda: -1

    answer, _ = await ask(app, "/sum?a=1&b=2", {})

    assert answer.json() == [-1, 3, None]


async def get_session() -> AsyncIterator[int]:
    yield 1


def get_sync() -> int:
    return 1


async def with_session(session: Annotated[int, Depends(get_session)]) -> Response:
    return Response(str(session))


async def with_thread(number: Annotated[int, Depends(get_sync)]) -> Response:
    return Response(str(number))


async def with_model() -> Filters:
    return Filters()


async def with_response(response: Response) -> Response:
    return response


def in_thread() -> Response:
    return Response()


async def with_body(filters: Filters) -> Response:
    return Response(filters.q)


@pytest.mark.parametrize("endpoint", [with_session, with_thread, with_model, with_response, in_thread, with_body])
def test_what_is_more_than_a_read_is_left_to_fastapi(endpoint: Callable[..., Any]) -> None:
    app = FastAPI()
    app.add_api_route("/it", endpoint, methods=["GET"], response_model=None)

    assert read_handler(_context_of(app)) is None


@pytest.mark.parametrize("methods", [["POST"], ["GET", "HEAD"]])
def test_other_methods_are_left_to_fastapi(methods: list[str]) -> None:
    async def answer() -> Response:
        return Response()

    app = FastAPI()
    app.add_api_route("/it", answer, methods=methods)

    assert read_handler(_context_of(app)) is None


def _context_of(app: FastAPI) -> Any:
    return next(context for context in iter_route_contexts(app.router.routes) if context.path_format == "/it")
