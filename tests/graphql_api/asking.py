"""How the tests of this folder ask, and read what fails."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

Ask: TypeAlias = Callable[..., Awaitable[dict[str, Any]]]
ON_SALE = 52  # products of the catalogue that conftest makes


def error_of(body: dict[str, Any]) -> dict[str, Any]:
    """The only error."""
    (error,) = body["errors"]
    assert error["extensions"]["request_id"] not in ("", "-")
    found: dict[str, Any] = error
    return found
