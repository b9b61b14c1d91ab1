"""Accounts as staff see them, and what an admin may change. No password and no hash is in here."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from commerce.accounts import entities
from commerce.accounts.principal import Role
from internal_api.parameters import Text


class User(BaseModel):
    id: str = Field(examples=["usr_01jd0a3v5te8zr9k1m2n3p4q5r"])
    email: str
    name: str
    role: Role
    disabled: bool
    created_at: datetime
    updated_at: datetime
    disabled_at: datetime | None
    deleted_at: datetime | None


class UserSlice(BaseModel):
    items: list[User]
    next: str | None = Field(description="The cursor of the next page; null on the last.")


class UserQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    after: Annotated[str | None, Field(max_length=2000, description="`next` of the page before.")] = None
    role: Role | None = None
    q: Annotated[Text | None, Field(description="A part of the address.")] = None
    disabled: bool | None = None


class UserUpdate(BaseModel):
    """What is left out stays."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None = None
    disabled: bool | None = Field(None, strict=True)


def user_schema(user: entities.User) -> User:
    return User(
        id=user.id,
        email=user.email,
        name=user.name,
        role=user.role,
        disabled=user.disabled_at is not None,
        created_at=user.created_at,
        updated_at=user.updated_at,
        disabled_at=user.disabled_at,
        deleted_at=user.deleted_at,
    )
