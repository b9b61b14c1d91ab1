from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from core.resources import Resources
from core.settings import Settings, ShopSettings
from tests.factories.carriers import Carrier, a_carrier
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.orders import OrderDesk, only_variant
from tests.factories.products import a_variant
from tests.fixtures.application import key_with

QUOTES = "/public/v1/shipping-quotes"
SECRET = "hunter2-is-secret"


@dataclass
class Carriers:
    fast: Carrier
    slow: Carrier


@pytest.fixture
async def carriers() -> AsyncIterator[Carriers]:
    async with AsyncExitStack() as stack:
        yield Carriers(await stack.enter_async_context(a_carrier()), await stack.enter_async_context(a_carrier()))


@pytest.fixture
def quote_seconds() -> float:
    """Long, for no test waits for it unless it is about that."""
    return 30.0


@pytest.fixture
def slow_seconds() -> float:
    """How long the carrier `slow` is waited for."""
    return 30.0


@pytest.fixture
def settings(settings: Settings, carriers: Carriers, quote_seconds: float, slow_seconds: float) -> Settings:
    headers = {"Authorization": SecretStr(f"Bearer {SECRET}")}
    configured = (
        carriers.fast.settings("fast", headers=headers, url=f"{carriers.fast.url}?key={SECRET}"),
        carriers.slow.settings("slow", headers=headers, timeout_seconds=slow_seconds),
    )
    return settings.model_copy(update={"shop": ShopSettings(carriers=configured, quote_seconds=quote_seconds)})


@pytest.fixture
async def buyer(resources: Resources) -> dict[str, str]:
    return await key_with(resources, "orders:read", "orders:write")


@pytest.fixture
def desk(resources: Resources) -> OrderDesk:
    return OrderDesk(resources.database, FakeClock())


@pytest.fixture
async def variant(resources: Resources) -> str:
    """A jacket of 600 g, of which there are ten."""
    catalogue = Catalogue(resources.database, FakeClock())
    variants = (a_variant(price=1999, stock=10, sku="JKT", weight_grams=600),)
    return only_variant(await catalogue.create(handle="jacket", title="Rain Jacket", variants=variants))


@pytest.fixture
def asking(client: httpx2.AsyncClient, buyer: dict[str, str], variant: str) -> "Asking":
    return Asking(client, buyer, variant)


@dataclass
class Asking:
    client: httpx2.AsyncClient
    headers: dict[str, str]
    variant: str

    def body(self, quantity: int = 2, country: str = "US", postal_code: str | None = "94105") -> dict[str, Any]:
        lines = [{"variant_id": self.variant, "quantity": quantity}]
        return {"lines": lines, "destination": {"country": country, "postal_code": postal_code}}

    async def send(self, sent: Any = None, **headers: str) -> httpx2.Response:
        return await self.client.post(QUOTES, json=sent or self.body(), headers=self.headers | headers)

    async def quote(self, sent: Any = None) -> dict[str, Any]:
        response = await self.send(sent)
        assert response.status_code == 201, response.text
        quote: dict[str, Any] = response.json()
        return quote

    async def statuses(self, sent: Any = None) -> dict[str, str]:
        return {part["carrier"]: part["status"] for part in (await self.quote(sent))["parts"]}
