"""How the tests of this folder ask, and read what fails."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from core.settings import Settings

Ask: TypeAlias = Callable[..., Awaitable[dict[str, Any]]]
ON_SALE = 52  # products of the catalogue that conftest makes


def error_of(body: dict[str, Any]) -> dict[str, Any]:
    """The only error."""
    (error,) = body["errors"]
    assert error["extensions"]["request_id"] not in ("", "-")
    found: dict[str, Any] = error
    return found


def on_the_executor(settings: Settings) -> Settings:
    """Of an application that plans nothing."""
    return settings.model_copy(update={"server": settings.server.model_copy(update={"graphql_plans": False})})


def without_cost(body: dict[str, Any]) -> dict[str, Any]:
    """An answer, or the payload of a message, without the points that it cost."""
    rest = {name: value for name, value in body.get("extensions", {}).items() if name != "cost"}
    return {name: value for name, value in (body | {"extensions": rest}).items() if name != "extensions" or rest}


def as_graphql(value: Any) -> Any:
    """REST's JSON with the two differences there are: camelCase, and options as a list of pairs."""
    if isinstance(value, list):
        return [as_graphql(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        _camel(name): [{"name": key, "value": choice} for key, choice in inner.items()]
        if name == "options"
        else as_graphql(inner)
        for name, inner in value.items()
    }


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)
