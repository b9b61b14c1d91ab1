"""A shop in a process of its own, as journeys start and use it."""

import httpx2

from tests.fixtures.processes import PORTICO, Process, StartProcess

SCOPES = "catalog:read,catalog:write,orders:read,orders:write,events:read,reports:read,webhooks:write"


def serve(start: StartProcess, **environment: str) -> tuple[Process, str]:
    server = start(*PORTICO, "serve", "--port", "0", **environment)
    return server, server.until(r"Portico is ready: (\S+)")[1]


def shop_key(start: StartProcess, **environment: str) -> dict[str, str]:
    keys = start(*PORTICO, "keys", "create", "journey", "--scopes", SCOPES, **environment)
    assert keys.wait(30) == 0, keys.story
    return {"Authorization": f"Bearer {keys.stdout.strip()}"}


def add_mug(address: str, key: dict[str, str]) -> None:
    product = {"title": "Mug", "variants": [{"sku": "MUG", "price": {"amount": 250, "currency": "USD"}}]}
    assert httpx2.post(f"{address}/public/v1/products", json=product, headers=key).status_code == 201


def place_order(address: str, key: dict[str, str], number: int) -> str:
    """Its id. The number makes it one order, however often it is sent."""
    body = {"lines": [{"sku": "MUG", "quantity": 2}], "email": "ada@example.com"}
    placed = httpx2.post(f"{address}/public/v1/orders", json=body, headers=key | {"Idempotency-Key": str(number)})
    assert placed.status_code == 201, placed.text
    return str(placed.json()["id"])


def place_orders(address: str, key: dict[str, str], count: int) -> list[str]:
    add_mug(address, key)
    return [place_order(address, key, number) for number in range(count)]
