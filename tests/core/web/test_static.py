"""Static files that nobody asks for are not in memory; those that somebody asked for are read once."""

from pathlib import Path

import pytest
from starlette.types import Message

from core.errors import NotFound
from core.web.static import HashedFiles


async def get(files: HashedFiles, path: str) -> bytes:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": f"/{path}", "headers": []}
    await files(scope, receive, send)
    return b"".join(message.get("body", b"") for message in sent)


async def test_file_is_read_when_it_is_asked_for_and_not_again(tmp_path: Path) -> None:
    (tmp_path / "app.css").write_bytes(b"body {}")
    files = HashedFiles({"": tmp_path})
    assert files._files["app.css"].kept is None

    first = await get(files, "app.css")
    (tmp_path / "app.css").unlink()

    assert first == await get(files, files.path("app.css")) == b"body {}"


async def test_file_that_was_changed_meanwhile_is_not_given_under_the_address_of_another(tmp_path: Path) -> None:
    (tmp_path / "app.css").write_bytes(b"old")
    files = HashedFiles({"": tmp_path})
    (tmp_path / "app.css").write_bytes(b"new")

    with pytest.raises(NotFound, match="was changed"):
        await get(files, files.path("app.css"))

    (tmp_path / "app.css").write_bytes(b"old")
    assert await get(files, files.path("app.css")) == b"old"
