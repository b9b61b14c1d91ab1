"""One shop asked over both roads, as every kind of caller: with plans, and on the executor alone."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from pydantic import SecretStr

from commerce.accounts.entities import User
from commerce.catalog.models import RetiredHandleRow
from commerce.catalog.service import CatalogService
from core.resources import Resources
from core.settings import DataSettings, ServerSettings, Settings
from gateway.app import create_app
from graphql_api.app import create_graphql_app
from graphql_api.roads import TAKEN
from tests.factories.clocks import FakeClock
from tests.factories.order_rows import OrderRows, line
from tests.factories.people import a_user, signed_in
from tests.factories.products import a_product, a_variant, an_image
from tests.fixtures.application import key_with
from tests.fixtures.asgi import Served, client_of, serve
from tests.graphql_api.asking import on_the_executor
from tests.graphql_api.products import a_backordered, a_jacket, the_costliest

Json = dict[str, Any]
CALLERS = ("anonymous", "customer", "stranger", "support", "editor", "reader_key", "writer_key", "orders_key")
STRANGE = "\"'\\/<&>\t\n\x01\x1f\x7f\u2028\u2029é𝄞 %s :a $1 ?"
_STATES = ("placed", "paid", "shipped", "cancelled", "placed")


@dataclass(frozen=True, slots=True)
class Answered:
    status: int
    body: Json
    planned: bool

    def told(self) -> str:
        """Without what two requests never share; the order of keys counts."""
        errors = [error | {"extensions": _lasting(error["extensions"])} for error in self.body.get("errors", [])]
        cost = self.body.get("extensions", {}).get("cost", {}).get("requested")
        return json.dumps([self.status, list(self.body), self.body.get("data"), errors, cost])


def _lasting(extensions: Json) -> Json:
    return {name: value for name, value in extensions.items() if name != "request_id"}


@dataclass(frozen=True, slots=True)
class BothRoads:
    """`known`: ids, handles and cursors that there are, by name."""

    resources: Resources
    clients: dict[bool, httpx2.AsyncClient]  # by whether it plans
    headers: dict[str, dict[str, str]]
    known: Json

    async def ask(
        self, text: str, variables: Json | None = None, *, caller: str = "anonymous", plans: bool = True
    ) -> Answered:
        before = planned_so_far()
        body = {"query": text, "variables": variables}
        response = await self.clients[plans].post("/", json=body, headers=self.headers[caller])
        return Answered(response.status_code, response.json(), planned_so_far() > before)


def planned_so_far() -> float:
    samples = next(iter(TAKEN.collect())).samples
    return sum(each.value for each in samples if each.labels == {"road": "plan"} and each.name.endswith("_total"))


@asynccontextmanager
async def both_roads(folder: Path, database_url: str) -> AsyncIterator[BothRoads]:
    settings = Settings(
        data=DataSettings(data_dir=folder, database_url=database_url),
        server=ServerSettings(secret_key=SecretStr("a secret for tests alone")),
    )
    async with serve(create_app(settings)) as served:
        resources: Resources = served.state["resources"]
        customer = await a_user(resources)
        known = await _fill(resources, customer)
        planning, executing = (
            Served(create_graphql_app(each), served.state) for each in (settings, on_the_executor(settings))
        )
        async with client_of(planning) as plans, client_of(executing) as executor:
            headers = await _callers(resources, customer)
            yield BothRoads(resources, {True: plans, False: executor}, headers, known)


async def _callers(resources: Resources, customer: User) -> dict[str, dict[str, str]]:
    return {
        "anonymous": {},
        "customer": await signed_in(resources, customer),
        "stranger": await signed_in(resources, await a_user(resources)),
        "support": await signed_in(resources, await a_user(resources, "support")),
        "editor": await signed_in(resources, await a_user(resources, "editor")),
        "reader_key": await key_with(resources, "catalog:read"),
        "writer_key": await key_with(resources, "catalog:write"),
        "orders_key": await key_with(resources, "orders:read"),
    }


async def _fill(resources: Resources, customer: User) -> Json:
    """A catalogue with one of each oddity, of which some products are not on sale; and orders of one customer."""
    clock = FakeClock()
    made = []
    async with resources.database.write() as session:
        catalog = CatalogService(session, clock)
        for product in _catalogue():
            clock.advance(seconds=0.5)
            made.append(await catalog.create(product))
        new_name = a_product(handle="renamed", title="Renamed", category="Coats")
        await catalog.update(made[0].head.id, lambda _: new_name)
        # A name of the past that somebody else has now is that one's.
        session.add(RetiredHandleRow(handle="jacket-0", product_id=made[1].head.id))
        await catalog.update(made[-1].head.id, lambda _: a_product(handle="new-draft", title="Draft", status="draft"))
    await _place(OrderRows(resources.database), customer)
    return {
        "id": made[1].head.id,
        "draft": made[-1].head.id,
        "ids": [product.head.id for product in made],
        "variant": made[1].variants[0].id,
        "variants": [product.variants[-1].id for product in made],
        "orders": [f"ord_{number}" for number in range(6)],
    }


def _catalogue() -> list[Any]:
    """The first and the last are renamed afterwards."""
    strange = a_product(
        handle="strange",
        title=STRANGE,
        description=f"<p>{STRANGE}</p>",
        vendor=STRANGE,
        category="Çoats",
        tags=("a", STRANGE.strip(), "c"),
        images=(an_image(alt=STRANGE, width=800, height=600), an_image(url="https://images.example.com/b.jpg")),
        options=("Size", "Größe"),
        variants=(
            the_costliest({"Size": "S", "Größe": STRANGE}),
            a_backordered({"Size": "M", "Größe": "x"}),
            a_variant(options={"Size": "L", "Größe": "x"}, price=0, stock=0),
        ),
    )
    alike = [
        a_jacket(
            number, titles=3, categories=2, handle=f"jacket-{number}", images=(an_image(alt="front"),) * (number % 3)
        )
        for number in range(9)
    ]
    hidden = [a_product(handle=status, title=status, status=status, vendor="Ridge") for status in ("archived", "draft")]
    return [a_product(handle="old-name", title="Plain", variants=(a_variant(price=1),)), strange, *alike, *hidden]


async def _place(orders: OrderRows, customer: User) -> None:
    for number, state in enumerate(_STATES):
        whose = {"user_id": customer.id, "email": customer.email} if number < 3 else {}
        promotion = {"promotion_id": "promo_1", "promotion_code": None, "promotion_title": STRANGE}
        lines = [line(title=f"{STRANGE}{at}", sku=None, unit_price=10**12, quantity=at + 1) for at in range(number + 1)]
        order = {"id": f"ord_{number}", "state": state, "shipping": 500, "discount": 10**12 - 1}
        await orders.add(*lines, **order, **whose, **(promotion if number % 2 else {}))
    for number in range(3):
        await orders.pay("ord_2", id=f"pay_{number}", reference=f"{STRANGE}{number}")
        await orders.ship("ord_2", id=f"shp_{number}", tracking_url="https://track.example.com/1")
