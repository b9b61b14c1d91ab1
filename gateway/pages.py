"""The root's own routes: the landing page, liveness and readiness, and HTML errors for pages and static files."""

from importlib.metadata import version as installed_version
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse
from starlette.types import Scope

from commerce.catalog.repository import ProductRepository
from core.context import current_request_id
from core.errors import Unavailable
from core.resources import Resources
from core.web.errors import Failure
from core.web.pages import Pages
from core.web.static import HashedFiles

MOST_COUNTED = 10_000  # products that the landing page counts: it is everybody's to ask for
router = APIRouter(include_in_schema=False)
pages = Pages(Path(__file__).parent / "templates")


@router.get("/")
async def show_landing_page(request: Request) -> Response:
    """The doors, their docs, and how the gateway is now."""
    checks = await request.state.health.check()
    return pages.render(
        request.scope,
        "landing.html",
        version=installed_version("portico"),
        development=not request.state.resources.settings.is_production,
        checks=checks,
        ready=all(check.ok for check in checks) and not request.state.draining.is_set(),
        products=await _count_products(request.state.resources),
        most_counted=MOST_COUNTED,
    )


@router.get("/healthz")
async def show_liveness() -> Response:
    """The process answers. No dependency is asked: a restart would not bring one back."""
    return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


@router.get("/readyz")
async def show_readiness(request: Request) -> Response:
    """200 when requests should come here; 503 with the list of what is missing while they should not."""
    draining = request.state.draining.is_set()
    checks = await request.state.health.check()
    ready = not draining and all(check.ok for check in checks)
    body = {
        "status": "draining" if draining else "ready" if ready else "unavailable",
        "checks": [{"name": check.name, "ok": check.ok} for check in checks],
    }
    return JSONResponse(body, 200 if ready else 503, {"Cache-Control": "no-store"})


def render_error(failure: Failure, scope: Scope) -> Response:
    return pages.render(
        scope,
        "error.html",
        failure.status,
        failure.headers,
        status=failure.status,
        title=failure.error.title,
        detail=failure.error.detail,
        code=failure.error.code,
        request_id=current_request_id(),
    )


def static_files() -> HashedFiles:
    """Our own files, and those of packages (Swagger UI, GraphiQL, Chart.js): no page loads from elsewhere."""
    return HashedFiles(
        {
            "": Path(__file__).parent / "static",
            "swagger-ui": _package_folder("fastapi_offline") / "static",
            "graphiql": _package_folder("graphene_django_graphiql_static")
            / "static"
            / "graphene_django_graphiql_static",
            "chartkick": _package_folder("chartkick") / "django" / "static" / "chartkick",
        }
    )


def _package_folder(name: str) -> Path:
    """Where a package's files are, without importing it."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{name} is not installed: run `make setup`")
    return Path(spec.origin).parent


async def _count_products(resources: Resources) -> int | None:
    try:
        async with resources.database.read() as session:
            return await ProductRepository(session).on_sale(at_most=MOST_COUNTED)
    except Unavailable:
        return None
