"""Parts of static files: of the bytes themselves, never of what was zipped of them, and told apart by their ETags."""

import gzip
from pathlib import Path

import httpx2
import pytest

from tests.fixtures.asgi import Exchange, Served, exchange

CSS = "/static/portico.css"
BODY = (Path(__file__).parents[2] / "gateway" / "static" / "portico.css").read_bytes()
SIZE = len(BODY)


async def get(served: Served, *headers: tuple[str, str], method: str = "GET") -> Exchange:
    return await exchange(served, method, CSS, headers)


async def tag_of(served: Served) -> str:
    return (await get(served)).headers["etag"]


@pytest.mark.parametrize(
    ("asked", "place", "body"),
    [
        ("bytes=0-99", f"bytes 0-99/{SIZE}", BODY[:100]),
        ("bytes=100-", f"bytes 100-{SIZE - 1}/{SIZE}", BODY[100:]),
        ("bytes=-7", f"bytes {SIZE - 7}-{SIZE - 1}/{SIZE}", BODY[-7:]),
        ("bytes=0-999999", f"bytes 0-{SIZE - 1}/{SIZE}", BODY),
    ],
)
@pytest.mark.parametrize("encoding", ["identity", "gzip", "br, zstd, gzip"])
async def test_part_is_of_the_bytes_whatever_encoding_is_taken(
    served: Served, asked: str, place: str, body: bytes, encoding: str
) -> None:
    part = await get(served, ("Range", asked), ("Accept-Encoding", encoding))

    assert (part.status, b"".join(part.chunks)) == (206, body)
    assert part.headers["content-range"] == place
    assert part.headers["content-length"] == str(len(body))
    assert part.headers["content-type"] == "text/css; charset=utf-8"
    assert part.headers["accept-ranges"] == "bytes"
    assert part.headers["etag"] == await tag_of(served)
    assert part.headers["vary"] == "Accept-Encoding"
    assert part.headers["cache-control"] == "public, no-cache"
    assert "content-encoding" not in part.headers


async def test_tag_is_strong_for_the_bytes_and_weak_for_them_zipped(served: Served) -> None:
    plain = await get(served)
    zipped = await get(served, ("Accept-Encoding", "gzip"))

    assert plain.headers["etag"].startswith('"')
    assert zipped.headers["etag"] == f"W/{plain.headers['etag']}"
    assert plain.headers["accept-ranges"] == zipped.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=9-2", "lines=0-1"])
async def test_range_that_is_not_taken_gets_the_whole_file_as_without_it(served: Served, asked: str) -> None:
    plain = await get(served, ("Range", asked))
    zipped = await get(served, ("Range", asked), ("Accept-Encoding", "gzip"))

    assert (plain.status, b"".join(plain.chunks)) == (200, BODY)
    assert zipped.headers["content-encoding"] == "gzip"
    assert gzip.decompress(b"".join(zipped.chunks)) == BODY
    assert "content-range" not in plain.headers
    assert "content-range" not in zipped.headers


async def test_download_goes_on_where_it_broke_off_only_if_the_file_is_the_same(served: Served) -> None:
    tag = await tag_of(served)

    same = await get(served, ("Range", "bytes=50-"), ("If-Range", tag))
    weak = await get(served, ("Range", "bytes=50-"), ("If-Range", f"W/{tag}"))
    other = await get(served, ("Range", "bytes=50-"), ("If-Range", '"0123"'))
    dated = await get(served, ("Range", "bytes=50-"), ("If-Range", "Sun, 01 Mar 2026 12:00:00 GMT"))

    assert (same.status, b"".join(same.chunks)) == (206, BODY[50:])
    for whole in (weak, other, dated):
        assert (whole.status, b"".join(whole.chunks)) == (200, BODY)


async def test_copy_that_is_current_needs_no_part(served: Served) -> None:
    tag = await tag_of(served)

    for asked in ("bytes=0-9", f"bytes={SIZE}-"):
        answer = await get(served, ("Range", asked), ("If-None-Match", tag))
        assert (answer.status, answer.chunks, answer.headers["etag"]) == (304, [], tag)


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", "bytes=-0"])
async def test_range_after_the_end_is_a_page_that_says_the_size(client: httpx2.AsyncClient, asked: str) -> None:
    response = await client.get(CSS, headers={"Range": asked})

    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{SIZE}"
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "range_not_satisfiable" in response.text
    assert response.headers["x-request-id"] in response.text


async def test_head_describes_the_whole_file(served: Served) -> None:
    head = await get(served, ("Range", "bytes=0-9"), method="HEAD")
    beyond = await get(served, ("Range", f"bytes={SIZE}-"), method="HEAD")

    for answer in (head, beyond):
        assert (answer.status, answer.chunks) == (200, [])
        assert answer.headers["content-length"] == str(SIZE)
        assert answer.headers["accept-ranges"] == "bytes"
        assert "content-range" not in answer.headers


async def test_immutable_address_has_ranges_too(served: Served) -> None:
    tag = await tag_of(served)
    address = CSS.replace(".css", f".{tag.strip(chr(34))}.css")

    part = await exchange(served, "GET", address, [("Range", "bytes=1-3")])

    assert (part.status, b"".join(part.chunks)) == (206, BODY[1:4])
    assert part.headers["cache-control"] == "public, max-age=31536000, immutable"
