"""What is one store's own: files on disk, a bucket that is away, and the choice by URL."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.objects import ObjectsUnavailable
from core.objects.opening import open_objects
from core.settings import DataSettings, Settings
from tests.fixtures.processes import ROOT


async def test_local_objects_are_files_below_the_folder(tmp_path: Path) -> None:
    async with open_objects(f"file://{tmp_path}/a/b") as objects:
        await objects.put("media/img/original", b"data")

    assert (tmp_path / "a" / "b" / "media" / "img" / "original").read_bytes() == b"data"
    assert [files for _, _, files in os.walk(tmp_path) if files] == [["original"]]


async def test_reader_of_a_local_object_never_sees_half_of_it(tmp_path: Path) -> None:
    path = tmp_path / "one"
    async with open_objects(f"file://{tmp_path}") as objects:
        await objects.put("one", b"old")
        seen = []

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(3):
                yield b"new" * 1_000_000
                seen.append(path.read_bytes())

        await objects.put("one", pieces())

    assert seen == [b"old"] * 3
    assert path.read_bytes() == b"new" * 3_000_000


async def test_put_that_is_killed_leaves_a_file_that_is_no_object_and_is_forgotten(tmp_path: Path) -> None:
    writing = "import asyncio, os, sys\nfrom core.objects.opening import open_objects\n"
    writing += "async def pieces():\n    yield bytes(20_000_000)\n    os.kill(os.getpid(), 9)\n"
    writing += "async def main():\n    async with open_objects(sys.argv[1]) as objects:\n"
    writing += "        await objects.put('imports/one', pieces())\nasyncio.run(main())"
    url = f"file://{tmp_path}"

    died = await asyncio.create_subprocess_exec(sys.executable, "-c", writing, url, cwd=ROOT)
    assert await died.wait() == -signal.SIGKILL
    (left,) = (tmp_path / "imports").iterdir()
    async with open_objects(url) as objects:
        listed = [each.key async for each in objects.list()]
        await objects.forget_unfinished(datetime.now(UTC) - timedelta(minutes=5))
        assert left.exists()
        await objects.forget_unfinished(datetime.now(UTC) + timedelta(minutes=5))

    assert listed == []
    assert not left.exists()


async def test_folders_go_with_their_last_file(tmp_path: Path) -> None:
    async with open_objects(f"file://{tmp_path}") as objects:
        for key in ("a/b/1", "a/b/2", "a/c"):
            await objects.put(key, b"x")

        await objects.delete("a/b/1")
        before = (tmp_path / "a" / "b").exists()
        await objects.delete("a/b/2")

    assert before
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["c"]


async def test_local_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    async with open_objects(f"file://{tmp_path}") as objects:
        (tmp_path / "taken").write_text("a file where a folder is wanted")

        with pytest.raises(ObjectsUnavailable):
            await objects.put("taken/below", b"x")


async def test_bucket_that_is_not_there_is_unavailable(s3_url: str) -> None:
    async with open_objects(f"{s3_url}-other") as objects:
        with pytest.raises(ObjectsUnavailable):
            await objects.put("a", b"x")


async def test_server_that_is_away_is_unavailable(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    async with open_objects(s3_url) as objects:
        with pytest.raises(ObjectsUnavailable) as caught:
            await objects.get("a")

    assert caught.value.retry_after_seconds == 2


async def test_bucket_may_have_a_prefix(s3_url: str) -> None:
    async with open_objects(f"{s3_url}/shop") as objects, open_objects(s3_url) as whole:
        await objects.put("a/b", b"x")

        assert [each.key async for each in objects.list()] == ["a/b"]
        assert [each.key async for each in whole.list()] == ["shop/a/b"]


async def test_other_addresses_are_refused() -> None:
    with pytest.raises(ValueError, match="'ftp'"):
        async with open_objects("ftp://host/folder"):
            pass


def test_objects_live_in_the_data_dir_unless_the_settings_say_otherwise(tmp_path: Path) -> None:
    assert Settings(data=DataSettings(data_dir=tmp_path)).objects_url == f"file://{tmp_path}/objects"
    assert Settings(data=DataSettings(objects_url="s3://bucket")).objects_url == "s3://bucket"
