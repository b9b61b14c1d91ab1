"""Who may call what: every operation of every application, and every field of GraphQL, asked by everybody.

A row names the rule of an operation; each rule says what each caller is answered. An operation without a row fails, and
a row without an operation. Bodies and ids name nothing, so that whoever is let in is answered 404 or 422 at worst.
"""

import json
import re
from collections.abc import AsyncIterator, Collection, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from httpx2.websockets import AsyncWebSocketClient, WebSocketUpgradeError

from commerce.accounts.entities import User
from commerce.accounts.principal import ROLES, SCOPES
from core.errors import error_classes
from core.eventlog import event_id
from core.ids import new_id
from core.resources import Resources
from core.settings import Settings
from core.web.audience import describe
from core.web.errors import status_of
from graphql_api.schema import build_schema
from tests.factories.people import a_user, signed_in
from tests.fixtures.application import LogEntries, key_with, new_app
from tests.fixtures.asgi import Served, client_of, exchange, serve
from tests.fixtures.probes import applications

STAFF = ("support", "editor", "admin")
PEOPLE = ("customer", *STAFF)
# A person signs in at the public door and, being staff, at the internal one; a scope is a key of the shop's own with
# that scope alone.
CALLERS = ("anonymous", *PEOPLE, *SCOPES, "metrics token")
SCOPES_OF_PEOPLE: dict[str, set[str]] = {
    "customer": {"catalog:read", "orders:read", "orders:write", "events:read", "webhooks:write"},
    "support": {
        *("catalog:read", "orders:read", "orders:write", "events:read", "webhooks:write"),
        *("reports:read", "support:write"),
    },
    "editor": {
        *("catalog:read", "orders:read", "orders:write", "events:read", "webhooks:write"),
        *("reports:read", "support:write", "catalog:write"),
    },
    "admin": set(SCOPES),
}
# open: credentials are not looked at.   anyone: anonymous callers too, but not those with bad credentials.
# somebody: people and keys.
# user: people, no keys.   scope: whoever has it.   staff: at the internal door, whoever has the role or a higher one.
# metrics: all staff, and the metrics token.   chat: people, and keys with support:write.
OPERATIONS = {
    "GET /": "open",
    "GET /healthz": "open",
    "GET /readyz": "open",
    "GET /public/docs": "open",
    "GET /public/docs/{version}": "open",
    "GET /public/asyncapi.json": "open",
    "GET /public/problems": "open",
    "GET /public/problems/{code}": "open",
    "GET /public/v1/openapi.json": "open",
    "GET /public/v1/products": "anyone",
    "GET /public/v1/products/export": "anyone",
    "GET /public/v1/products/{id_or_handle}": "anyone",
    "GET /public/v1/products/{id_or_handle}/recommendations": "anyone",
    "GET /public/v1/products/{id_or_handle}/forecast": "scope reports:read",
    "POST /public/v1/predict": "scope reports:read",
    "POST /public/v1/products": "scope catalog:write",
    "PATCH /public/v1/products/{product_id}": "scope catalog:write",
    "DELETE /public/v1/products/{product_id}": "scope catalog:write",
    "GET /public/v1/categories": "open",
    "GET /public/v1/search/semantic": "anyone",
    "POST /public/v1/products/{product_id}/images": "scope catalog:write",
    "GET /public/v1/images/{image_id}": "anyone",
    "POST /public/v1/auth/register": "anyone",
    "POST /public/v1/auth/token": "open",
    "POST /public/v1/auth/refresh": "open",
    "POST /public/v1/auth/logout": "user",
    "GET /public/v1/me": "user",
    "GET /public/v1/api-keys": "user",
    "POST /public/v1/api-keys": "user",
    "POST /public/v1/api-keys/{key_id}/rotate": "user",
    "DELETE /public/v1/api-keys/{key_id}": "user",
    "POST /public/v1/tickets": "somebody",
    "POST /public/v1/orders": "scope orders:write",
    "GET /public/v1/orders": "scope orders:read",
    "GET /public/v1/orders/export": "scope orders:read",
    "GET /public/v1/orders/{order_id}": "scope orders:read",
    "POST /public/v1/orders/{order_id}/payments": "scope orders:write",
    "POST /public/v1/orders/{order_id}/cancel": "scope orders:write",
    "POST /public/v1/orders/{order_id}/shipments": "scope orders:write",
    "POST /public/v1/feedback": "anyone",
    "POST /public/v1/shipping-quotes": "scope orders:write",
    "GET /public/v1/jobs/{job_id}": "somebody",
    "POST /public/v1/jobs/{job_id}/cancel": "somebody",
    "GET /public/v1/jobs/{job_id}/errors": "somebody",
    "POST /public/v1/products/import": "scope catalog:write",
    "POST /public/v1/reports/sales": "scope reports:read",
    "GET /public/v1/reports/{report_id}/download": "scope reports:read",
    "GET /public/v1/events": "scope events:read",
    "WEBSOCKET /public/v1/ws": "scope events:read",
    "GET /public/v1/events/stream": "scope events:read",
    "GET /public/v1/webhook-endpoints": "scope webhooks:write",
    "POST /public/v1/webhook-endpoints": "scope webhooks:write",
    "GET /public/v1/webhook-endpoints/{endpoint_id}": "scope webhooks:write",
    "PATCH /public/v1/webhook-endpoints/{endpoint_id}": "scope webhooks:write",
    "DELETE /public/v1/webhook-endpoints/{endpoint_id}": "scope webhooks:write",
    "POST /public/v1/webhook-endpoints/{endpoint_id}/rotate-secret": "scope webhooks:write",
    "POST /public/v1/webhook-endpoints/{endpoint_id}/test": "scope webhooks:write",
    "GET /public/v1/webhook-endpoints/{endpoint_id}/deliveries": "scope webhooks:write",
    "POST /public/v1/webhook-endpoints/{endpoint_id}/redeliver": "scope webhooks:write",
    "POST /public/v1/webhook-deliveries/{delivery_id}/redeliver": "scope webhooks:write",
    "GET /public/v1/support/rooms": "chat",
    "GET /public/v1/support/rooms/{room}/messages": "chat",
    "POST /public/v1/support/rooms/{room}/messages": "chat",
    "WEBSOCKET /public/v1/support/rooms/{room}/ws": "chat",
    "POST /public/v1/assistant/chat": "anyone",
    "GET /public/v1/assistant/runs/{run_id}/events": "anyone",
    "POST /public/v1/assistant/runs/{run_id}/cancel": "anyone",
    "GET /public/v2/openapi.json": "open",
    "GET /public/v2/products": "anyone",
    "POST /internal/auth/token": "open",
    "GET /internal/metrics": "metrics",
    "GET /internal/health": "staff support",
    "GET /internal/topology": "staff support",
    "GET /internal/config": "staff support",
    "GET /internal/audit": "staff support",
    "GET /internal/users": "staff support",
    "GET /internal/users/{user_id}": "staff support",
    "PATCH /internal/users/{user_id}": "staff admin",
    "DELETE /internal/users/{user_id}": "staff admin",
    "GET /internal/jobs": "staff support",
    "GET /internal/jobs/queues": "staff support",
    "GET /internal/jobs/{job_id}": "staff support",
    "POST /internal/jobs/{job_id}/cancel": "staff admin",
    "POST /internal/jobs/{job_id}/retry": "staff admin",
    "GET /internal/invariants": "staff support",
    "WEBSOCKET /internal/ws/echo": "staff support",
    "POST /internal/invariants": "staff editor",
    "GET /internal/promotions": "staff support",
    "GET /internal/promotions/{promotion_id}": "staff support",
    "POST /internal/promotions": "staff editor",
    "PATCH /internal/promotions/{promotion_id}": "staff editor",
    "DELETE /internal/promotions/{promotion_id}": "staff editor",
    "GET /internal/operations": "staff support",
    "GET /internal/operations/clients": "staff support",
    "PATCH /internal/operations/clients/{name}": "staff admin",
    "GET /internal/rate-limits": "staff support",
    "GET /internal/rate-limits/{subject}": "staff support",
    "PUT /internal/rate-limits/{subject}": "staff admin",
    "DELETE /internal/rate-limits/{subject}": "staff admin",
    "GET /internal/events/lag": "staff support",
    "GET /internal/webhooks": "staff support",
    "GET /internal/models": "staff support",
    "PUT /internal/models/{model}/{role}": "staff admin",
    "DELETE /internal/models/{model}/shadow": "staff admin",
    "GET /internal/flags": "staff support",
    "PUT /internal/flags/{target}": "staff admin",
    "DELETE /internal/flags/{target}": "staff admin",
    "GET /internal/receipts/{request_id}": "staff support",
    "GET /internal/deprecations": "staff support",
    "GET /internal/dashboard": "staff support",
    "GET /internal/dashboard/events": "staff support",
    "GET /internal/dashboard/jobs/{job_id}": "staff support",
    "POST /internal/dashboard/sign-in": "open",
    "POST /internal/dashboard/sign-out": "staff support",
    "GET /graphql/": "anyone",
    "POST /graphql/": "anyone",
    "WEBSOCKET /graphql/": "anyone",
}
# Streams that end by themselves: after a cursor that the log does not reach.
ENDLESS = {"GET /internal/dashboard/events"}  # whoever is let in leaves after its first word
QUERIES = {
    "GET /public/v1/events/stream": f"?after={event_id(2**63 - 1)}",
    "GET /public/v1/search/semantic": "?q=nothing",
}
_REFUSAL = "{ __typename ... on UserError { code } }"
# The rule of each field, and how to ask for it.
FIELDS = {
    "query product": ("anyone", 'product(handle: "nothing") { id }'),
    "query products": ("anyone", "products { nodes { id } }"),
    "query search": ("anyone", 'search(query: "nothing") { nodes { id } }'),
    "query recommendations": ("anyone", 'recommendations(productId: "nothing") { model }'),
    "query categories": ("anyone", "categories { name }"),
    "query me": ("anyone", "me { id }"),
    "query order": ("scope orders:read", 'order(id: "ord_nothing") { id }'),
    "query orders": ("scope orders:read", "orders { nodes { id } }"),
    "query node": ("anyone", 'node(id: "ord_nothing") { id }'),
    "query nodes": ("anyone", 'nodes(ids: ["ord_nothing"]) { id }'),
    "mutation registerUser": ("anyone", f'registerUser(input: {{email: "", password: "", name: ""}}) {_REFUSAL}'),
    "mutation signIn": ("anyone", 'signIn(email: "nobody", password: "") { __typename }'),
    "mutation placeOrder": (
        "scope orders:write",
        f'placeOrder(input: {{lines: []}}, idempotencyKey: "KEY") {_REFUSAL}',
    ),
    "mutation cancelOrder": ("scope orders:write", f'cancelOrder(id: "ord_nothing") {_REFUSAL}'),
    "mutation createProduct": (
        "scope catalog:write",
        f'createProduct(input: {{title: "", variants: []}}) {_REFUSAL}',
    ),
    "mutation updateProduct": ("scope catalog:write", f'updateProduct(id: "prod_nothing", input: {{}}) {_REFUSAL}'),
    "mutation sendSupportMessage": ("chat", f'sendSupportMessage(room: "", text: "") {_REFUSAL}'),
    # Subscriptions that end by themselves: with a cursor that is none, after the caller was asked for.
    "subscription productUpdates": ("anyone", 'productUpdates(after: "nothing") { id }'),
    "subscription orderUpdates": ("scope orders:read events:read", 'orderUpdates(after: "nothing") { id }'),
    "subscription assistant": ("anyone", 'assistant(runId: "nothing") { number }'),
    "subscription supportMessages": ("chat", 'supportMessages(room: "nowhere", after: "nothing") { id }'),
}


def refusal(rule: str, caller: str) -> int | None:
    """The status that the caller is refused with; None: let in."""
    kind, _, wanted = rule.partition(" ")
    known: Collection[str] = STAFF if kind in ("staff", "metrics") else (*PEOPLE, *SCOPES)
    let_in: Collection[str]
    match kind:
        case "open":
            let_in = CALLERS
        case "anyone":
            let_in = ("anonymous", *known)
        case "somebody":
            let_in = known
        case "user":
            let_in = PEOPLE
        case "scope":
            let_in = [each for each in known if set(wanted.split()) <= set(SCOPES_OF_PEOPLE.get(each, {each}))]
        case "chat":
            let_in = (*PEOPLE, "support:write")
        case "staff":
            let_in = STAFF[STAFF.index(wanted) :]
        case "metrics":
            let_in = ("metrics token", *STAFF)
    if caller in let_in:
        return None
    return 403 if caller in known else 401


class Callers:
    """Signs people in anew for each request: one of the operations signs out."""

    def __init__(self, resources: Resources, people: dict[str, User], fixed: dict[str, dict[str, str]]) -> None:
        self._resources = resources
        self._people = people
        self._fixed = fixed

    async def headers(self, caller: str, *, internal: bool) -> dict[str, str]:
        if caller in self._fixed:
            return self._fixed[caller]
        at_internal = internal and caller in STAFF  # a customer has no token of that door, and shows another
        return await signed_in(self._resources, self._people[caller], "internal" if at_internal else "public")


@pytest.fixture(scope="module")
async def served(module_settings: Settings, sqlite_template: Path) -> AsyncIterator[Served]:
    async with serve(new_app(module_settings, sqlite_template)) as served:
        yield served


@pytest.fixture(scope="module")
async def callers(served: Served, module_settings: Settings) -> Callers:
    resources: Resources = served.state["resources"]
    secret = module_settings.server.metrics_token
    assert secret is not None
    fixed = {"anonymous": {}, "metrics token": {"Authorization": f"Bearer {secret.get_secret_value()}"}}
    keys = {scope: await key_with(resources, scope) for scope in SCOPES}
    return Callers(resources, {role: await a_user(resources, role) for role in ROLES}, fixed | keys)


@pytest.fixture(autouse=True)
def quiet(log_entries: LogEntries) -> None:
    """No log on stderr."""


@pytest.fixture
async def client(served: Served) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(served) as client:
        yield client


def operations_of(app: FastAPI) -> set[str]:
    def walk(described: dict[str, Any]) -> Iterator[str]:
        yield from (f"{operation['method']} {operation['path']}" for operation in described["operations"])
        for mounted in described["mounts"]:
            yield from walk(mounted)

    return set(walk(describe(app)))


def test_every_operation_has_a_row_and_every_row_an_operation(app: FastAPI) -> None:
    assert operations_of(app) == set(OPERATIONS)


def test_every_field_of_graphql_has_a_row_and_every_row_a_field(settings: Settings) -> None:
    schema = build_schema(production=settings.is_production)._schema
    roots = {"query": schema.query_type, "mutation": schema.mutation_type, "subscription": schema.subscription_type}

    fields = {f"{kind} {name}" for kind, root in roots.items() if root is not None for name in root.fields}

    assert fields == set(FIELDS)


@pytest.mark.parametrize("name", ["pages", "public", "v1", "v2", "internal", "graphql"])
def test_operation_that_is_added_anywhere_has_no_row(app: FastAPI, name: str) -> None:
    async def late() -> None: ...

    applications(app)[name].add_api_route("/late", late, methods=["PUT"])
    applications(app)[name].add_api_websocket_route("/late", late)

    (socket, late_operation) = sorted(operations_of(app) - set(OPERATIONS), reverse=True)
    assert (socket.split()[0], late_operation.split()[0]) == ("WEBSOCKET", "PUT")


@pytest.mark.parametrize("operation", list(OPERATIONS))
async def test_operation_lets_in_whom_it_should_and_nobody_else(
    served: Served, client: httpx2.AsyncClient, callers: Callers, operation: str
) -> None:
    method, path = operation.split()
    path = re.sub(r"\{\w+\}", "nothing", path) + QUERIES.get(operation, "")
    answers = {}

    for caller in CALLERS:
        headers = await callers.headers(caller, internal=path.startswith("/internal"))
        if operation in ENDLESS:
            status = (await exchange(served, method, path, tuple(headers.items()), leave_after=1)).status
        else:
            status = await ask(client, method, path, headers)
        answers[caller] = refused_by(status)

    assert answers == {caller: refusal(OPERATIONS[operation], caller) for caller in CALLERS}


async def ask(client: httpx2.AsyncClient, method: str, path: str, headers: dict[str, str]) -> int:
    """The status; 101 for a WebSocket that is let in."""
    if method == "WEBSOCKET":
        try:
            async with AsyncWebSocketClient(client).connect(
                f"ws://portico.test{path}", headers=headers, subprotocols=["graphql-transport-ws"]
            ):
                return 101
        except WebSocketUpgradeError as denied:
            return denied.response.status_code
    headers = {**headers, "Idempotency-Key": new_id("key")}
    response = await client.request(method, path, headers=headers, json=None if method == "GET" else {})
    assert response.status_code < 500, response.text
    assert response.status_code != 405 or path == "/graphql/", "the row's method is not the operation's"
    return response.status_code


def refused_by(status: int) -> int | None:
    return status if status in (401, 403) else None


@pytest.mark.parametrize("field", list(FIELDS))
async def test_field_lets_in_whom_it_should_and_nobody_else(
    client: httpx2.AsyncClient, callers: Callers, field: str
) -> None:
    rule, selection = FIELDS[field]
    kind, _ = field.split()
    answers = {}

    for caller in CALLERS:
        query = f"{kind} {{ {selection.replace('KEY', new_id('key'))} }}"
        headers = await callers.headers(caller, internal=False)
        if kind == "subscription":
            headers = {**headers, "Accept": "text/event-stream"}
        answers[caller] = field_refused_by(await client.post("/graphql", json={"query": query}, headers=headers))

    assert answers == {caller: refusal(rule, caller) for caller in CALLERS}


def field_refused_by(response: httpx2.Response) -> int | None:
    """By its error, or by the refusal in its result: their codes are REST's."""
    if response.status_code != 200:
        return response.status_code
    streamed = response.headers["content-type"].startswith("text/event-stream")
    body = json.loads(response.text.partition("data: ")[2].partition("\n")[0]) if streamed else response.json()
    codes = [error["extensions"]["code"] for error in body.get("errors", ())]
    assert "data" in body, body  # else the row asks wrongly
    codes += [
        result["code"] for result in (body["data"] or {}).values() if isinstance(result, dict) and "code" in result
    ]
    return next(filter(None, (refused_by(status_of(error_classes()[code])) for code in codes)), None)
