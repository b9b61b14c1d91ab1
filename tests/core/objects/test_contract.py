"""What every store of files does alike."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from core.objects import ObjectNotFound, Objects

LARGE = 12 * 1024 * 1024  # three parts of a multipart upload


async def test_object_comes_back_as_it_was_put(objects: Objects) -> None:
    data = bytes(range(256)) * 1000

    await objects.put("media/a/original", data)

    assert await objects.get("media/a/original") == data
    assert await objects.get("media/a/original", start=10, end=13) == b"\x0a\x0b\x0c"
    assert await objects.get("media/a/original", start=len(data) - 2) == b"\xfe\xff"
    assert await objects.get("media/a/original", start=len(data) - 2, end=len(data) + 5) == b"\xfe\xff"


async def test_object_that_is_put_in_pieces_comes_back_in_pieces(objects: Objects) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(12):
            yield bytes([number]) * (LARGE // 12)

    await objects.put("large", pieces())

    body = await objects.stream("large")
    digest = b"".join([chunk async for chunk in body.chunks])
    assert body.size == len(digest) == LARGE
    assert digest[::1024] == b"".join(bytes([number]) * 1024 for number in range(12))


async def test_pieces_that_break_off_leave_what_was_there(objects: Objects) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield bytes(LARGE // 2)
        raise RuntimeError("the client left")

    await objects.put("kept", b"before")

    with pytest.raises(Exception, match="client left"):
        await objects.put("kept", pieces())

    assert await objects.get("kept") == b"before"
    assert [each.key async for each in objects.list()] == ["kept"]


async def test_object_is_replaced_whole(objects: Objects) -> None:
    await objects.put("one", b"a longer text")

    await objects.put("one", b"short")

    assert await objects.get("one") == b"short"


async def test_head_tells_size_and_age(objects: Objects) -> None:
    await objects.put("a/b.txt", b"12345")

    found = await objects.head("a/b.txt")

    assert found is not None
    assert (found.key, found.size) == ("a/b.txt", 5)
    assert abs(datetime.now(UTC) - found.modified) < timedelta(minutes=1)


async def test_what_is_not_there_is_not_found(objects: Objects) -> None:
    await objects.put("folder/name", b"")

    for key in ("nothing", "folder"):
        assert await objects.head(key) is None
        for reading in (objects.get(key), objects.stream(key)):
            with pytest.raises(ObjectNotFound):
                await reading


async def test_list_is_of_whole_segments(objects: Objects) -> None:
    for key in ("media/a/1", "media/a/2", "media/ab/1", "other"):
        await objects.put(key, key.encode())

    assert {each.key: each.size async for each in objects.list("media/a")} == {"media/a/1": 9, "media/a/2": 9}
    assert len([each async for each in objects.list()]) == 4
    assert [each async for each in objects.list("nothing")] == []


async def test_deleted_object_is_gone_and_may_be_deleted_again(objects: Objects) -> None:
    await objects.put("a", b"1")
    await objects.put("b", b"2")

    for _ in range(2):
        await objects.delete("a")

    assert await objects.head("a") is None
    assert await objects.get("b") == b"2"


@pytest.mark.parametrize(
    "key",
    [
        *("", "/etc/passwd", "../secret_key", "a/../../b", "a//b", "a/", ".hidden", "a/.b", "a\\b", "a b"),
        *("a\0b", "a\n", "é", "a#1", "C:/x", "a/%2e%2e/b", "-", "a" * 513),
    ],
)
async def test_key_that_could_climb_or_hide_is_refused(objects: Objects, key: str) -> None:
    for attempt in (objects.put(key, b"x"), objects.get(key), objects.head(key), objects.delete(key)):
        with pytest.raises(ValueError, match="is not a key"):
            await attempt

    assert [each async for each in objects.list()] == []
