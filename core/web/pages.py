"""HTML pages from Jinja2 templates: one environment, autoescaped, strict about names that are missing."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from core.web.urls import base_path


class Pages:
    """Per application. Templates are found in `folders`, the first that has one wins."""

    def __init__(self, *folders: Path) -> None:
        self._environment = Environment(
            loader=FileSystemLoader([str(folder) for folder in (*folders, Path(__file__).parent / "templates")]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def render(
        self,
        scope: Scope,
        template: str,
        status_code: int = 200,
        headers: dict[str, str] | None = None,
        /,
        **values: Any,
    ) -> Response:
        """Templates know `base`, the prefix before every address, and `asset(name)`, the address of a static file."""
        base = base_path(scope)
        # What the lifespan yields; a page that fails before there is one gets the plain addresses.
        immutable = scope.get("state", {}).get("asset", str)
        values |= {"base": base, "asset": lambda name: f"{base}/static/{immutable(name)}"}
        body = self._environment.get_template(template).render(values)
        return HTMLResponse(body, status_code, {"Cache-Control": "no-store", **(headers or {})})

    def fragment(self, template: str, **values: Any) -> str:
        """A part of a page, the same wherever the page is served: templates know what is given alone."""
        return self._environment.get_template(template).render(values)
