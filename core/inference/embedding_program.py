"""The program that embeds many texts: `core.workers` runs it, so that a whole catalogue holds up no request."""

import json
from functools import cache

from core.inference.embedding import Embedder
from core.workers.frames import Fields
from core.workers.program import Answer, serve

MEMORY_BYTES = 1024**3  # of addresses: the mapped weights count, and what numpy's library reserves


@cache
def _embedder() -> Embedder:
    return Embedder()


def answer(_fields: Fields, body: bytes) -> Answer:
    """`body`: a JSON array of texts. What comes back: all rows of int8, then all scales of float32."""
    from core.inference.vectors import quantise  # noqa: PLC0415  numpy

    made = quantise(_embedder().embed(json.loads(body)))
    return {}, made.rows.tobytes() + made.scales.astype("<f4").tobytes()


if __name__ == "__main__":
    serve(answer, memory_bytes=MEMORY_BYTES)
