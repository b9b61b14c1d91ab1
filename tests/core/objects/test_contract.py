"""What every store of files does alike."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import core.objects
from core.drafts import draft, fetch, keep
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


async def test_whole_objects_are_not_forgotten(objects: Objects) -> None:
    await objects.put("a", b"1")

    await objects.forget_unfinished(datetime.now(UTC) + timedelta(days=1))

    assert await objects.get("a") == b"1"


async def test_part_is_read_in_bounded_requests(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core.objects, "_RANGE", 10)
    await objects.put("a", bytes(range(100)))

    pieces = [piece async for piece in core.objects.ranged(objects, "a", 5, 28)]

    assert [len(piece) for piece in pieces] == [10, 10, 3]
    assert b"".join(pieces) == bytes(range(5, 28))


async def test_file_is_kept_and_fetched(objects: Objects, tmp_path: Path) -> None:
    data = bytes(range(256)) * 10_000
    async with draft(tmp_path / "here") as written, draft(tmp_path / "there") as read:
        written.write(data)
        await keep(objects, "imports/one", written)

        await fetch(objects, "imports/one", read)

        assert read.read() == data
        with pytest.raises(ObjectNotFound):
            await fetch(objects, "imports/two", read)


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
