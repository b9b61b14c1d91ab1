"""Persisted operations as they are asked for: by the sha256 of their text, and under the mode of their client.

`documentId` or `id` as GraphQL over HTTP's appendix on persisted documents has them, or Apollo's
`extensions.persistedQuery`; in a body, a query string, or a `subscribe` message.
"""

import re
from collections.abc import Mapping
from typing import Any

import structlog
from prometheus_client import Counter

from commerce.operations.entities import Policy, sha256_of
from commerce.operations.errors import OperationNotRegistered, PersistedQueryNotFound
from core.context import current_client
from graphql_api.context import Asked, Context
from graphql_api.documents import keep
from graphql_api.errors import BadRequest

log = structlog.get_logger("portico.operations")
NAMES = ("documentId", "id", "extensions")
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})", re.IGNORECASE)
_UNREGISTERED = Counter(
    "portico_unregistered_operations_total",
    "Operations that their client has not registered, where its mode is log or enforce.",
    ("client", "mode"),
)


def hash_of(data: Mapping[str, Any]) -> str | None:
    """The operation that a request names, if it does. What is no hash of ours names one that is not there.

    Raises BadRequest.
    """
    named = [data[field] for field in ("documentId", "id") if isinstance(data.get(field), str)]
    persisted = (data.get("extensions") or {}).get("persistedQuery")
    if persisted is not None:
        if not isinstance(persisted, dict) or persisted.get("version") != 1:
            raise BadRequest("extensions.persistedQuery is not of version 1")
        named.append(persisted.get("sha256Hash"))
    if not all(isinstance(name, str) and name for name in named):
        raise BadRequest("extensions.persistedQuery.sha256Hash is not a string")
    hashes = {match[1].lower() if (match := _SHA256.fullmatch(name)) else name for name in named}
    if len(hashes) > 1:
        raise BadRequest("the request names several operations")
    return next(iter(hashes), None)


async def text_of(query: str | None, named: str | None, operation_name: str | None, context: Context) -> str:
    """The text that is to run: that which was sent, or the one that is named. Nothing was parsed yet.

    Raises BadRequest, PersistedQueryNotFound, OperationNotRegistered, DatabaseUnavailable.
    """
    policy = await context.registry.policy(current_client().name)
    if not query:
        return await _named_text(named, operation_name, context, policy)
    if named is not None and named != sha256_of(query):
        raise BadRequest("provided sha does not match query")
    await _check(query, operation_name, context, policy)
    if named is not None and policy.automatic:
        context.registry.remember(query)
    return query


async def _named_text(named: str | None, operation_name: str | None, context: Context, policy: Policy) -> str:
    if named is None:
        raise BadRequest("query is missing")
    operation = await context.registry.find(current_client().name, named)
    if operation is not None:
        return operation.text
    text = context.registry.automatic(named) if policy.automatic else None
    if text is None:
        raise PersistedQueryNotFound
    await _check(text, operation_name, context, policy)
    return text


async def _check(text: str, operation_name: str | None, context: Context, policy: Policy) -> None:
    if policy.mode == "off":
        return
    client, sha256 = current_client().name, sha256_of(text)
    if await context.registry.find(client, sha256) is not None:
        return
    _UNREGISTERED.labels(policy.client, policy.mode).inc()
    log.warning("operation_unregistered", sha256=sha256, name=operation_name, mode=policy.mode)
    if policy.mode == "enforce":
        raise OperationNotRegistered(f"the client {client or '(no X-Client-Name)'} has not registered {sha256}")


def asked(text: str, operation_name: str | None, context: Context) -> Asked:
    """What an operation is, by its text. A registered one is counted, and what is made of its text is kept."""
    client, sha256 = current_client(), sha256_of(text)
    operation = context.registry.recall(client.name, sha256)
    if operation is None:
        return Asked(sha256, operation_name, registered=False)
    keep(operation.text)
    context.note("operation", sha256)
    return Asked(sha256, operation.name, registered=True)
