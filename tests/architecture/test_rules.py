"""The rules that hold for the whole tree, proved on its files and on the application that they make."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.responses import Response
from starlette.routing import Route

import gateway.app  # noqa: F401  loads every error class
from core.errors import AppError
from core.web.audience import describe
from core.web.errors import status_of
from tests.fixtures.probes import applications

ROOT = Path(__file__).parents[2]
PRODUCT = ("gateway", "core", "commerce", "public_api", "internal_api", "graphql_api")
LONGEST_FILE = 400
# Operations that anybody may call; everything else in the public API states a rule.
OPEN = {
    "GET /public/docs",
    "GET /public/docs/{version}",
    "GET /public/asyncapi.json",
    "GET /public/problems",
    "GET /public/problems/{code}",
    "GET /public/v1/openapi.json",
    "GET /public/v1/products",
    "GET /public/v1/products/export",
    "GET /public/v1/products/{id_or_handle}",
    "GET /public/v1/products/{id_or_handle}/recommendations",
    "GET /public/v1/categories",
    "GET /public/v1/images/{image_id}",
    "GET /public/v1/search/semantic",
    "POST /public/v1/assistant/chat",
    "GET /public/v1/assistant/runs/{run_id}/events",
    "POST /public/v1/assistant/runs/{run_id}/cancel",
    "GET /public/v2/openapi.json",
    "GET /public/v2/products",
    "POST /public/v1/auth/refresh",
    "POST /public/v1/auth/register",
    "POST /public/v1/auth/token",
    "POST /public/v1/feedback",
}


def product_files() -> list[Path]:
    return sorted(file for package in PRODUCT for file in (ROOT / package).rglob("*.py"))


def test_imports_flow_one_way() -> None:
    program = Path(sys.executable).with_name("lint-imports")

    run = subprocess.run([program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout
    assert "0 broken" in run.stdout


def test_middleware_is_pure_asgi() -> None:
    using = [
        file for file in product_files() if re.search(r"(?<!No )BaseHTTPMiddleware|middleware\.base", file.read_text())
    ]

    assert using == []


def test_server_loads_no_codec() -> None:
    """Images are decoded in workers alone (docs/adr/0010)."""
    script = "import sys, gateway.main; sys.exit('PIL' in sys.modules)"

    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stderr


def test_no_file_is_too_long() -> None:
    long = {
        str(file): count for file in product_files() if (count := len(file.read_text().splitlines())) > LONGEST_FILE
    }

    assert long == {}


def test_every_module_says_what_lives_in_it() -> None:
    silent = [str(file) for file in product_files() if not file.read_text().startswith(('"""', "#!"))]

    assert silent == []


def test_folders_that_the_readme_lists_exist() -> None:
    listed = re.findall(r"^\s*- `([\w./-]+/)`", (ROOT / "README.md").read_text(), re.MULTILINE)

    assert [path for path in listed if not (ROOT / path).is_dir()] == []


def errors() -> Iterator[type[AppError]]:
    def walk(error: type[AppError]) -> Iterator[type[AppError]]:
        yield error
        for child in error.__subclasses__():
            yield from walk(child)

    return (error for error in walk(AppError) if error.__module__.split(".")[0] in PRODUCT)


def test_each_code_belongs_to_one_error() -> None:
    """A class without a code of its own shares its parent's, on purpose."""
    owners: dict[str, list[str]] = {}
    for error in errors():
        if "code" in vars(error):
            owners.setdefault(error.code, []).append(error.__name__)

    assert {code: names for code, names in owners.items() if len(names) > 1} == {}


def test_every_error_explains_itself_and_has_a_status() -> None:
    for error in errors():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code)
        assert error.title
        assert len(error.explanation()) > 20, error
        assert 400 <= status_of(error) <= 503


def unguarded(app: FastAPI, prefix: str) -> set[str]:
    """Operations that state no rule of access."""

    def walk(described: dict[str, Any]) -> Iterator[str]:
        for operation in described["operations"]:
            if operation["auth"] == "public":
                yield f"{operation['method']} {operation['path']}"
        for mounted in described["mounts"]:
            yield from walk(mounted)

    return set(walk(describe(app, prefix)))


def test_every_internal_operation_but_signing_in_states_who_may_call_it(app: FastAPI) -> None:
    signing_in = {"POST /internal/auth/token", "POST /internal/dashboard/sign-in"}
    assert unguarded(applications(app)["internal"], "/internal") == signing_in


def test_every_public_operation_is_known_to_be_open_or_states_a_rule(app: FastAPI) -> None:
    assert unguarded(applications(app)["public"], "/public") == OPEN


def _open() -> Response:
    return Response()


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("internal", "/internal"), ("public", "/public"), ("v1", "/public/v1"), ("v2", "/public/v2")],
)
def test_operation_without_a_rule_is_found(app: FastAPI, name: str, prefix: str) -> None:
    """The two tests before this one see a route however it came to the application."""
    inner = applications(app)[name]
    top = "internal" if name == "internal" else "public"

    inner.router.routes.append(Route("/open", _open, methods=["DELETE"]))
    if name != "internal":  # there every path operation is guarded by the application itself
        inner.add_api_route("/open", _open, methods=["PUT"])

    found = unguarded(applications(app)[top], f"/{top}")
    assert f"DELETE {prefix}/open" in found
    assert (f"PUT {prefix}/open" in found) == (name != "internal")


def test_path_operation_added_to_the_internal_application_is_guarded(app: FastAPI) -> None:
    internal = applications(app)["internal"]

    internal.add_api_route("/late", _open, methods=["PUT"])

    assert "PUT /internal/late" not in unguarded(internal, "/internal")
