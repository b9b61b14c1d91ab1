"""The accounts' types, and the refusals that accounts have of their own."""

from datetime import datetime
from enum import Enum
from typing import Annotated

import strawberry

from commerce.accounts import entities, sign_in
from graphql_api.refusals import Refused, UserError


@strawberry.enum(name="Role", description="In lower case, as on REST. Each may do what those before it may.")
class Role(Enum):
    customer = strawberry.enum_value("customer", description="Sees and changes what is their own.")
    support = strawberry.enum_value("support", description="Reads everybody's orders.")
    editor = strawberry.enum_value("editor", description="Changes the catalogue too.")
    admin = strawberry.enum_value("admin", description="May do everything.")


@strawberry.type(description="A person with an account.")
class User:
    id: strawberry.ID = strawberry.field(description="`usr_...`")
    email: str = strawberry.field(description="In lower case.")
    name: str = strawberry.field(description="What they are called.")
    role: Role = strawberry.field(description="What they may do.")
    created_at: datetime = strawberry.field(description="When they registered.")


@strawberry.type(description="Tokens at the moment of their making: the only time that they are shown.")
class SignedIn:
    access_token: str = strawberry.field(
        description="For `Authorization: Bearer`. It opens GraphQL, and no other door."
    )
    expires_in: int = strawberry.field(description="For so many seconds.")
    refresh_token: str | None = strawberry.field(
        description="Good once, for new tokens, at REST's `POST /public/v1/auth/refresh`."
    )
    user: User = strawberry.field(description="Who signed in.")


@strawberry.type(description="There is an account with this address. Sign in, or register another address.")
class EmailTaken(UserError):
    pass


@strawberry.type(description="The address and the password are not those of an account that may sign in.")
class InvalidCredentials(UserError):
    pass


RegisterUserResult = Annotated[
    User | EmailTaken | Refused,
    strawberry.union(name="RegisterUserResult", description="The new account, or why there is none."),
]
SignInResult = Annotated[
    SignedIn | InvalidCredentials,
    strawberry.union(name="SignInResult", description="Tokens, or why there are none."),
]


def user_type(user: entities.User) -> User:
    return User(
        id=strawberry.ID(user.id), email=user.email, name=user.name, role=Role(user.role), created_at=user.created_at
    )


def signed_in_type(tokens: sign_in.Tokens) -> SignedIn:
    return SignedIn(
        access_token=tokens.access_token,
        expires_in=tokens.expires_in,
        refresh_token=tokens.refresh_token,
        user=user_type(tokens.user),
    )
