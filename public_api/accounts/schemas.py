"""The JSON of accounts: what is sent in, what is shown, and what is shown once."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from commerce.accounts import entities
from commerce.accounts.api_keys import NewKey
from commerce.accounts.commands import MAX_NAME, MAX_OVERLAP_SECONDS, MAX_PASSWORD, MIN_PASSWORD, CreateKey
from commerce.accounts.principal import Role, Scope
from commerce.accounts.sign_in import Tokens

_DAY_SECONDS = 24 * 3600
_TEN_YEARS = 3650  # days
_SCOPES: list[Any] = ["catalog:read", "orders:read", "orders:write"]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Register(_Input):
    # What is too little or too much is the domain's to say, the same at every door.
    email: str = Field(
        json_schema_extra={"maxLength": 254, "format": "email"},
        description="Kept in lower case.",
        examples=["ada@example.com"],
    )
    password: str = Field(
        json_schema_extra={"minLength": MIN_PASSWORD, "maxLength": MAX_PASSWORD},
        repr=False,
        examples=["correct horse battery staple"],
    )
    name: str = Field(json_schema_extra={"minLength": 1, "maxLength": MAX_NAME}, examples=["Ada Lovelace"])


class Registered(BaseModel):
    id: str = Field(examples=["usr_01jd0a3v5te8zr9k1m2n3p4q5r"])
    email: str = Field(examples=["ada@example.com"])
    name: str = Field(examples=["Ada Lovelace"])
    role: Role


class Me(Registered):
    created_at: datetime


class Token(BaseModel):
    access_token: str = Field(description="A JWT, for `Authorization: Bearer`.")
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  the name of the scheme
    expires_in: int = Field(description="Seconds.", examples=[900])
    refresh_token: str = Field(description="Good once, for new tokens; lost, sign in again.", examples=["ptr_..."])


class Refresh(_Input):
    refresh_token: str = Field(max_length=200, repr=False, examples=["ptr_..."])


class ApiKeyCreate(_Input):
    name: Name = Field(description="For people.", examples=["warehouse sync"])
    scopes: list[Scope] = Field(min_length=1, description="At most what your role may.", examples=[_SCOPES])
    expires_in_days: int | None = Field(None, ge=1, le=_TEN_YEARS, strict=True, description="Never without it.")


class ApiKeyRotate(_Input):
    overlap_seconds: int = Field(
        _DAY_SECONDS,
        ge=0,
        le=MAX_OVERLAP_SECONDS,
        strict=True,
        description="How long the present secret is good beside the new one; 7 days at most.",
    )


class ApiKey(BaseModel):
    id: str = Field(description="The part of the key that is no secret.", examples=["9fK2mQ7xT0aB"])
    name: str = Field(examples=["warehouse sync"])
    scopes: list[str] = Field(description="As given. What your role may no more, the key may not either.")
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")


class NewApiKey(ApiKey):
    secret: str = Field(
        description="The key itself, shown this once; only its hash is kept.", repr=False, examples=["ptk_..."]
    )


class ApiKeySlice(BaseModel):
    items: list[ApiKey]
    next: str | None = Field(description="The cursor of the next page; null on the last.")


class KeyQuery(_Input):
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    after: Annotated[str | None, Field(max_length=2000, description="`next` of the page before.")] = None


def registered_schema(user: entities.User) -> Registered:
    return Registered(id=user.id, email=user.email, name=user.name, role=user.role)


def me_schema(user: entities.User) -> Me:
    return Me(**registered_schema(user).model_dump(), created_at=user.created_at)


def token_schema(tokens: Tokens) -> Token:
    assert tokens.refresh_token is not None  # noqa: S101  only the internal door gives none
    return Token(access_token=tokens.access_token, expires_in=tokens.expires_in, refresh_token=tokens.refresh_token)


def key_command(body: ApiKeyCreate) -> CreateKey:
    return CreateKey(body.name, tuple(body.scopes), body.expires_in_days)


def key_schema(key: entities.ApiKey) -> ApiKey:
    return ApiKey(
        id=key.id,
        name=key.name,
        scopes=list(key.scopes),
        created_at=key.created_at,
        expires_at=key.expires_at,
        last_used_at=key.last_used_at,
    )


def new_key_schema(made: NewKey) -> NewApiKey:
    return NewApiKey(**key_schema(made.key).model_dump(), secret=made.secret)
