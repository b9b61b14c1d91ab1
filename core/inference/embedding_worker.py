"""Many texts as vectors, by another process."""

import json
import struct
from collections.abc import Sequence
from typing import NamedTuple

from core.inference.embedding import DIMENSIONS
from core.workers.pool import Program, Workers

PROGRAM = Program(
    module="core.inference.embedding_program",
    at_once=1,
    waiting=16,
    timeout_seconds=60,  # a batch of 500 long texts takes one
)


class StoredVector(NamedTuple):
    """As it is kept: int8, and what each number is times."""

    vector: bytes
    scale: float


async def embed_many(workers: Workers, texts: Sequence[str]) -> list[StoredVector]:
    """In the order of the texts. Raises WorkersBusy, WorkerLost, WorkerFailed."""
    if not texts:
        return []
    async with workers.pool(PROGRAM).turn() as ask:
        _, body = await ask({}, json.dumps(texts).encode())
    rows = len(texts) * DIMENSIONS
    scales = struct.unpack(f"<{len(texts)}f", body[rows:])
    return [
        StoredVector(body[place * DIMENSIONS : (place + 1) * DIMENSIONS], scale) for place, scale in enumerate(scales)
    ]
