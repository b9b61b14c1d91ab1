"""Persisted operations, registered by the product's own way; and manifests of them."""

import json
from hashlib import md5, sha256
from typing import Any

from commerce.operations.entities import Mode, Operation
from commerce.operations.service import OperationService
from core.clock import Clock
from core.database import Database

FORMAT = {"format": "apollo-persisted-query-manifest", "version": 1}


def sha(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def an_operation(text: str = "query Shop { __typename }") -> Operation:
    kind, name = text.replace("(", " ").split()[:2]
    return Operation(sha(text), name, kind, text)  # type: ignore[arg-type]


async def register(
    database: Database, clock: Clock, *texts: str, client: str = "web", version: str = "1.0"
) -> list[str]:
    """The hashes of the texts."""
    operations = [an_operation(text) for text in texts]
    async with database.write() as session:
        await OperationService(session, clock, actor="test").register(client, version, operations)
    return [operation.sha256 for operation in operations]


async def forget(database: Database, clock: Clock, client: str = "web", version: str = "1.0") -> None:
    async with database.write() as session:
        await OperationService(session, clock, actor="test").forget(client, version)


async def allow(
    database: Database, clock: Clock, client: str, *, mode: Mode | None = None, automatic: bool | None = None
) -> None:
    async with database.write() as session:
        await OperationService(session, clock, actor="test").change(client, mode=mode, automatic=automatic)


def apollo(*texts: str, **changes: Any) -> bytes:
    """A manifest as Apollo's tool writes it; `changes` are of each entry."""
    entries = [
        {"id": sha(text), "name": an_operation(text).name, "type": text.split()[0], "body": text} | changes
        for text in texts
    ]
    return json.dumps({**FORMAT, "operations": entries}).encode()


def relay(*texts: str, old: bool = False) -> bytes:
    """A manifest as relay-compiler writes it, with the MD5 hashes of `old` if nothing else is configured."""
    return json.dumps({md5(text.encode()).hexdigest() if old else sha(text): text for text in texts}).encode()  # noqa: S324
