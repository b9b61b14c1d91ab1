"""Addresses as a client sees them."""

from starlette.types import Scope


def base_path(scope: Scope) -> str:
    """The prefix that a proxy put before the whole gateway, without any mount's."""
    return str(scope.get("app_root_path", scope.get("root_path", ""))).rstrip("/")


def route_path(scope: Scope) -> str:
    """The address as the application that has the scope now matches it: without the prefix and the mounts before it."""
    path = str(scope["path"]).removeprefix(scope.get("root_path", ""))
    return path if path.startswith("/") else f"/{path}"


def mounted_at(scope: Scope) -> str:
    """The mounts before the application that has the scope now, without a proxy's prefix."""
    root_path: str = scope.get("root_path", "")
    return root_path[len(scope.get("app_root_path", root_path)) :]
