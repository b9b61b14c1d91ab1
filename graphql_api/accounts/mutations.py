"""Registering and signing in."""

from typing import Annotated

import strawberry
from pydantic import TypeAdapter

from commerce.accounts import entities, errors
from commerce.accounts.commands import RegisterUser
from commerce.accounts.registration import owner_of_key, registration
from commerce.accounts.sign_in import SignIn
from graphql_api.accounts.types import (
    EmailTaken,
    InvalidCredentials,
    RegisterUserResult,
    SignInResult,
    signed_in_type,
    user_type,
)
from graphql_api.context import Info
from graphql_api.cost_directives import WRITE
from graphql_api.fields import field
from graphql_api.once import OptionalIdempotencyKey, run_once
from graphql_api.refusals import REFUSALS, Refused, told

_USER = TypeAdapter(entities.User)


@strawberry.input(name="RegisterUserInput", description="Who registers.")
class RegisterUserInput:
    email: str = strawberry.field(description="Kept in lower case.")
    password: str = strawberry.field(description="8 to 128 characters.")
    name: str = strawberry.field(description="What they are called.")


@strawberry.type
class AccountMutation:
    @field("Makes a customer. Registering signs nobody in: `signIn` comes next.", WRITE)
    async def register_user(
        self,
        info: Info,
        input: Annotated[RegisterUserInput, strawberry.argument(description="Who registers.")],  # noqa: A002
        idempotency_key: OptionalIdempotencyKey = None,
    ) -> RegisterUserResult | None:
        context = info.context
        try:
            command = RegisterUser(input.email, input.password, input.name)
            action = await registration(
                command, context.resources, actor=context.principal.name, address=context.address
            )
            user = await run_once(
                info, idempotency_key, command, action, _USER, secret=True, principal=owner_of_key(command)
            )
        except errors.EmailTaken as error:
            return EmailTaken(**told(error))
        except REFUSALS as error:
            return Refused(**told(error))
        return user_type(user)

    @field(
        "Signs in, with tokens that open GraphQL alone. Takes no idempotency key: each time is a new sign-in.", WRITE
    )
    async def sign_in(
        self,
        info: Info,
        email: Annotated[str, strawberry.argument(description="The account's address.")],
        password: Annotated[str, strawberry.argument(description="Its password.")],
    ) -> SignInResult | None:
        context = info.context
        try:
            tokens = await SignIn(context.resources).sign_in(
                email, password, audience="graphql", address=context.address
            )
        except errors.InvalidCredentials as error:
            return InvalidCredentials(**told(error))
        return signed_in_type(tokens)
