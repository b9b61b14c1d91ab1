"""The Idempotency-Key header (draft-ietf-httpapi-idempotency-key-header). What a key does is `core.idempotency`'s."""

import re
from typing import Annotated

from fastapi import Header

from core.errors import TransportError

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class IdempotencyKeyRequired(TransportError):
    """This operation needs an Idempotency-Key: a text of your making, new for each thing that you want done."""

    code = "idempotency_key_required"
    title = "Idempotency key required"


class InvalidIdempotencyKey(TransportError):
    """An Idempotency-Key has 1 to 255 visible ASCII characters; a UUID is a good one."""

    code = "invalid_idempotency_key"
    title = "Invalid idempotency key"


async def get_idempotency_key(
    header: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="Done once for each key: sent again, it answers what it answered before. Kept for 48 hours.",
        ),
    ] = None,
) -> str | None:
    """Raises InvalidIdempotencyKey."""
    return checked_key(header) if header is not None else None


def checked_key(text: str) -> str:
    """The key, with or without the quotes that the draft puts around it. Raises InvalidIdempotencyKey."""
    key = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
    if not _KEY.fullmatch(key):
        raise InvalidIdempotencyKey
    return key
