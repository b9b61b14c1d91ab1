"""What goes through the pipe: the lengths of a JSON object and of the bytes that go with it, then both."""

import json
import struct
from typing import Any, BinaryIO

HEADER = struct.Struct("!II")
Fields = dict[str, Any]


def encode(fields: Fields, body: bytes) -> bytes:
    """All but the body, which is large and follows by itself."""
    text = json.dumps(fields).encode()
    return HEADER.pack(len(text), len(body)) + text


def fields_of(text: bytes) -> Fields:
    """Raises ValueError for what is not a JSON object."""
    fields = json.loads(text)
    if not isinstance(fields, dict):
        raise ValueError("not an object")  # noqa: TRY004  a peer's fault, not a caller's
    return fields


def read(source: BinaryIO) -> tuple[Fields, bytes] | None:
    """None at the end of the stream."""
    header = source.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    text, body = HEADER.unpack(header)
    return fields_of(source.read(text)), source.read(body)
