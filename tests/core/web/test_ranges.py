"""Parts of stored files: which bytes a request gets (RFC 9110, 14), of objects and of what is in memory alike."""

from typing import Any

import pytest
from obstore.store import MemoryStore
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

import core.objects
from core.objects.store import StoredObjects
from core.web.ranges import StoredFile, file_response, wanted_range
from tests.fixtures.asgi import Exchange, Served, exchange

BODY = bytes(range(256)) * 4  # 1,024 bytes
TAG = '"v1"'
WHOLE = None


def scope_of(method: str = "GET", **headers: str) -> Scope:
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http", "method": method, "headers": raw}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-499", (0, 500)),
        ("bytes=500-999", (500, 1000)),
        ("bytes=1000-", (1000, 1024)),
        ("bytes=0-", (0, 1024)),
        ("bytes=1023-", (1023, 1024)),
        ("bytes=1023-1023", (1023, 1024)),
        ("bytes=1000-2000", (1000, 1024)),
        ("bytes=0-18446744073709551615", (0, 1024)),
        ("bytes=-1", (1023, 1024)),
        ("bytes=-1024", (0, 1024)),
        ("bytes=-5000", (0, 1024)),
        ("BYTES=007-0010", (7, 11)),
        ("bytes=5-4", WHOLE),
        ("bytes=-", WHOLE),
        ("bytes=", WHOLE),
        ("bytes", WHOLE),
        ("", WHOLE),
        ("bytes=a-b", WHOLE),
        ("bytes=0x1-2", WHOLE),
        ("bytes=+1-2", WHOLE),
        ("bytes=1 - 2", WHOLE),
        ("bytes=\xb2-\xb3", WHOLE),
        ("bytes=0-1,5-6", WHOLE),
        ("bytes=0-1, -1", WHOLE),
        ("lines=0-1", WHOLE),
        ("bytes=0-1;q=1", WHOLE),
        (f"bytes={'9' * 5000}-", WHOLE),
    ],
)
def test_range_is_read_as_the_rfc_has_it(header: str, expected: tuple[int, int] | None) -> None:
    assert wanted_range(scope_of(range=header), 1024, TAG) == expected


@pytest.mark.parametrize("header", ["bytes=1024-", "bytes=1024-1030", "bytes=99999-", "bytes=-0"])
def test_range_after_the_end_is_refused_with_the_size(header: str) -> None:
    with pytest.raises(HTTPException) as refused:
        wanted_range(scope_of(range=header), 1024, TAG)

    assert refused.value.status_code == 416
    assert refused.value.headers == {"Content-Range": "bytes */1024", "Accept-Ranges": "bytes"}


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-10", "bytes=-1", "bytes=5-"])
def test_empty_file_is_always_sent_whole(header: str) -> None:
    assert wanted_range(scope_of(range=header), 0, TAG) is None


def test_range_sent_twice_is_ignored() -> None:
    scope = scope_of(range="bytes=0-1")
    scope["headers"] *= 2

    assert wanted_range(scope, 1024, TAG) is None


@pytest.mark.parametrize(
    ("condition", "etag", "expected"),
    [
        (TAG, TAG, (0, 10)),
        (f" {TAG} ", TAG, (0, 10)),
        ('"v2"', TAG, WHOLE),
        (f"W/{TAG}", TAG, WHOLE),
        (f"W/{TAG}", f"W/{TAG}", WHOLE),
        (TAG, f"W/{TAG}", WHOLE),
        (TAG, None, WHOLE),
        (f'{TAG}, "v2"', TAG, WHOLE),
        ("*", TAG, WHOLE),
        ("", TAG, WHOLE),
        ("Sun, 01 Mar 2026 12:00:00 GMT", TAG, WHOLE),
    ],
)
def test_if_range_needs_the_strong_tag_of_the_present_bytes(
    condition: str, etag: str | None, expected: tuple[int, int] | None
) -> None:
    assert wanted_range(scope_of(range="bytes=0-9", if_range=condition), 1024, etag) == expected


def test_if_range_that_fails_wins_over_a_range_after_the_end() -> None:
    assert wanted_range(scope_of(range="bytes=5000-", if_range='"old"'), 1024, TAG) is None


def test_head_has_no_range() -> None:
    assert wanted_range(scope_of("HEAD", range="bytes=0-9"), 1024, TAG) is None
    assert wanted_range(scope_of("HEAD", range="bytes=5000-"), 1024, TAG) is None


class Watched(StoredObjects):
    """Objects that note what is read of them."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.reads: list[tuple[int, int | None]] = []

    async def get(self, key: str, *, start: int = 0, end: int | None = None) -> bytes:
        self.reads.append((start, end))
        return await super().get(key, start=start, end=end)


@pytest.fixture
def objects() -> Watched:
    return Watched()


@pytest.fixture
async def file(objects: Watched) -> StoredFile:
    await objects.put("reports/one", BODY)
    return StoredFile(objects, "reports/one", len(BODY))


async def answer(source: bytes | StoredFile, method: str = "GET", **headers: str) -> Exchange:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        size = len(source) if isinstance(source, bytes) else source.size
        bounds = wanted_range(scope, size, TAG)
        response = file_response(scope, source, bounds, media_type="application/pdf", headers={"ETag": TAG})
        await response(scope, receive, send)

    return await exchange(Served(app, {}), method, "/file", list(headers.items()))


@pytest.fixture(params=["memory", "object"])
def source(request: pytest.FixtureRequest, file: StoredFile) -> bytes | StoredFile:
    return BODY if request.param == "memory" else file


async def test_part_is_sent_with_its_place(source: bytes | StoredFile) -> None:
    part = await answer(source, range="bytes=250-519")

    assert part.status == 206
    assert b"".join(part.chunks) == BODY[250:520]
    assert part.headers == {
        "etag": TAG,
        "accept-ranges": "bytes",
        "content-length": "270",
        "content-range": "bytes 250-519/1024",
        "content-type": "application/pdf",
    }


async def test_whole_file_says_that_it_has_ranges(source: bytes | StoredFile) -> None:
    whole = await answer(source, range="bytes=0-1,3-4")

    assert (whole.status, b"".join(whole.chunks), whole.complete) == (200, BODY, True)
    assert whole.headers == {
        "etag": TAG,
        "accept-ranges": "bytes",
        "content-length": "1024",
        "content-type": "application/pdf",
    }


async def test_head_describes_the_whole_and_reads_nothing(objects: Watched, file: StoredFile) -> None:
    head = await answer(file, "HEAD", range="bytes=0-9")

    assert (head.status, head.chunks, objects.reads) == (200, [], [])
    assert head.headers["content-length"] == "1024"
    assert "content-range" not in head.headers


async def test_parts_put_together_are_the_file(source: bytes | StoredFile) -> None:
    parts = [await answer(source, range=f"bytes={start}-{start + 99}") for start in range(0, 1024, 100)]

    assert b"".join(chunk for part in parts for chunk in part.chunks) == BODY


async def test_file_is_read_in_bounded_chunks_and_no_further_than_the_range(
    objects: Watched, file: StoredFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core.objects, "_RANGE", 100)

    part = await answer(file, range="bytes=10-269")

    assert objects.reads == [(10, 110), (110, 210), (210, 270)]
    assert [len(chunk) for chunk in part.chunks] == [100, 100, 60]
    assert b"".join(part.chunks) == BODY[10:270]


async def test_file_is_not_read_on_when_the_client_leaves(
    objects: Watched, file: StoredFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core.objects, "_RANGE", 1)
    response = file_response(scope_of(), file, None, media_type="text/plain", headers={})
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)
        if len(sent) == 4:
            raise OSError

    with pytest.raises(ClientDisconnect):
        await response({**scope_of(), "asgi": {"spec_version": "2.4"}}, _stays, send)

    assert len(objects.reads) == 3


async def _stays() -> Any:
    raise AssertionError
