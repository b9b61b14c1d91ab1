"""REST of API keys. People manage their own; a key manages none."""

from typing import Annotated

from fastapi import Query, Response
from pydantic import TypeAdapter

from commerce.accounts.api_keys import ApiKeyService, NewKey
from commerce.accounts.commands import RotateKey
from commerce.accounts.errors import ApiKeyExpired, ApiKeyNotFound, InvalidAccount, ScopeNotAllowed, UserRequired
from commerce.accounts.repository import AccountRepository
from core.database import WriteSession
from core.errors import Invalid
from core.idempotency import IdempotencyInProgress, IdempotencyKeyReused
from core.web.dependencies import ReadSessionDep, ResourcesDep, WriteSessionDep
from public_api.accounts.schemas import (
    ApiKeyCreate,
    ApiKeyRotate,
    ApiKeySlice,
    KeyQuery,
    NewApiKey,
    key_command,
    key_schema,
    new_key_schema,
)
from public_api.auth import UserDep
from public_api.errors import problems
from public_api.once import OnceDep
from public_api.routing import public_router

router = public_router(tags=["API keys"], prefix="/api-keys")
_NEW_KEY = TypeAdapter(NewKey)
_NO_STORE = {"Cache-Control": "no-store"}
_ONCE = (IdempotencyKeyReused, IdempotencyInProgress)


@router.get("", response_model=ApiKeySlice, summary="List API keys", responses=problems(Invalid, UserRequired))
async def list_api_keys(
    response: Response, query: Annotated[KeyQuery, Query()], principal: UserDep, session: ReadSessionDep
) -> ApiKeySlice:
    """Your own, newest first, without those that you revoked. No secret is shown."""
    found = await AccountRepository(session).keys_of(str(principal.user_id), limit=query.limit, after=query.after)
    response.headers.update(_NO_STORE)
    return ApiKeySlice(items=[key_schema(key) for key in found.items], next=found.next_cursor)


@router.post(
    "",
    status_code=201,
    response_model=NewApiKey,
    summary="Make an API key",
    responses=problems(Invalid, InvalidAccount, UserRequired, ScopeNotAllowed, *_ONCE),
)
async def create_api_key(
    response: Response, body: ApiKeyCreate, principal: UserDep, once: OnceDep, resources: ResourcesDep
) -> NewApiKey:
    """It acts for you, within its scopes and within what your role may at the time. The secret is shown this once; with
    an Idempotency-Key, also to a retry.
    """
    command = key_command(body)

    async def create(session: WriteSession) -> NewKey:
        return await ApiKeyService(session, resources.clock, actor=principal.name).create(command, owner=principal)

    made = await once.run(command, create, _NEW_KEY, secret=True)
    response.headers.update(_NO_STORE)
    return new_key_schema(made)


@router.post(
    "/{key_id}/rotate",
    response_model=NewApiKey,
    summary="Rotate an API key",
    responses=problems(Invalid, UserRequired, ApiKeyNotFound, ApiKeyExpired, *_ONCE),
)
async def rotate_api_key(
    response: Response,
    key_id: str,
    principal: UserDep,
    once: OnceDep,
    resources: ResourcesDep,
    body: ApiKeyRotate | None = None,
) -> NewApiKey:
    """A new secret. The present one is good for the overlap, a day if you do not say; one before that ends now."""
    command = RotateKey(key_id, (body or ApiKeyRotate()).overlap_seconds)

    async def rotate(session: WriteSession) -> NewKey:
        return await ApiKeyService(session, resources.clock, actor=principal.name).rotate(command, owner=principal)

    made = await once.run(command, rotate, _NEW_KEY, secret=True)
    response.headers.update(_NO_STORE)
    return new_key_schema(made)


@router.delete(
    "/{key_id}",
    status_code=204,
    response_class=Response,  # no body, and so no Content-Type
    summary="Revoke an API key",
    responses=problems(UserRequired, ApiKeyNotFound),
)
async def revoke_api_key(key_id: str, principal: UserDep, session: WriteSessionDep, resources: ResourcesDep) -> None:
    """At once, and for good."""
    await ApiKeyService(session, resources.clock, actor=principal.name).revoke(key_id, owner=principal)
