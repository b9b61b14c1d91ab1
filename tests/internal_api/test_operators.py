"""What operators see: health, topology, metrics."""

import httpx2
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from commerce.catalog.service import CatalogService
from core.resources import Resources
from tests.factories.products import a_product, sized
from tests.fixtures.asgi import Served
from tests.fixtures.probes import applications


@pytest.fixture
async def client(client: httpx2.AsyncClient, operator: dict[str, str]) -> httpx2.AsyncClient:
    client.headers.update(operator)
    return client


async def test_health_names_each_dependency(client: httpx2.AsyncClient, served: Served) -> None:
    health = (await client.get("/internal/health")).json()
    served.state["draining"].set()
    draining = (await client.get("/internal/health")).json()

    assert health["status"] == "ok"
    assert health["mode"] == "embedded"
    assert (health["draining"], draining["draining"]) == (False, True)
    assert health["process"] > 0
    assert health["uptime_seconds"] >= 0
    assert [(check["name"], check["ok"], check["detail"]) for check in health["checks"]] == [
        ("database", True, ""),
        ("schema", True, ""),
    ]
    assert all(check["milliseconds"] > 0 for check in health["checks"])


async def test_topology_shows_every_application_with_its_middleware(client: httpx2.AsyncClient) -> None:
    topology = (await client.get("/internal/topology")).json()

    root = topology["root"]
    assert root["middleware"][:5] == [
        "ProxyMiddleware",
        "ObserveMiddleware",
        "FlagsMiddleware",
        "ResponseCacheMiddleware",
        "SecurityHeadersMiddleware",
    ]
    assert root["middleware"].index("CatchAllMiddleware") < root["middleware"].index("MountDispatcher")
    mounts = {mount["prefix"]: mount for mount in root["mounts"]}
    assert set(mounts) == {"/public", "/internal", "/graphql", "/static"}
    assert mounts["/public"]["middleware"] == [
        "SecurityHeadersMiddleware",
        "CorsMiddleware",
        "QuotaMiddleware",
        "CatchAllMiddleware",
        "BulkheadMiddleware",
        "CompressMiddleware",
        "HeadMiddleware",
        "BodyLimitMiddleware",
    ]
    assert "CorsMiddleware" not in mounts["/internal"]["middleware"]
    assert {mount["prefix"] for mount in mounts["/public"]["mounts"]} == {"/public/v1", "/public/v2"}
    assert topology["versions"].keys() >= {"portico", "python", "fastapi", "sqlalchemy"}
    assert topology["lifespan"]["database"] > 0


async def test_topology_names_the_rule_of_every_operation(client: httpx2.AsyncClient) -> None:
    mounts = {mount["prefix"]: mount for mount in (await client.get("/internal/topology")).json()["root"]["mounts"]}

    internal = {f"{each['method']} {each['path']}": each["auth"] for each in mounts["/internal"]["operations"]}
    (first,) = [mount for mount in mounts["/public"]["mounts"] if mount["prefix"] == "/public/v1"]
    rules = {f"{each['method']} {each['path']}": each["auth"] for each in first["operations"]}
    assert internal["POST /internal/auth/token"] == "public"
    assert internal["GET /internal/metrics"] == "metrics token or role support"
    assert internal["GET /internal/users"] == "role support"
    assert internal["POST /internal/promotions"] == "role editor"
    assert internal["PATCH /internal/users/{user_id}"] == "role admin"
    assert rules["POST /public/v1/products"] == "scope catalog:write"
    assert rules["PATCH /public/v1/products/{product_id}"] == "scope catalog:write"
    assert rules["DELETE /public/v1/products/{product_id}"] == "scope catalog:write"
    assert rules["GET /public/v1/products"] == "public"


async def test_operation_that_is_added_shows_in_the_topology(app: FastAPI, client: httpx2.AsyncClient) -> None:
    async def late() -> None: ...

    applications(app)["v2"].add_api_route("/late", late, methods=["PUT"])

    topology = (await client.get("/internal/topology")).text

    assert '"method":"PUT","path":"/public/v2/late","auth":"public"' in topology


async def test_metrics_count_the_catalogue_and_the_requests(client: httpx2.AsyncClient, resources: Resources) -> None:
    async with resources.database.write() as session:
        catalog = CatalogService(session, resources.clock)
        await catalog.create(a_product(handle="a", **sized("S", "M")))
        await catalog.create(a_product(handle="b"))
        await catalog.create(a_product(handle="c", status="draft"))

    response = await client.get("/internal/metrics")

    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(response.text)}
    products = {sample.labels["status"]: sample.value for sample in families["portico_catalog_products"].samples}
    assert products == {"active": 2, "draft": 1, "archived": 0}
    assert [sample.value for sample in families["portico_catalog_variants"].samples] == [4]
    requests = families["portico_http_request_duration_seconds"]
    assert requests.type == "histogram"
    assert {frozenset(sample.labels) - {"le"} for sample in requests.samples} == {
        frozenset({"audience", "method", "route", "status"})
    }


async def test_bug_shows_operators_its_exception(app: FastAPI, client: httpx2.AsyncClient) -> None:
    async def divide() -> float:
        return 1 / 0

    applications(app)["internal"].add_api_route("/divide", divide)

    response = await client.get("/internal/divide", headers={"X-Request-ID": "op-1"})

    assert response.status_code == 500
    assert response.json() == {
        "error": {
            "code": "internal_error",
            "message": "an internal error was recorded under this request id",
            "request_id": "op-1",
            "exception": "ZeroDivisionError: division by zero",
            "hint": "search the log for this request id: the traceback is there",
        }
    }
