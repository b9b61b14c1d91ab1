"""What is asked of all: the same page, the same products, the same operation."""

import json

import httpx

from benchmarks.harness.load import Request

PRODUCTS = "/public/v1/products"
LIST = Request(f"{PRODUCTS}?size=20")
QUERY = """{ products(first: 20) { nodes {
  id handle title priceRange { min { amount currency } max { amount currency } }
  category { id name slug } variants { id sku price { amount currency } available }
} } }"""


def operation(query: str = QUERY) -> Request:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    return Request("/graphql", "POST", json.dumps({"query": query}), headers)


def ask(address: str, request: Request) -> bytes:
    """The body of an answer that must be right."""
    answer = httpx.request(
        request.method, address + request.path, content=request.body, headers=dict(request.headers), timeout=60
    )
    assert answer.status_code == httpx.codes.OK, answer.text
    return answer.content


def product_ids(address: str, count: int) -> list[str]:
    page = json.loads(ask(address, Request(f"{PRODUCTS}?size={count}")))
    return [item["id"] for item in page["items"]]
