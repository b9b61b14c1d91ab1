"""Compression by Accept-Encoding (zstd, br, gzip), never of event streams."""

from starlette_compress import CompressMiddleware, add_compress_type, remove_compress_type

remove_compress_type("text/event-stream")  # an event must leave when it happens
for media_type in (
    "application/problem+json",
    "application/jsonl",
    "application/x-ndjson",
    "text/csv",
    "application/graphql-response+json",
):
    add_compress_type(media_type)

__all__ = ["CompressMiddleware"]
