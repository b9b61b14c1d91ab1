"""Asking, and reading what answers tell of the budget."""

import re
from typing import Any

import httpx2

POINTS = 100
PRODUCTS = "/public/v1/products"
# A list of strings with integers as parameters (RFC 9651, 3.1), of which both headers are one.
_ITEM = re.compile(r'"([ !#-\[\]-~]*)"((?:;[a-z*][a-z0-9_.*-]*=-?[0-9]{1,15})*)')


def told(response: httpx2.Response) -> tuple[str | None, str | None]:
    return response.headers.get("ratelimit-policy"), response.headers.get("ratelimit")


def left(response: httpx2.Response) -> int:
    return int(response.headers["ratelimit"].partition(";r=")[2].partition(";")[0])


async def ask(client: httpx2.AsyncClient, query: str, headers: dict[str, str] | None = None, **more: str) -> Any:
    return await client.post("/graphql", json={"query": query}, headers=(headers or {}) | more)


async def spend_all(client: httpx2.AsyncClient, headers: dict[str, str] | None = None) -> None:
    """By two operations of fifty points."""
    for _ in range(2):
        assert (await ask(client, "{ categories { id } }", headers)).status_code == 200


def items_of(header: str) -> list[tuple[str, dict[str, int]]]:
    """Fails where the header is not one."""
    matches = [_ITEM.fullmatch(item) for item in header.split(", ")]
    assert all(matches), header
    return [
        (match[1], {name: int(value) for name, value in (each.split("=") for each in match[2].split(";")[1:])})
        for match in matches
        if match is not None
    ]
