"""An answer out of the cache is the application's: status, headers and bytes, for every way to ask."""

import pytest

from tests.factories.uses import uses_of
from tests.fixtures.application import LogEntries
from tests.fixtures.asgi import exchange
from tests.gateway.response_cache.shop import LIST, PRODUCTS, UNPACK, Shop, kept_of, told

ADDRESSES = [
    PRODUCTS,
    f"{PRODUCTS}/anorak",
    f"{PRODUCTS}?sort=price&size=3",
    LIST,
    f"{LIST}?limit=2",
    "/public/v1/categories",
]


@pytest.mark.parametrize("origin", [None, "https://shop.example"])
@pytest.mark.parametrize("path", ADDRESSES)
async def test_second_answer_is_the_first_again_without_a_statement(shop: Shop, path: str, origin: str | None) -> None:
    headers = {"Origin": origin} if origin else {}
    first = await shop.client.get(path, headers=headers)
    with shop.statements() as sent:
        second = await shop.client.get(path, headers=headers)

    assert (first.status_code, second.status_code) == (200, 200)
    assert second.content == first.content
    assert kept_of(second) == kept_of(first)
    assert sent == []
    assert (told(first), told(second)) == ("fwd=uri-miss; stored", "hit; ttl=60")
    assert second.headers["age"] == "0"
    assert "handler" not in second.headers["server-timing"]


async def test_answers_by_id_and_by_handle_are_both_kept(shop: Shop) -> None:
    for name in ("anorak", shop.products["anorak"].head.id):
        first = await shop.client.get(f"{PRODUCTS}/{name}")
        second = await shop.client.get(f"{PRODUCTS}/{name}")

        assert told(second) == "hit; ttl=60"
        assert second.json() == first.json()
    assert len(shop.cache) == 2


@pytest.mark.parametrize("encoding", ["", "gzip", "br", "zstd"])
async def test_each_encoding_is_compressed_once_and_right(shop: Shop, encoding: str) -> None:
    plain = (await shop.client.get(PRODUCTS, headers={"Accept-Encoding": "identity"})).content
    headers = [("accept-encoding", encoding)] if encoding else []
    first = await exchange(shop.served, "GET", PRODUCTS, headers)
    second = await exchange(shop.served, "GET", PRODUCTS, headers)

    assert first.headers.get("content-encoding", "") == encoding
    assert second.headers.get("content-encoding", "") == encoding
    assert second.chunks == first.chunks
    assert UNPACK[encoding](second.chunks[0]) == plain
    assert second.headers["content-length"] == str(len(second.chunks[0]))
    assert second.headers["cache-status"].startswith("portico; hit")


async def test_equal_wishes_of_encodings_share_an_answer(shop: Shop) -> None:
    await shop.client.get(LIST, headers={"Accept-Encoding": "gzip, deflate, br"})
    other = await shop.client.get(LIST, headers={"Accept-Encoding": "br;q=0.5, gzip;q=0.9"})

    assert told(other) == "hit; ttl=60"
    assert other.headers["content-encoding"] == "br"


@pytest.mark.parametrize("path", [PRODUCTS, f"{PRODUCTS}/anorak", f"{LIST}?limit=2"])
@pytest.mark.parametrize("origin", [None, "https://shop.example"])
async def test_unchanged_answer_is_not_sent_again(shop: Shop, path: str, origin: str | None) -> None:
    headers = {"Origin": origin} if origin else {}
    tag = (await shop.client.get(path, headers=headers)).headers["etag"]
    shop.empty()
    of_application = await shop.client.get(path, headers={**headers, "If-None-Match": tag})
    await shop.client.get(path, headers=headers)
    with shop.statements() as sent:
        of_cache = await shop.client.get(path, headers={**headers, "If-None-Match": tag})

    assert (of_application.status_code, told(of_application)) == (304, "fwd=uri-miss")
    assert (of_cache.status_code, told(of_cache), of_cache.content) == (304, "hit; ttl=60", b"")
    assert kept_of(of_cache) == kept_of(of_application)
    assert sent == []


@pytest.mark.parametrize("tags", ['W/"other", {tag}', "*", "{opaque}"])
async def test_any_tag_that_is_current_will_do(shop: Shop, tags: str) -> None:
    tag = (await shop.client.get(PRODUCTS)).headers["etag"]
    wanted = tags.format(tag=tag, opaque=tag.removeprefix("W/"))
    response = await shop.client.get(PRODUCTS, headers={"If-None-Match": wanted})

    assert (response.status_code, told(response)) == (304, "hit; ttl=60")


async def test_another_tag_gets_the_whole_answer(shop: Shop) -> None:
    first = await shop.client.get(PRODUCTS)
    second = await shop.client.get(PRODUCTS, headers={"If-None-Match": 'W/"other"'})

    assert (second.status_code, second.content) == (200, first.content)


async def test_head_is_answered_from_what_get_has_kept(shop: Shop) -> None:
    cold = await shop.client.head(PRODUCTS)
    got = await shop.client.get(PRODUCTS)
    head = await shop.client.head(PRODUCTS)

    assert (cold.status_code, told(cold)) == (200, "fwd=uri-miss")
    assert (head.status_code, told(head), head.content) == (200, "hit; ttl=60", b"")
    assert kept_of(head) == kept_of(got)


async def test_range_is_ignored_as_the_application_does(shop: Shop) -> None:
    first = await shop.client.get(PRODUCTS)
    second = await shop.client.get(PRODUCTS, headers={"Range": "bytes=0-9"})

    assert (second.status_code, second.content, told(second)) == (200, first.content, "hit; ttl=60")


async def test_order_of_parameters_does_not_matter_but_that_of_values_does(shop: Shop) -> None:
    await shop.client.get(f"{LIST}?vendor=Ridge&limit=2&sort=title")
    turned = await shop.client.get(f"{LIST}?sort=title&vendor=Ridge&limit=2")
    last = await shop.client.get(f"{LIST}?vendor=Peak&vendor=Ridge")
    first = await shop.client.get(f"{LIST}?vendor=Ridge&vendor=Peak")

    assert told(turned) == "hit; ttl=60"
    assert told(first) == "fwd=uri-miss; stored"
    assert first.json() != last.json()


async def test_escaped_name_is_not_sorted_before_the_one_that_it_equals(shop: Shop) -> None:
    """`%76endor` is `vendor`, and the last counts."""
    peak = await shop.client.get(f"{LIST}?vendor=Ridge&%76endor=Peak")
    ridge = await shop.client.get(f"{LIST}?%76endor=Peak&vendor=Ridge")

    assert [item["handle"] for item in peak.json()["items"]] == ["storm-coat"]
    assert "storm-coat" not in {item["handle"] for item in ridge.json()["items"]}


@pytest.mark.parametrize(
    "path", [f"{PRODUCTS}/nothing", f"{PRODUCTS}?size=0", "/public/v1/me", "/public/v1/openapi.json"]
)
async def test_what_nobody_shares_is_not_kept(shop: Shop, path: str) -> None:
    for _ in range(2):
        assert told(await shop.client.get(path)) == "fwd=uri-miss"
    assert len(shop.cache) == 0


async def test_redirection_is_not_kept(shop: Shop) -> None:
    await shop.catalogue.update(shop.products["boots"], handle="wellies")
    for _ in range(2):
        response = await shop.client.get(f"{PRODUCTS}/boots")

        assert (response.status_code, told(response)) == (301, "fwd=uri-miss")


@pytest.mark.parametrize("path", ["/", "/healthz", "/internal/metrics"])
async def test_other_addresses_know_no_cache(shop: Shop, path: str) -> None:
    assert "cache-status" not in (await shop.client.get(path)).headers


async def test_hit_is_counted_and_logged_as_the_application_would(
    shop: Shop, log_entries: LogEntries, metrics_reader: dict[str, str]
) -> None:
    for _ in range(3):
        await shop.client.get(f"{PRODUCTS}/anorak")
    metrics = (await shop.client.get("/internal/metrics", headers=metrics_reader)).text

    entries = [entry for entry in log_entries.access if entry["path"] == f"{PRODUCTS}/anorak"]
    assert {(entry["route"], entry["audience"], entry["status"], entry["bytes"]) for entry in entries} == {
        ("/public/v1/products/{id_or_handle}", "public", 200, entries[0]["bytes"])
    }
    assert len(entries) == 3
    assert len({entry["request_id"] for entry in entries}) == 3
    assert 'portico_response_cache_requests_total{outcome="hit"}' in metrics
    assert "portico_response_cache_entries 1.0" in metrics
    assert f"portico_response_cache_bytes {float(shop.cache.bytes)}" in metrics


async def test_uses_of_a_superseded_operation_are_counted_on_every_hit(shop: Shop) -> None:
    for version in ("1", "2", "2"):
        await shop.client.get(PRODUCTS, headers={"X-Client-Name": "till", "X-Client-Version": version})

    counted = await uses_of(shop.served.state["uses"], "rest")
    assert {used[1:]: uses for used, uses in counted.items()} == {("till", "1"): 1, ("till", "2"): 2}


async def test_cache_that_is_off_leaves_no_trace(shop: Shop) -> None:
    shop.served.state["responses"] = None
    for _ in range(2):
        response = await shop.client.get(PRODUCTS)

        assert response.status_code == 200
        assert "cache-status" not in response.headers
