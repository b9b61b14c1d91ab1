"""A shop of any size, the queries that storefronts send to it, and what REST says to the same question."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
from graphql import OperationDefinitionNode, parse
from sqlalchemy import insert

from commerce.accounts.entities import User
from commerce.catalog.commands import ProductData
from commerce.catalog.service import CatalogService
from commerce.recommendations.models import ProductSalesRow
from core.database import Database
from tests.factories.clocks import FakeClock
from tests.factories.order_rows import OrderRows, line
from tests.factories.products import a_product, a_variant, an_image
from tests.graphql_api.asking import as_graphql

CORPUS = Path(__file__).parent / "corpus"
UNTOLD: Any = ...  # what REST does not say
Headers = dict[str, str]
Json = dict[str, Any]


@cache
def text_of(name: str) -> str:
    return (CORPUS / f"{name}.graphql").read_text()


def variables_of(name: str, given: Json) -> Json:
    """Those of the given ones that the query declares."""
    (operation,) = [node for node in parse(text_of(name)).definitions if isinstance(node, OperationDefinitionNode)]
    declared = [definition.variable.name.value for definition in operation.variable_definitions or ()]
    return {name: given[name] for name in declared if name in given}


@dataclass(frozen=True, slots=True)
class Filler:
    """Adds products and orders of one customer. What is added at a time shares nothing with what was there."""

    database: Database
    orders: OrderRows
    customer: User

    async def add(self, size: int) -> None:
        """So many products and orders, and a product and an order with so many of all that hangs on one."""
        clock = FakeClock()
        async with self.database.write() as session:
            catalog = CatalogService(session, clock)
            for number in range(size):
                clock.advance(seconds=1)
                jacket = await catalog.create(_jacket(f"jacket-{size}-{number}", number))
                sold = {"product_id": jacket.head.id, "category_id": jacket.head.category_id}
                await session.execute(insert(ProductSalesRow).values(**sold, units=100 * size - number))
            hero = await catalog.create(_hero(f"old-hero-{size}", size))
            await catalog.update(hero.head.id, lambda _: _hero(f"hero-{size}", size))
            await catalog.create(a_product(handle=f"draft-{size}", title="Draft", status="draft", category="Drafts"))
        for number in range(size):
            lines = [line(title=f"Line {at}") for at in range(size if number == 0 else 1)]
            await self._order(f"{size}-{number}", *lines, parts=size if number == 0 else 1)

    async def _order(self, name: str, *lines: Json, parts: int) -> None:
        promotion = {"promotion_id": "promo_1", "promotion_code": "SPRING", "promotion_title": "Spring"}
        order_id = await self.orders.add(
            *lines, id=f"ord_{name}", user_id=self.customer.id, email=self.customer.email, shipping=500, **promotion
        )
        for number in range(parts):
            await self.orders.pay(order_id, id=f"pay_{name}-{number:03}", reference=f"ch_{number}")
            await self.orders.ship(order_id, id=f"shp_{name}-{number:03}", tracking_number="1")


def _jacket(handle: str, number: int) -> ProductData:
    return a_product(
        handle=handle,
        title=f"Jacket {number:02}",
        description="<p>Dry</p>",
        vendor="Ridge",
        category=f"Category {number}",
        tags=("rain", "sale"),
        images=(an_image(alt="front", width=800, height=600), an_image(url="https://images.example.com/back.jpg")),
        options=("Size",),
        variants=tuple(
            a_variant(
                options={"Size": size}, price=1000 + number, compare_at_price=2000, sku=f"{handle}-{size}", stock=3
            )
            for size in ("S", "M")
        ),
    )


def _hero(handle: str, size: int) -> ProductData:
    return a_product(
        handle=handle,
        title="Hero",
        description="<p>Bold</p>",
        vendor="Peak",
        category="Heroes",
        tags=tuple(f"tag-{number}" for number in range(size)),
        images=tuple(an_image(url=f"https://images.example.com/{number}.jpg") for number in range(size)),
        options=("Length",),
        variants=tuple(
            a_variant(options={"Length": str(number)}, price=10_000 + number, barcode=str(number), weight_grams=300)
            for number in range(size)
        ),
    )


class Rest:
    """The same questions, asked over REST, each once; answers in GraphQL's names. What REST does not say is UNTOLD."""

    def __init__(self, client: httpx2.AsyncClient, headers: Headers) -> None:
        self._client = client
        self._headers = headers
        self._told: dict[httpx2.URL, Any] = {}

    async def get(self, path: str, **parameters: Any) -> Any:
        url = httpx2.URL(f"/public/{path}", params=parameters)
        if url not in self._told:
            response = await self._client.get(url, headers=self._headers, follow_redirects=True)
            assert response.status_code == 200, response.text
            self._told[url] = as_graphql(response.json())
        return self._told[url]

    async def product(self, id_or_handle: str) -> Json:
        found: Json = await self.get(f"v1/products/{id_or_handle}")
        return found | {"__typename": "Product", "cover": found["images"]}

    async def products(self, ids: list[str]) -> list[Json]:
        return [await self.product(each) for each in ids]

    async def first_variants(self, product_ids: list[str]) -> list[Json]:
        return [product["variants"][0] | {"product": product} for product in await self.products(product_ids)]

    async def page(self, first: int, **parameters: Any) -> Json:
        """Of products."""
        found = await self.get("v2/products", limit=first, count=True, **parameters)
        items, following = found["items"], found["next"]
        return _connection(items, found["total"], has_next=following is not None) | {
            "pageInfo": {
                "hasNextPage": following is not None,
                "hasPreviousPage": "after" in parameters,
                "endCursor": following or UNTOLD,
            }
        }

    async def ranked(self, words: str, first: int) -> Json:
        """Of the products that match, the best first."""
        found = await self.get("v1/products", q=words, size=first)
        return _connection(found["items"], found["total"], has_next=found["total"] > first)

    async def categories(self) -> list[Json]:
        return list((await self.get("v1/categories"))["items"])

    async def order(self, order_id: str) -> Json:
        return dict(await self.get(f"v1/orders/{order_id}"))

    async def orders(self, first: int, **parameters: Any) -> Json:
        found = await self.get("v1/orders", size=first, **parameters)
        return _connection(found["items"], found["total"], has_next=found["total"] > first)

    async def me(self) -> Json:
        return dict(await self.get("v1/me"))


def _connection(items: list[Json], total: int, *, has_next: bool) -> Json:
    return {
        "nodes": items,
        "edges": [{"cursor": UNTOLD, "node": item} for item in items],
        "totalCount": total,
        "pageInfo": {"hasNextPage": has_next, "hasPreviousPage": False, "endCursor": UNTOLD},
    }


def shaped(told: Any, answer: Any) -> Any:
    """Of what REST told, as much as the answer has. Raises KeyError where the answer has what REST does not have."""
    if told is UNTOLD:
        return answer
    if isinstance(told, list) and isinstance(answer, list) and len(told) == len(answer):
        return [shaped(*both) for both in zip(told, answer, strict=True)]
    if isinstance(told, dict) and isinstance(answer, dict):
        return {name: shaped(told[name], value) for name, value in answer.items()}
    return told


Twin = Callable[[Rest, Json], dict[str, Awaitable[Any]]]


@dataclass(frozen=True, slots=True)
class Query:
    """`statements`: how many of them the answer takes, those that find the caller among them."""

    statements: int
    twin: Twin
    caller: str = "anonymous"


QUERIES: dict[str, Query] = {
    "home_page": Query(
        4,  # the categories, two pages, and the images of both at once
        lambda rest, v: {
            "menu": rest.categories(),
            "newest": rest.page(v["first"]),
            "cheapest": rest.page(v["first"], sort="price"),
        },
    ),
    "menu_of_categories": Query(1, lambda rest, _: {"categories": rest.categories()}),
    "collection_page": Query(
        4, lambda rest, v: {"products": rest.page(v["first"], category=v["category"])}
    ),  # the page, its total, images, categories
    "infinite_scroll": Query(2, lambda rest, v: {"products": rest.page(v["first"], after=v["after"])}),
    "product_card_list": Query(3, lambda rest, v: {"products": rest.page(v["first"], sort="title")}),
    "product_page": Query(5, lambda rest, v: {"product": rest.product(v["handle"])}),
    "old_link": Query(2, lambda rest, v: {"product": rest.product(v["oldHandle"])}),
    "quick_view": Query(3, lambda rest, v: {"product": rest.product(v["id"])}),
    "breadcrumb": Query(2, lambda rest, v: {"product": rest.product(v["handle"])}),
    "gallery": Query(2, lambda rest, v: {"product": rest.product(v["handle"])}),
    "size_chart": Query(2, lambda rest, v: {"product": rest.product(v["handle"])}),
    "page_metadata": Query(2, lambda rest, v: {"product": rest.product(v["handle"])}),
    "search_page": Query(3, lambda rest, v: {"products": rest.page(v["first"], q=v["words"])}),
    "search_suggestions": Query(1, lambda rest, v: {"products": rest.page(v["first"], q=v["words"])}),
    "search_results": Query(3, lambda rest, v: {"search": rest.ranked(v["words"], v["first"])}),
    "you_may_like": Query(4, lambda rest, v: {"recommendations": _popular(rest, v["jackets"])}),
    "filtered_list": Query(
        3,
        lambda rest, v: {
            "products": rest.page(
                v["first"],
                vendor=v["vendor"],
                tag=v["tag"],
                min_price=v["min"],
                max_price=v["max"],
                in_stock=True,
                sort="price",
            )
        },
    ),
    "filter_counts": Query(
        3,  # no page is read
        lambda rest, v: {
            "all": rest.page(1),
            "inStock": rest.page(1, in_stock=True),
            "ofVendor": rest.page(1, vendor=v["vendor"]),
        },
    ),
    "sorted_list": Query(1, lambda rest, v: {"products": rest.page(v["first"], sort="-title")}),
    "vendor_page": Query(3, lambda rest, v: {"products": rest.page(v["first"], vendor=v["vendor"])}),
    "sale_page": Query(2, lambda rest, v: {"products": rest.page(v["first"], tag=v["tag"])}),
    "sitemap": Query(1, lambda rest, _: {"products": rest.page(100, sort="created_at")}),
    "merchant_feed": Query(4, lambda rest, v: {"products": rest.page(v["first"])}),
    "cart_preview": Query(3, lambda rest, v: {"nodes": rest.first_variants(v["ids"])}),
    "stock_check": Query(2, lambda rest, v: {"nodes": rest.products(v["ids"])}),
    "wish_list": Query(2, lambda rest, v: {"nodes": rest.products(v["ids"])}),
    "recently_viewed": Query(1, lambda rest, v: {"nodes": rest.products(v["ids"])}),
    "compare": Query(2, lambda rest, v: {"left": rest.product(v["id"]), "right": rest.product(v["other"])}),
    "refetch": Query(1, lambda rest, v: {"node": rest.product(v["id"])}),
    "page_header": Query(3, lambda rest, _: {"me": rest.me(), "categories": rest.categories()}, "customer"),
    "account_page": Query(5, lambda rest, _: {"me": rest.me(), "orders": rest.orders(3)}, "customer"),
    "order_history": Query(4, lambda rest, v: {"orders": rest.orders(v["first"])}, "customer"),
    "order_numbers": Query(2, lambda rest, v: {"orders": rest.orders(v["first"])}, "customer"),
    "open_orders": Query(3, lambda rest, v: {"orders": rest.orders(v["first"], state="placed")}, "customer"),
    "order_page": Query(5, lambda rest, v: {"order": rest.order(v["order"])}, "customer"),
    "order_tracking": Query(3, lambda rest, v: {"order": rest.order(v["order"])}, "customer"),
    "order_again": Query(3, lambda rest, v: {"order": rest.order(v["order"])}, "customer"),
    "order_refetch": Query(3, lambda rest, v: {"node": rest.order(v["order"])}, "customer"),
    "mixed_refetch": Query(
        3, lambda rest, v: {"products": rest.products(v["ids"]), "orders": _orders(rest, v["orders"])}, "customer"
    ),
    "admin_orders": Query(5, lambda rest, v: {"orders": rest.orders(v["first"], email=v["email"])}, "admin"),
    "admin_products": Query(5, lambda rest, v: {"products": rest.page(v["first"], sort="-updated_at")}, "admin"),
}


async def _orders(rest: Rest, ids: list[str]) -> list[Json]:
    return [await rest.order(each) for each in ids]


async def _popular(rest: Rest, handles: list[str]) -> Json:
    items = [{"reason": "POPULAR", "product": product} for product in await rest.products(handles)]
    return {"model": "popularity", "version": "1", "fallback": True, "items": items}
