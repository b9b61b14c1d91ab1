"""What an HTTP request asks: a body, or an address, as GraphQL over HTTP has them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql_api.errors import BadRequest
from graphql_api.persisted import hash_of

FIELDS: dict[str, type] = {
    "query": str,
    "operationName": str,
    "variables": dict,
    "extensions": dict,
    "documentId": str,
    "id": str,
}


@dataclass(frozen=True, slots=True)
class Asking:
    """`named`: the hash of a persisted operation."""

    query: str | None
    named: str | None
    operation_name: str | None
    variables: dict[str, Any]


def asking_of_body(body: bytes) -> Asking:
    """Raises BadRequest."""
    return _asking(_json(body, "the body"))


def asking_of_address(parameters: Mapping[str, str]) -> Asking:
    """The same fields, as GraphQL over HTTP writes them into a query string. Raises BadRequest."""
    data: dict[str, Any] = dict(parameters)
    return _asking(data | {name: _json(data[name], name) for name in ("variables", "extensions") if data.get(name)})


def _asking(data: Any) -> Asking:
    if isinstance(data, list):
        raise BadRequest("batches are not taken: send one operation a request")
    if not isinstance(data, dict):
        raise BadRequest("the body is not a JSON object")
    for name, kind in FIELDS.items():
        if data.get(name) is not None and not isinstance(data[name], kind):
            raise BadRequest(f"{name} is not {'a string' if kind is str else 'an object'}")
    named = hash_of(data)
    if not data.get("query") and named is None:
        raise BadRequest("query is missing")
    return Asking(data.get("query"), named, data.get("operationName"), data.get("variables") or {})


def _json(text: str | bytes, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadRequest(f"{what} is not JSON") from None
