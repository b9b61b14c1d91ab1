"""Users: all staff may look, admins may change."""

from typing import Annotated

from fastapi import Depends, Query, Response

from commerce.accounts import entities
from commerce.accounts.errors import UserNotFound
from commerce.accounts.repository import AccountRepository
from commerce.accounts.service import AccountService
from core.web.dependencies import ReadSessionDep, ResourcesDep, WriteSessionDep
from internal_api.accounts.schemas import User, UserQuery, UserSlice, UserUpdate, user_schema
from internal_api.auth import Admin
from internal_api.parameters import Text
from internal_api.routing import internal_router

router = internal_router()


async def get_accounts(principal: Admin, session: WriteSessionDep, resources: ResourcesDep) -> AccountService:
    return AccountService(session, resources.clock, actor=principal.name)


AccountsDep = Annotated[AccountService, Depends(get_accounts, scope="function")]


@router.get("/users", summary="List users")
async def list_users(query: Annotated[UserQuery, Query()], session: ReadSessionDep) -> UserSlice:
    """Newest first, disabled and deleted ones too."""
    found = await AccountRepository(session).users(**query.model_dump())
    return UserSlice(items=[user_schema(user) for user in found.items], next=found.next_cursor)


@router.get("/users/{user_id}", summary="Read a user")
async def get_user(user_id: Text, session: ReadSessionDep) -> User:
    return user_schema(await _existing(AccountRepository(session), user_id))


@router.patch("/users/{user_id}", summary="Change a user's role, or disable them")
async def update_user(user_id: Text, body: UserUpdate, accounts: AccountsDep, session: WriteSessionDep) -> User:
    """Their tokens and keys follow at once. The last admin stays one."""
    if body.role is not None:
        await accounts.set_role(user_id, body.role)
    if body.disabled is not None:
        await (accounts.disable(user_id) if body.disabled else accounts.enable(user_id))
    return user_schema(await _existing(AccountRepository(session), user_id))


@router.delete("/users/{user_id}", status_code=204, response_class=Response, summary="Delete a user")
async def delete_user(user_id: Text, accounts: AccountsDep) -> None:
    """Who they were is forgotten; their orders stay. The last admin stays too."""
    await accounts.delete(user_id)


async def _existing(accounts: AccountRepository, user_id: str) -> entities.User:
    user = await accounts.user(user_id)
    if user is None:
        raise UserNotFound(f"no user {user_id[:100]!r}")
    return user
