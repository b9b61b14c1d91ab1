"""Pages of the public door: its documentation, self-hosted, and one page for every problem code."""

from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from core.errors import NotFound, error_classes
from core.web.dependencies import SettingsDep
from core.web.errors import status_of
from core.web.pages import Pages
from public_api.realtime.asyncapi import as_seen_by, asyncapi_document

router = APIRouter(include_in_schema=False)
pages = Pages(Path(__file__).parent / "templates")
VERSIONS = ("v1", "v2")


@router.get("/docs")
async def show_docs(request: Request) -> Response:
    return _docs(request, VERSIONS[0])


@router.get("/docs/{version}")
async def show_docs_of_version(request: Request, version: str) -> Response:
    if version not in VERSIONS:
        raise NotFound("there is no such version")
    return _docs(request, version)


def _docs(request: Request, version: str) -> Response:
    return pages.render(request.scope, "docs.html", title="Portico", versions=VERSIONS, current=version)


@router.get("/asyncapi.json")
async def show_asyncapi(request: Request, settings: SettingsDep) -> Response:
    return JSONResponse(as_seen_by(request.scope, asyncapi_document(settings)))


@router.get("/problems")
async def list_problems(request: Request) -> Response:
    rows = [
        {"code": code, "title": error.title, "status": status_of(error)}
        for code, error in sorted(error_classes().items())
    ]
    return pages.render(request.scope, "problems.html", rows=rows)


@router.get("/problems/{code}")
async def show_problem(request: Request, code: str) -> Response:
    error = error_classes().get(code)
    if error is None:
        raise NotFound("there is no such problem")
    return pages.render(request.scope, "problem.html", problem=error, status=status_of(error))
