"""The yardstick: an ASGI application that does nothing but send bytes that it has. They are files of the folder RAW,
each with the path that it answers in its first line.
"""

import os
from pathlib import Path
from typing import Any


def _answer(body: bytes) -> list[dict[str, Any]]:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    return [start, {"type": "http.response.body", "body": body}]


def _answers() -> dict[str, list[dict[str, Any]]]:
    found = {}
    for file in Path(os.environ["RAW"]).iterdir():
        path, _, body = file.read_bytes().partition(b"\n")
        found[path.decode()] = _answer(body)
    return found


ANSWERS = _answers()


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        if scope["method"] == "POST":
            while (await receive()).get("more_body"):
                pass
        for message in ANSWERS[scope["path"]]:
            await send(message)
