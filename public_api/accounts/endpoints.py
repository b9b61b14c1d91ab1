"""REST of accounts: registering, signing in, and who one is."""

from typing import Annotated

from fastapi import Depends, Response
from fastapi.security import OAuth2PasswordRequestForm
from pydantic import TypeAdapter

from commerce.accounts.commands import RegisterUser
from commerce.accounts.entities import User
from commerce.accounts.errors import (
    EmailTaken,
    InvalidAccount,
    InvalidCredentials,
    InvalidRefreshToken,
    TokenExpired,
    UserRequired,
)
from commerce.accounts.registration import owner_of_key, registration
from commerce.accounts.repository import AccountRepository
from commerce.accounts.sign_in import SignIn
from core.errors import Invalid, RateLimited, Unauthenticated
from core.idempotency import IdempotencyInProgress, IdempotencyKeyReused
from core.ratelimit import LimitsUnavailable
from core.web.dependencies import ClientAddressDep, ReadSessionDep, ResourcesDep
from public_api.accounts.schemas import (
    Me,
    Refresh,
    Register,
    Registered,
    Token,
    me_schema,
    registered_schema,
    token_schema,
)
from public_api.auth import PrincipalDep, UserDep
from public_api.errors import problems
from public_api.once import OnceDep
from public_api.routing import public_router

router = public_router(tags=["Accounts"])
_USER = TypeAdapter(User)
_NO_STORE = {"Cache-Control": "no-store"}


async def get_sign_in(resources: ResourcesDep) -> SignIn:
    return SignIn(resources)


SignInDep = Annotated[SignIn, Depends(get_sign_in)]


@router.post(
    "/auth/register",
    status_code=201,
    response_model=Registered,
    summary="Register",
    responses=problems(
        Invalid, InvalidAccount, EmailTaken, IdempotencyKeyReused, IdempotencyInProgress, RateLimited, LimitsUnavailable
    ),
)
async def register(
    body: Register, principal: PrincipalDep, once: OnceDep, resources: ResourcesDep, address: ClientAddressDep
) -> Registered:
    """Makes a customer. Registering signs nobody in: ask for a token next."""
    command = RegisterUser(body.email, body.password, body.name)
    action = await registration(command, resources, actor=principal.name, address=address)
    user = await once.run(command, action, _USER, secret=True, principal=owner_of_key(command))
    return registered_schema(user)


@router.post(
    "/auth/token",
    response_model=Token,
    summary="Sign in",
    responses=problems(Invalid, InvalidCredentials, RateLimited, LimitsUnavailable),
)
async def sign_in(
    response: Response,
    form: Annotated[OAuth2PasswordRequestForm, Depends()],
    door: SignInDep,
    address: ClientAddressDep,
) -> Token:
    """OAuth2's password form: `username` is the email address. The access token opens REST and GraphQL for 15 minutes,
    the refresh token gets new ones. `scope`, `client_id` and `client_secret` are not read.
    """
    tokens = await door.sign_in(form.username, form.password, audience="public", address=address)
    response.headers.update(_NO_STORE)
    return token_schema(tokens)


@router.post(
    "/auth/refresh",
    response_model=Token,
    summary="Get new tokens",
    responses=problems(Invalid, InvalidRefreshToken),
)
async def refresh(response: Response, body: Refresh, door: SignInDep) -> Token:
    """A refresh token is good once, within 30 days. One that comes a second time ends its sign-in, with every token of
    it: it was stolen from somebody.
    """
    tokens = await door.refresh(body.refresh_token)
    response.headers.update(_NO_STORE)
    return token_schema(tokens)


@router.post(
    "/auth/logout",
    status_code=204,
    response_class=Response,  # no body, and so no Content-Type
    summary="Sign out",
    responses=problems(Unauthenticated, TokenExpired, UserRequired),
)
async def sign_out(principal: UserDep, door: SignInDep) -> None:
    """Ends the sign-in of the token that this is asked with, and every token of it, at once."""
    await door.sign_out(str(principal.sign_in_id))


@router.get(
    "/me",
    response_model=Me,
    summary="Who am I?",
    responses=problems(Unauthenticated, TokenExpired, UserRequired),
)
async def show_me(response: Response, principal: UserDep, session: ReadSessionDep) -> Me:
    """The person who has signed in. An API key is nobody: 403 `user_required`."""
    user = await AccountRepository(session).user(str(principal.user_id))
    if user is None:
        raise Unauthenticated
    response.headers.update(_NO_STORE)
    return me_schema(user)
