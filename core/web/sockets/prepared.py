"""Texts that many sockets get: each is made once, as text and as the bytes that it is on the wire, which are the same
for all as long as nothing is compressed. A server of ours takes many at a time, in one write.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypedDict

from websockets.frames import Frame, Opcode

EXTENSION = "portico.frames"  # of the ASGI scope: `websocket.send` may have `frames`, bytes of whole frames
_CHUNK = 64 * 1024  # what a peer that does not read can hold of us, beside the server's buffer of as much


class FramesExtension(TypedDict):
    """`write` sends whole frames now, in their place behind all that was sent; False where the peer has to read first,
    or is gone.
    """

    write: Callable[[bytes], bool]


class Prepared:
    """`frame` is a whole one, as servers send it (RFC 6455, 5.2)."""

    __slots__ = ("frame", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.frame = Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


def as_one(texts: Sequence[Prepared]) -> bytes | None:
    """On the wire; None where they would be several chunks."""
    if len(texts) == 1:
        return texts[0].frame
    return b"".join([each.frame for each in texts]) if sum(len(each.frame) for each in texts) <= _CHUNK else None


def in_chunks(texts: Sequence[Prepared]) -> Iterator[Sequence[Prepared]]:
    """As few as possible, none of which is much larger than 64 KiB on the wire."""
    start = size = 0
    for end, each in enumerate(texts, 1):
        size += len(each.frame)
        if size >= _CHUNK or end == len(texts):
            yield texts[start:end]
            start, size = end, 0
