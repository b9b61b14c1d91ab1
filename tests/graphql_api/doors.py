"""One thing asked of two doors: how each operation is asked on REST and in GraphQL, and how their answers compare."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import httpx2

from core.errors import error_classes
from core.web.errors import status_of
from tests.graphql_api.asking import as_graphql
from tests.graphql_api.ordering import FAULT, ORDER
from tests.graphql_api.parity_shop import Shop
from tests.graphql_api.test_graphql_catalog import PRODUCT

V1 = "/public/v1"
V2 = "/public/v2"
KEY = "a-key"
Given = dict[str, Any]
Shape = Callable[[Any], Any]
_ID = re.compile(r"[a-z]+_([0-9a-z]{26})")
_TIME = re.compile(r"2\d{3}-[01]\d-[0-3]\dT.*Z")
_FILLED = "2026-03-02"  # the shop's own moments are before


@dataclass(frozen=True)
class Operation:
    """`rest` makes a request of what is given, in REST's names; `variables` those of `query`, whose only field is
    `name`. `of_rest` and `of_graphql` bring what they answer into one shape. What REST refuses with one of the codes
    `nulls` GraphQL answers by null. `places` is where GraphQL has what is REST's body.
    """

    name: str
    rest: Callable[[Given], dict[str, Any]]
    query: str
    variables: Callable[[Given], Given]
    of_rest: Shape = as_graphql
    of_graphql: Shape = dict
    nulls: Collection[str] = ()
    places: str = "/input"
    writes: bool = False


@dataclass(frozen=True)
class Answer:
    """`faults` are places, as GraphQL names them, and codes; None: the operation was refused as a whole, which says
    none.
    """

    code: str
    retryable: bool
    faults: list[tuple[str, str]] | None
    value: Any
    replayed: bool


async def by_rest(client: httpx2.AsyncClient, operation: Operation, given: Given, headers: dict[str, str]) -> Answer:
    request = operation.rest(_except(given, "key"))
    key = {"Idempotency-Key": given.get("key", KEY)} if operation.writes else {}
    headers = headers | key | request.pop("headers", {})
    response = await client.request(**request, headers=headers, follow_redirects=True)
    body = response.json()
    replayed = "idempotency-replayed" in response.headers
    if response.is_success:
        return Answer("", retryable=False, faults=[], value=operation.of_rest(body), replayed=replayed)
    assert response.status_code == status_of(error_classes()[body["code"]])
    faults = [(_place(fault["pointer"], operation.places), fault["code"]) for fault in body.get("errors", ())]
    return Answer(body["code"], body["retryable"], faults, None, replayed)


async def by_graphql(client: httpx2.AsyncClient, operation: Operation, given: Given, headers: dict[str, str]) -> Answer:
    variables = operation.variables(_except(given, "key"))
    if operation.writes:
        variables["key"] = given.get("key", KEY)
    response = await client.post("/graphql", json={"query": operation.query, "variables": variables}, headers=headers)
    body = response.json()
    replayed = "idempotency-replayed" in response.headers
    if errors := body.get("errors"):
        assert (body.get("data") or {}).get(operation.name) is None
        ((code, retryable),) = {(error["extensions"]["code"], error["extensions"]["retryable"]) for error in errors}
        return Answer(code, retryable, None, None, replayed)
    result = body["data"][operation.name]
    if result is None:
        assert operation.nulls
        return Answer("null", retryable=False, faults=None, value=None, replayed=replayed)
    if isinstance(result, dict) and "code" in result:
        faults = [(fault["pointer"], fault["code"]) for fault in result["errors"]]
        return Answer(result["code"], result["retryable"], faults, None, replayed)
    return Answer("", retryable=False, faults=[], value=operation.of_graphql(result), replayed=replayed)


def named(value: Any, shop: Shop) -> Any:
    """With the ids that `$...` names."""
    if isinstance(value, dict):
        return {name: named(inner, shop) for name, inner in value.items()}
    if isinstance(value, list):
        return [named(inner, shop) for inner in value]
    return shop.ids[value[1:]] if isinstance(value, str) and value.startswith("$") else value


def comparable(value: Any, shop: Shop) -> Any:
    """Without what differs from one time to the next: new ids, and moments after the shop was filled."""
    if isinstance(value, dict):
        return {name: comparable(inner, shop) for name, inner in value.items() if name != "__typename"}
    if isinstance(value, list):
        return [comparable(inner, shop) for inner in value]
    if not isinstance(value, str):
        return value
    made = _ID.fullmatch(value)
    if made is not None and made[1] > shop.filled:
        return f"a new {value.partition('_')[0]}"
    return "now" if _TIME.fullmatch(value) and value > _FILLED else value


def _place(pointer: str, home: str) -> str:
    known = {"/header/Idempotency-Key": "/idempotencyKey", "/path/room": "/room"}
    return known.get(pointer) or home + re.sub("_([a-z])", lambda found: found[1].upper(), pointer)


def _camel(given: Given) -> Given:
    found: Given = as_graphql(given)
    return found


def _except(given: Given, *names: str) -> Given:
    return {name: value for name, value in given.items() if name not in names}


def _get(path: str) -> Callable[[Given], dict[str, Any]]:
    return lambda given: {"method": "GET", "url": path, "params": given}


def _post(path: str) -> Callable[[Given], dict[str, Any]]:
    return lambda given: {"method": "POST", "url": V1 + path, "json": given}


def _page(names: Collection[str]) -> Callable[[Given], Given]:
    """What is a filter's goes into the filter; of a sort, GraphQL's name for it."""

    def variables(given: Given) -> Given:
        narrowed = {name: value for name, value in given.items() if name in names}
        rest: Given = {name: given[name] for name in ("after", "sort") if name in given}
        if "sort" in rest:
            rest["sort"] = str(rest["sort"]).removeprefix("-").upper() + "_DESC" * str(rest["sort"]).startswith("-")
        if "limit" in given or "size" in given:
            rest["first"] = given.get("limit", given.get("size"))
        return rest | ({"filter": _camel(narrowed)} if narrowed else {})

    return variables


def _of_page(body: Given) -> Given:
    found: Given = {"items": as_graphql(body["items"]), "total": body["total"]}
    return found | ({"next": body["next"]} if "next" in body else {})


def _of_connection(result: Given) -> Given:
    page = result.get("pageInfo")
    following = {"next": page["endCursor"] if page["hasNextPage"] else None} if page else {}
    return {"items": result["nodes"], "total": result["totalCount"]} | following


PRODUCT_FILTERS = ("q", "category", "vendor", "tag", "min_price", "max_price", "in_stock")
ORDER_FILTERS = ("state", "email", "placed_after", "placed_before")

_PRODUCTS = """query($first: Int, $after: String, $filter: ProductFilter, $sort: ProductSort) {
  products(first: $first, after: $after, filter: $filter, sort: $sort) { nodes { ...All } totalCount %s }
}"""

product = Operation(
    "product",
    lambda given: {"method": "GET", "url": f"{V1}/products/{next(iter(given.values()))}"},
    "query($id: ID, $handle: String) { product(id: $id, handle: $handle) { ...All } }" + PRODUCT,
    dict,
    nulls={"product_not_found"},
)
products = Operation(
    "products",
    lambda given: {"method": "GET", "url": f"{V2}/products", "params": {**given, "count": True}},
    _PRODUCTS % "pageInfo { hasNextPage endCursor }" + PRODUCT,
    _page(PRODUCT_FILTERS),
    _of_page,
    _of_connection,
)
numbered_products = Operation(
    "products",
    _get(f"{V1}/products"),
    _PRODUCTS % "" + PRODUCT,
    _page(PRODUCT_FILTERS),
    lambda body: {"items": as_graphql(body["items"]), "total": body["total"]},
    _of_connection,
)
search = Operation(
    "search",
    _get(f"{V1}/products"),
    "query($query: String!, $first: Int) { search(query: $query, first: $first) { nodes { ...All } totalCount } }"
    + PRODUCT,
    lambda given: {"query": given["q"], "first": given.get("size", 20)},
    lambda body: {"items": as_graphql(body["items"]), "total": body["total"]},
    _of_connection,
)
categories = Operation(
    "categories", _get(f"{V1}/categories"), "{ categories { id name slug } }", dict, lambda body: body["items"], list
)
me = Operation(
    "me",
    _get(f"{V1}/me"),
    "{ me { id email name role createdAt } }",
    dict,
    nulls={"unauthenticated", "user_required"},
)
order = Operation(
    "order",
    lambda given: {"method": "GET", "url": f"{V1}/orders/{given['id']}"},
    "query($id: ID!) { order(id: $id) { ...All } }" + ORDER,
    dict,
    nulls={"order_not_found"},
)
orders = Operation(
    "orders",
    _get(f"{V1}/orders"),
    """query($first: Int, $filter: OrderFilter) {
      orders(first: $first, filter: $filter) { nodes { ...All } totalCount }
    }"""
    + ORDER,
    _page(ORDER_FILTERS),
    _of_page,
    _of_connection,
)
register = Operation(
    "registerUser",
    _post("/auth/register"),
    """mutation($input: RegisterUserInput!, $key: String) {
      registerUser(input: $input, idempotencyKey: $key) { ... on User { id email name role } ...Fault }
    }"""
    + FAULT,
    lambda given: {"input": _camel(given)},
    writes=True,
)
sign_in = Operation(
    "signIn",
    lambda given: {
        "method": "POST",
        "url": f"{V1}/auth/token",
        "data": {"username": given["email"], "password": given["password"]},
    },
    """mutation($email: String!, $password: String!) {
      signIn(email: $email, password: $password) { ... on SignedIn { accessToken refreshToken expiresIn } ...Fault }
    }"""
    + FAULT,
    dict,
    of_rest=lambda body: sorted(name for name in as_graphql(body) if name != "tokenType"),
    of_graphql=sorted,
)
place = Operation(
    "placeOrder",
    _post("/orders"),
    """mutation($input: PlaceOrderInput!, $key: String!) {
      placeOrder(input: $input, idempotencyKey: $key) { ...All ...Fault }
    }"""
    + ORDER
    + FAULT,
    lambda given: {"input": _camel(given)},
    writes=True,
)
cancel = Operation(
    "cancelOrder",
    lambda given: {"method": "POST", "url": f"{V1}/orders/{given['id']}/cancel"},
    "mutation($id: ID!, $key: String) { cancelOrder(id: $id, idempotencyKey: $key) { ...All ...Fault } }"
    + ORDER
    + FAULT,
    dict,
    writes=True,
)
create_product = Operation(
    "createProduct",
    _post("/products"),
    """mutation($input: CreateProductInput!, $key: String) {
      createProduct(input: $input, idempotencyKey: $key) { ...All ...Fault }
    }"""
    + PRODUCT
    + FAULT,
    lambda given: {"input": _camel(given)},
    writes=True,
)
update_product = Operation(
    "updateProduct",
    lambda given: {
        "method": "PATCH",
        "url": f"{V1}/products/{given['id']}",
        "json": _except(given, "id", "version"),
        "headers": {"If-Match": f'"{given["version"]}"'} if "version" in given else {},
    },
    """mutation($id: ID!, $input: UpdateProductInput!, $version: Int, $key: String) {
      updateProduct(id: $id, input: $input, expectedVersion: $version, idempotencyKey: $key) { ...All ...Fault }
    }"""
    + PRODUCT
    + FAULT,
    lambda given: {
        "id": given["id"],
        "input": _camel(_except(given, "id", "version")),
        "version": given.get("version"),
    },
    writes=True,
)
send_message = Operation(
    "sendSupportMessage",
    lambda given: {
        "method": "POST",
        "url": f"{V1}/support/rooms/{given['room']}/messages",
        "json": _except(given, "room"),
    },
    """mutation($room: String!, $text: String!, $to: ID, $key: String) {
      sendSupportMessage(room: $room, text: $text, to: $to, idempotencyKey: $key) {
        ... on SupportMessage { id cursor room author { id name staff } to text createdAt } ...Fault
      }
    }"""
    + FAULT,
    dict,
    places="",
    writes=True,
)
