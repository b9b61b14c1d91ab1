"""Answers that are bytes already: a server of ours writes them as they are, in one write.

Any other server gets the two messages of ASGI that say the same. uvicorn looks through each header of these, and calls
the system for the head and for the body.
"""

from collections.abc import Callable, Iterable
from typing import TypedDict

from starlette.types import Message, Scope, Send

FINISHED = "portico.finished"  # the type of the message
EXTENSION = "portico.finished"  # of the ASGI scope


class FinishedExtension(TypedDict):
    """`write` takes the status, headers as `head_of` has them, and the body. False: the server has to be sent
    messages.
    """

    write: Callable[[int, bytes, bytes], bool]


def finished(status: int, head: bytes, body: bytes) -> Message:
    """`head` as `head_of` has it."""
    return {"type": FINISHED, "status": status, "head": head, "body": body}


def head_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """As HTTP/1.1 has them. Their names and values are good: they were an answer's before, or are our own."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


def headers_in(head: bytes) -> list[tuple[bytes, bytes]]:
    """What `head_of` was given."""
    lines = [line.partition(b": ") for line in head.split(b"\r\n")[:-1]]
    return [(name, value) for name, _, value in lines]


async def finish(message: Message, more: bytes, scope: Scope, send: Send) -> None:
    """Answers with what is finished and more headers."""
    extension: FinishedExtension | None = scope.get("extensions", {}).get(EXTENSION)
    status, head, body = message["status"], message["head"] + more, message["body"]
    if extension is None or not extension["write"](status, head, body):
        await send({"type": "http.response.start", "status": status, "headers": headers_in(head)})
        await send({"type": "http.response.body", "body": body})
