"""Files that are made while they are sent."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Scope

from core.web.middleware.head import is_head

_CHUNK = 64 * 1024  # compressed in about a millisecond, in which the event loop does nothing else


def content_of(media_types: Iterable[str]) -> dict[str, Any]:
    """How OpenAPI describes a file that comes in any of these."""
    return {kind.partition(";")[0]: {"schema": {"type": "string"}} for kind in media_types}


async def attachment(
    scope: Scope, pieces: AsyncGenerator[bytes, None], *, filename: str, media_type: str
) -> StreamingResponse:
    """Pieces as a file to be saved. For HEAD none is made.

    The first is awaited here: what it raises is still answered with a status. Once that is out, an error can only break
    the file off. When the client leaves, the generator is closed where it stands.
    """
    first = b"" if is_head(scope) else await anext(pieces, b"")
    body = _nothing(pieces) if is_head(scope) else _chunks(first, pieces)
    headers = {"Content-Disposition": f'attachment; filename="{filename}"', "Cache-Control": "private, no-store"}
    return StreamingResponse(body, headers=headers, media_type=media_type)


async def _nothing(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    await pieces.aclose()
    return
    yield b""


async def _chunks(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(rest):
        piece: bytes | None = first
        while piece is not None:
            for start in range(0, len(piece), _CHUNK):
                yield piece[start : start + _CHUNK]
                await asyncio.sleep(0)
            piece = await anext(rest, None)
