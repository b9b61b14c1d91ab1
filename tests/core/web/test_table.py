"""A table of routes leads where FastAPI's own scan of them leads."""

from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from core.web.audience import Application
from core.web.table import RouteTable
from tests.fixtures.asgi import Served, exchange

PATHS = [
    *("/", "/things", "/things/", "/things/export", "/things/7", "/things/x", "/things/7/parts", "/things/a/b/c"),
    *("/files/a/b.txt", "/nothing", "/prefixed/one", "/prefixed", "/inner", "/inner/", "/inner/deep", "/inner/nothing"),
    *("/late/x", "/raw", "/raw/", "/raw/x", "//things", "/things%2F7", "/thing", "/v1things", ""),
]
METHODS = ["GET", "POST", "HEAD", "DELETE", "BREW"]


def tell(name: str) -> Any:
    async def endpoint(request: Request) -> Response:
        url = str(request.url_for("things"))
        return JSONResponse([name, request.path_params, request.scope.get("root_path"), url])

    return endpoint


def filled(app: FastAPI) -> FastAPI:
    first, second, prefixed = APIRouter(), APIRouter(), APIRouter()
    first.add_api_route("/things", tell("things"), methods=["GET"], name="things")
    first.add_api_route("/things/export", tell("export"), methods=["GET"])
    second.add_api_route("/things/{number:int}", tell("number"), methods=["GET", "DELETE"])
    second.add_api_route("/things/{name}", tell("name"), methods=["GET"])
    second.add_api_route("/things", tell("create"), methods=["POST"])
    second.add_api_route("/things/{name}/parts", tell("parts"), methods=["GET"])
    second.add_api_route("/files/{path:path}", tell("file"), methods=["GET"])
    prefixed.add_api_route("/one", tell("one"), methods=["GET"])
    inner = Application(framed=True) if isinstance(app, Application) else FastAPI()
    inner.add_api_route("/", tell("root of inner"), methods=["GET"])
    inner.add_api_route("/deep", tell("deep"), methods=["GET"])
    app.add_api_route("/", tell("root"), methods=["GET"])
    app.mount("/inner", inner)
    app.mount("/raw", PlainTextResponse("raw"))
    for router in (first, second):
        app.include_router(router)
    app.include_router(prefixed, prefix="/prefixed")
    return app


@pytest.mark.parametrize("root_path", ["", "/shop"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", PATHS)
async def test_request_is_answered_as_by_fastapi(path: str, method: str, root_path: str) -> None:
    theirs = await exchange(Served(filled(FastAPI()), {}), method, root_path + path, root_path=root_path)
    ours = await exchange(Served(filled(Application()), {}), method, root_path + path, root_path=root_path)

    assert (ours.status, ours.chunks) == (theirs.status, theirs.chunks)
    assert ours.headers.get("location") == theirs.headers.get("location")


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("/things/7", "/things/{number}"),
        ("/things/x", "/things/{name}"),
        ("/prefixed/one", "/prefixed/one"),
        ("/inner/deep", "/inner/deep"),
    ],
)
async def test_found_operation_is_labelled(path: str, label: str) -> None:
    labels = []
    app = filled(Application())

    async def look(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)
        labels.append(scope.get("portico.route"))

    await exchange(Served(look, {}), "GET", path)

    assert labels == [label]


def test_table_of_routes_of_another_kind_is_empty() -> None:
    for odd in (Route("/plain", tell("plain")), *_routes_of_any_name()):
        app = FastAPI(openapi_url=None)
        app.add_api_route("/things", tell("things"))
        app.router.routes.append(odd)

        assert RouteTable(app.router)._operations == {}


def _routes_of_any_name() -> list[Any]:
    app = FastAPI(openapi_url=None)
    app.add_api_route("/{name}/x", tell("any"))
    return list(app.router.routes)


async def test_mount_of_another_framework_is_entered() -> None:
    app = Application()
    app.add_api_route("/things", tell("things"), name="things")
    app.mount("/old", Starlette(routes=[Route("/it", tell("old"), name="things")]))

    answer = await exchange(Served(app, {}), "GET", "/old/it")

    assert answer.status == 200
