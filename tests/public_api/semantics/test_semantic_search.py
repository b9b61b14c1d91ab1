"""`GET /public/v1/search/semantic`, and lists of products that go on by meaning, over HTTP."""

import httpx2
import pytest

from commerce.catalog.entities import Product
from commerce.semantics.index import SemanticIndex
from core.resources import Resources
from public_api.semantics.schemas import SemanticAnswer
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.meanings import updated
from tests.fixtures.asgi import Served
from tests.gateway.response_cache.shop import heard

SEARCH, PRODUCTS = "/public/v1/search/semantic", "/public/v1/products"


@pytest.fixture
def catalogue(resources: Resources) -> Catalogue:
    return Catalogue(resources.database, FakeClock())


@pytest.fixture
async def boots(catalogue: Catalogue) -> Product:
    return await catalogue.create(handle="boots", title="Hiking Boots", description="Leather footwear for trails.")


@pytest.fixture
async def index(served: Served, resources: Resources, boots: Product) -> SemanticIndex:
    assert boots.head.status == "active"
    await updated(resources.database)
    index: SemanticIndex = served.state["semantics"]
    await index.look()
    return index


def handles(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["handle"] for item in answer.json()["items"]]


async def test_answer_has_the_product_its_reason_and_the_model(
    client: httpx2.AsyncClient, index: SemanticIndex, boots: Product
) -> None:
    response = await client.get(SEARCH, params={"q": "shoes", "limit": 3})

    answer = SemanticAnswer.model_validate_json(response.content)
    assert set(response.json()) == set(SemanticAnswer.model_fields)
    assert (answer.model, answer.version) == (index.provenance.model, index.provenance.version)
    assert answer.model == "wordllama-l2-supercat-256"
    assert answer.content_hash.startswith("sha256:")
    assert (answer.trained_at, answer.features_as_of) == (None, None)
    assert (answer.fallback, answer.fallback_reason) == (False, None)
    (hit,) = answer.items
    assert (hit.product.id, hit.reason, hit.score) == (boots.head.id, "meaning", round(1 / 61, 6))
    shown = (await client.get(f"{PRODUCTS}/boots")).json()
    assert response.json()["items"][0]["product"] == shown
    assert response.headers["Cache-Control"] == "private, no-store"


async def test_each_answer_has_an_id_of_its_own(client: httpx2.AsyncClient, index: SemanticIndex) -> None:
    assert index.why_not is None
    first, second = [(await client.get(SEARCH, params={"q": "shoes"})).json() for _ in range(2)]

    assert first.pop("answer_id") != second.pop("answer_id")
    assert first == second


async def test_without_an_index_words_answer_and_the_answer_says_so(client: httpx2.AsyncClient, boots: Product) -> None:
    answer = (await client.get(SEARCH, params={"q": "boots"})).json()

    assert boots.head.status == "active"
    assert (answer["fallback"], answer["fallback_reason"]) == (True, "index_not_built")
    assert [(each["product"]["handle"], each["reason"]) for each in answer["items"]] == [("boots", "words")]


@pytest.mark.parametrize("query", ["🎉🎉", "a%00b", "%FF%FE", "%20%20", "%22)%20OR%201=1", "*" * 200])
async def test_hostile_queries_are_answered(client: httpx2.AsyncClient, index: SemanticIndex, query: str) -> None:
    assert index.why_not is None
    assert (await client.get(f"{SEARCH}?q={query}")).status_code == 200
    assert (await client.get(f"{PRODUCTS}?q={query}")).status_code == 200


@pytest.mark.parametrize(
    "query", ["", "q=", f"q={'x' * 201}", f"q={'x' * 10_000}", "q=a&limit=0", "q=a&limit=51", "q=a&more=1"]
)
async def test_what_is_no_query_is_refused(client: httpx2.AsyncClient, query: str) -> None:
    response = await client.get(f"{SEARCH}?{query}")

    assert response.status_code == 422
    assert response.json()["code"] == "invalid_request"


async def test_a_list_that_is_kept_ends_when_the_index_changes(
    served: Served, client: httpx2.AsyncClient, index: SemanticIndex, catalogue: Catalogue, resources: Resources
) -> None:
    """The product's own change ends it first, and the vector comes after that."""
    assert handles(await client.get(PRODUCTS, params={"q": "shoes"})) == ["boots"]
    await catalogue.create(handle="sandals", title="Sandals", description="Light footwear for summer.")
    await heard(served)  # so that nothing but the index ends what is kept
    before = await client.get(PRODUCTS, params={"q": "shoes"})
    kept = await client.get(PRODUCTS, params={"q": "shoes"})

    await updated(resources.database)
    await index.look()
    after = await client.get(PRODUCTS, params={"q": "shoes"})

    assert handles(before) == handles(kept) == ["boots"]
    assert "hit" in kept.headers["Cache-Status"]
    assert sorted(handles(after)) == ["boots", "sandals"]
    assert after.json()["total"] == 2
    assert after.headers["ETag"] != before.headers["ETag"]


async def test_a_list_that_goes_on_by_meaning_is_not_modified_for_who_has_it(
    client: httpx2.AsyncClient, index: SemanticIndex
) -> None:
    assert index.why_not is None
    tag = (await client.get(PRODUCTS, params={"q": "shoes"})).headers["ETag"]

    response = await client.get(PRODUCTS, params={"q": "shoes"}, headers={"If-None-Match": tag})

    assert response.status_code == 304


async def test_v2_and_an_order_are_by_words_alone(client: httpx2.AsyncClient, index: SemanticIndex) -> None:
    assert index.why_not is None
    assert handles(await client.get(PRODUCTS, params={"q": "shoes", "sort": "title"})) == []
    assert handles(await client.get("/public/v2/products", params={"q": "shoes"})) == []
