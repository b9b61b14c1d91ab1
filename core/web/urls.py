"""Addresses as a client sees them."""

from starlette.types import Scope


def base_path(scope: Scope) -> str:
    """The prefix that a proxy put before the whole gateway, without any mount's."""
    return str(scope.get("app_root_path", scope.get("root_path", ""))).rstrip("/")
