"""Who sees what: every field of every type of GraphQL, whatever road leads to it, read by everybody.

`test_authorisation` asks who may begin, at the root. Here everybody selects all that there is below each query and
subscription, which begin at what is Ada's, and it is noted what came out with a value. A row names who may see the
fields of a type; a type or field without a row fails, and so does a road that leads somebody to what is not for them.
"""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_required_argument,
)

from core.eventlog import event_id
from core.settings import Settings
from gateway.app import create_app
from graphql_api.schema import build_schema
from tests.fixtures.application import LogEntries
from tests.fixtures.asgi import Served, client_of, exchange, serve
from tests.graphql_api.parity_shop import Shop, fill

SCHEMA: GraphQLSchema = build_schema(production=False)._schema
PEOPLE = ("ada", "bob", "support", "editor", "admin")
CALLERS = (*PEOPLE, "anonymous", "catalogue key", "events key", "ada's key", "support's key", "shop key")
STAFF = ("support", "editor", "admin")
# Who sees. Of keys: those with the scope, or of the shop's own. `result`: who was let into a mutation, in its answer.
RULES: dict[str, tuple[str, ...]] = {
    "anyone": CALLERS,
    "person": PEOPLE,
    "orders": (*PEOPLE, "ada's key", "support's key", "shop key"),
    "order": ("ada", *STAFF, "ada's key", "support's key", "shop key"),
    "order's events": ("ada", *STAFF, "shop key"),
    "room": ("ada", *STAFF, "support's key", "shop key"),
    "asker": ("ada",),
    "result": (),
}
_OWN = "id handle title description vendor status version createdAt updatedAt tags"
_ERROR = "code message retryable errors"
MEMBERS: dict[str, tuple[str, str]] = {
    "Product": ("anyone", f"{_OWN} category priceRange images variants"),
    "PriceRange": ("anyone", "min max"),
    "Money": ("anyone", "amount currency"),
    "Category": ("anyone", "id name slug"),
    "Variant": ("anyone", "id sku title options price compareAtPrice stock available weightGrams barcode product"),
    "VariantOption": ("anyone", "name value"),
    "Image": ("anyone", "id url alt width height"),
    "ProductConnection": ("anyone", "nodes edges pageInfo totalCount"),
    "ProductEdge": ("anyone", "cursor node"),
    "PageInfo": ("anyone", "hasNextPage hasPreviousPage startCursor endCursor"),
    "Recommendations": (
        "anyone",
        "answerId model version contentHash trainedAt featuresAsOf fallback fallbackReason items",
    ),
    "Recommendation": ("anyone", "product reason"),
    "ProductUpdate": ("anyone", "id type time productId product"),
    "User": ("person", "id email name role createdAt"),
    "OrderConnection": ("orders", "nodes edges pageInfo totalCount"),
    "OrderEdge": ("order", "cursor node"),
    "Order": (
        "order",
        "id number state email lines promotion subtotal discount shipping total payments shipments placedAt",
    ),
    "OrderLine": ("order", "variantId sku title quantity unitPrice total"),
    "AppliedPromotion": ("order", "id code title"),
    "Payment": ("order", "id amount reference createdAt"),
    "Shipment": ("order", "id carrier trackingNumber trackingUrl createdAt"),
    "OrderUpdate": ("order's events", "id type time order"),
    "SupportMessage": ("room", "id cursor room author to text createdAt"),
    "SupportAuthor": ("room", "id name staff"),
    "AssistantEvent": ("asker", "runId number type text card result failure"),
    "AssistantCard": ("asker", "productId handle title price priceRange available url image"),
    "AssistantCardImage": ("asker", "url alt"),
    "AssistantResult": (
        "asker",
        (
            "state finishReason answerId model version contentHash trainedAt featuresAsOf fallback fallbackReason "
            "usage corrections"
        ),
    ),
    "AssistantUsage": ("asker", "promptTokens completionTokens"),
    "AssistantCorrections": ("asker", "amounts products"),
    "AssistantFailure": ("asker", "code title detail retryable"),
    "SignedIn": ("result", "accessToken expiresIn refreshToken user"),
    "FieldFault": ("result", "pointer code message"),
    "Refused": ("result", _ERROR),
    "EmailTaken": ("result", _ERROR),
    "InvalidCredentials": ("result", _ERROR),
    "OutOfStock": ("result", f"{_ERROR} variantId sku requested available"),
    "PromotionNotApplicable": ("result", _ERROR),
    "InvalidOrderState": ("result", f"{_ERROR} state"),
    "DuplicateHandle": ("result", _ERROR),
    "DuplicateSku": ("result", _ERROR),
    "InvalidProduct": ("result", _ERROR),
    "ProductNotFound": ("result", _ERROR),
    "StaleVersion": ("result", _ERROR),
    "UnknownRecipient": ("result", _ERROR),
}
# How each road begins: at what is Ada's, where it is somebody's.
_FIRST = f'after: "{event_id(0)}"'
ROADS: dict[str, list[str]] = {
    "query product": ['(id: "$mug")'],
    "query products": ["(first: 3)"],
    "query search": ['(query: "mug", first: 3)'],
    "query recommendations": ['(productId: "$mug")'],
    "query categories": [""],
    "query me": [""],
    "query order": ['(id: "$shipped")', '(id: "$paid")'],
    "query orders": ['(filter: {email: "ada@example.com"})'],
    "query node": ['(id: "$shipped")', '(id: "$mug")', '(id: "$mug/variant")'],
    "query nodes": ['(ids: ["$shipped", "$mug"])'],
    "subscription productUpdates": [f'({_FIRST}, productId: "$mug")'],
    "subscription orderUpdates": [f'({_FIRST}, orderId: "$shipped")'],
    "subscription supportMessages": [f'({_FIRST}, room: "ada-room")'],
    "subscription assistant": [
        '(runId: "$run")',
        '(runId: "$run", after: 1)',
        '(runId: "$run", after: 2)',
        '(runId: "$failed_run")',
    ],
}
Member = tuple[str, str]


@pytest.fixture(scope="module")
async def shop(module_settings: Settings, sqlite_template: Path) -> Shop:
    module_settings.data.data_dir.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(sqlite_template, module_settings.data.data_dir / "portico.db")
    return await fill(module_settings)


@pytest.fixture(scope="module")
async def served(module_settings: Settings, shop: Shop) -> AsyncIterator[Served]:  # noqa: ARG001  filled before
    async with serve(create_app(module_settings)) as served:
        yield served


@pytest.fixture(autouse=True)
def quiet(log_entries: LogEntries) -> None:
    """No log on stderr."""


def selection(kind: GraphQLOutputType, above: tuple[str, ...] = ()) -> str:
    """All that there is below, but no type below itself."""
    named = get_named_type(kind)
    if isinstance(named, GraphQLInterfaceType | GraphQLUnionType):
        parts = [f"... on {each.name} {selection(each, above)}" for each in SCHEMA.get_possible_types(named)]
        return f"{{ __typename {' '.join(parts)} }}"
    if not isinstance(named, GraphQLObjectType):
        return ""
    found = [
        f"{name} {selection(field.type, (*above, named.name))}"
        for name, field in named.fields.items()
        if get_named_type(field.type).name not in (*above, named.name)
    ]
    return f"{{ {' '.join(found)} }}"


def members(kind: GraphQLNamedType, value: Any) -> Iterator[Member]:
    """Those that have come out: what is null has not."""
    if isinstance(value, list):
        for item in value:
            yield from members(kind, item)
    elif isinstance(value, dict):
        concrete = SCHEMA.get_type(value["__typename"]) if "__typename" in value else kind
        assert isinstance(concrete, GraphQLObjectType)
        for name, inner in value.items():
            if name != "__typename":
                yield concrete.name, name
                yield from members(get_named_type(concrete.fields[name].type), inner)


def roots() -> Iterator[tuple[str, str, GraphQLField]]:
    for kind, root in (("query", SCHEMA.query_type), ("subscription", SCHEMA.subscription_type)):
        assert root is not None
        yield from ((kind, name, field) for name, field in root.fields.items())


async def read(served: Served, query: str, headers: dict[str, str]) -> dict[str, Any]:
    """Of a subscription, the first that comes."""
    if query.startswith("query"):
        async with client_of(served) as client:
            body: dict[str, Any] = (await client.post("/graphql", json={"query": query}, headers=headers)).json()
    else:
        sent = [*headers.items(), ("Accept", "text/event-stream"), ("Content-Type", "application/json")]
        chunks = [json.dumps({"query": query}).encode()]
        heard = await asyncio.wait_for(exchange(served, "POST", "/graphql/", sent, chunks=chunks, leave_after=2), 20)
        text = b"".join(heard.chunks).decode()
        body = json.loads(text.partition("data: ")[2].partition("\n")[0])
    for error in body.get("errors", ()):
        assert error["extensions"]["code"] in (
            "unauthenticated", "missing_scope", "not_found", "room_not_found", "assistant_run_not_found",
        ), error  # fmt: skip
    return body.get("data") or {}


@pytest.fixture(scope="module")
async def seen(served: Served, shop: Shop) -> dict[Member, set[str]]:
    """Who has seen what on any road."""
    found: dict[Member, set[str]] = {}
    for kind, name, field in roots():
        for begin in ROADS[f"{kind} {name}"]:
            arguments = re.sub(r"\$([\w/]+)", lambda thing: shop.ids[thing[1]], begin)
            query = f"{kind} {{ {name}{arguments} {selection(field.type)} }}"
            for caller in CALLERS:
                data = await read(served, query, shop.headers[caller])
                for member in members(get_named_type(field.type), data.get(name)):
                    found.setdefault(member, set()).add(caller)
    return found


def test_every_field_of_every_type_has_a_row_and_every_row_a_field() -> None:
    roots = {SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type}
    types = {
        name: set(kind.fields)
        for name, kind in SCHEMA.type_map.items()
        if isinstance(kind, GraphQLObjectType) and kind not in roots and not name.startswith("__")
    }

    assert types == {name: set(fields.split()) for name, (_, fields) in MEMBERS.items()}


def test_every_root_field_that_reads_has_a_road() -> None:
    assert {f"{kind} {name}" for kind, name, _ in roots()} == set(ROADS)
    required = [
        argument
        for kind in SCHEMA.type_map.values()
        if isinstance(kind, GraphQLObjectType) and kind.name in MEMBERS
        for field in kind.fields.values()
        for argument in field.args.values()
        if is_required_argument(argument)
    ]
    assert required == [], "the roads give arguments at their beginning alone"


@pytest.mark.parametrize("kind", list(MEMBERS))
async def test_fields_of_a_type_are_seen_by_whom_they_are_for(seen: dict[Member, set[str]], kind: str) -> None:
    rule, fields = MEMBERS[kind]

    who = {name: seen.get((kind, name), set()) for name in fields.split()}

    assert who == {name: set(RULES[rule]) for name in fields.split()}


async def test_who_has_signed_in_is_told_of_nobody_else(served: Served, shop: Shop) -> None:
    told = {caller: await read(served, "query { me { id email } }", shop.headers[caller]) for caller in CALLERS}

    own = {name: {"me": {"id": shop.ids[name], "email": f"{name}@example.com"}} for name in PEOPLE}
    assert told == {caller: own.get(caller, {"me": None}) for caller in CALLERS}
