"""Answers of which all but a few headers is bytes already: a server of ours writes them as they are, in one write.

Any other server gets the two messages of ASGI that say the same. uvicorn looks through each header of these, and calls
the system for the head and for the body.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypedDict

from starlette.types import Message, Scope, Send

Headers = Sequence[tuple[bytes, bytes]]
FINISHED = "portico.finished"  # the type of the message
EXTENSION = "portico.finished"  # of the ASGI scope


class FinishedExtension(TypedDict):
    """`write` takes the status, headers as `head_of` has them, more headers, and the body. False: the server has to be
    sent messages.
    """

    write: Callable[[int, bytes, Headers, bytes], bool]


def finished(status: int, headers: Headers, head: bytes, more: Headers, body: bytes) -> Message:
    """`head` is `headers` as `head_of` has them; `more` are those of this request alone."""
    return {"type": FINISHED, "status": status, "headers": headers, "head": head, "more": more, "body": body}


def head_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """As HTTP/1.1 has them. Their names and values are good: they were an answer's before."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


async def finish(message: Message, more: Headers, scope: Scope, send: Send) -> None:
    """Answers with what is finished and more headers."""
    extension: FinishedExtension | None = scope.get("extensions", {}).get(EXTENSION)
    status, body, told = message["status"], message["body"], [*message["more"], *more]
    if extension is None or not extension["write"](status, message["head"], told, body):
        await send({"type": "http.response.start", "status": status, "headers": [*message["headers"], *told]})
        await send({"type": "http.response.body", "body": body})
