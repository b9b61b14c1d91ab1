"""Registered operations made ready after the start: the first request after a deploy is as quick as the next."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from commerce.operations.registry import OperationRegistry
from core.background import attempt
from graphql_api.registering import prepare
from graphql_api.schema import Schema

_MOST = 500
_REST_SECONDS = 0.005  # between two, as long as one takes: requests go on meanwhile


@asynccontextmanager
async def warming(registry: OperationRegistry, schema: Schema, serving: asyncio.Event) -> AsyncIterator[None]:
    """In the background, from when the server serves."""
    ending = asyncio.Event()

    async def warm() -> None:
        await serving.wait()
        for operation in [] if ending.is_set() else await registry.newest(_MOST):
            if ending.is_set():
                return
            prepare(schema, operation.text)
            await asyncio.sleep(_REST_SECONDS)

    task = asyncio.create_task(attempt("warming", warm), name="portico-warming")
    try:
        yield
    finally:
        ending.set()
        serving.set()
        await task
