"""Every query of accounts that only reads."""

from dataclasses import fields
from typing import Any

from sqlalchemy import Row, select

from commerce.accounts.entities import ApiKey, User
from commerce.accounts.models import ApiKeyRow, UserRow
from commerce.accounts.principal import Role
from core.pagination import Keyset, Slice
from core.repository import Repository

_USER: list[Any] = [getattr(UserRow, field.name) for field in fields(User)]
_KEY: list[Any] = [getattr(ApiKeyRow, field.name) for field in fields(ApiKey)]
_USERS_NEWEST_FIRST = Keyset("created_at", UserRow.created_at, UserRow.id, descending=True)  # type: ignore[arg-type]
_KEYS_NEWEST_FIRST = Keyset("created_at", ApiKeyRow.created_at, ApiKeyRow.id, descending=True)  # type: ignore[arg-type]


class AccountRepository(Repository):
    async def user(self, user_id: str) -> User | None:
        """Deleted ones too."""
        row = (await self._session.execute(select(*_USER).where(UserRow.id == user_id))).one_or_none()
        return _user(row) if row is not None else None

    async def user_by_email(self, email: str) -> User | None:
        """The address in lower case."""
        row = (await self._session.execute(select(*_USER).where(UserRow.email == email))).one_or_none()
        return _user(row) if row is not None else None

    async def user_with_password_hash(self, email: str) -> tuple[User, str] | None:
        statement = select(*_USER, UserRow.password_hash).where(UserRow.email == email)
        row = (await self._session.execute(statement)).one_or_none()
        return (_user(row), row.password_hash) if row is not None else None

    async def users(
        self,
        *,
        limit: int,
        after: str | None = None,
        role: Role | None = None,
        q: str | None = None,
        disabled: bool | None = None,
    ) -> Slice[User]:
        """Newest first, disabled and deleted ones too; `q` is a part of the address. Raises InvalidCursor."""
        statement = select(*_USER, UserRow.created_at.label("sort_value"))
        if role is not None:
            statement = statement.where(UserRow.role == role)
        if q is not None:
            statement = statement.where(UserRow.email.contains(q.lower(), autoescape=True))
        if disabled is not None:
            at = UserRow.disabled_at
            statement = statement.where(at.is_not(None) if disabled else at.is_(None))
        page = await self.keyset_page(statement, _USERS_NEWEST_FIRST, limit=limit, after=after)
        return Slice([_user(row) for row in page.items], page.cursors, page.has_next)

    async def staff(self, *, limit: int) -> list[User]:
        """Those who may sign in, by the time of their joining."""
        statement = select(*_USER).where(
            UserRow.role != "customer", UserRow.disabled_at.is_(None), UserRow.deleted_at.is_(None)
        )
        return [_user(row) for row in await self._session.execute(statement.order_by(UserRow.id).limit(limit))]

    async def any_user(self) -> bool:
        return await self._session.scalar(select(UserRow.id).limit(1)) is not None

    async def keys_of(self, user_id: str, *, limit: int, after: str | None = None) -> Slice[ApiKey]:
        """A person's keys, newest first, without those that were revoked. Raises InvalidCursor."""
        statement = select(*_KEY, ApiKeyRow.created_at.label("sort_value"))
        statement = statement.where(ApiKeyRow.user_id == user_id, ApiKeyRow.revoked_at.is_(None))
        page = await self.keyset_page(statement, _KEYS_NEWEST_FIRST, limit=limit, after=after)
        return Slice([api_key(row) for row in page.items], page.cursors, page.has_next)


def api_key(row: Row[Any] | ApiKeyRow) -> ApiKey:
    values = {field.name: getattr(row, field.name) for field in fields(ApiKey)}
    return ApiKey(**{**values, "scopes": tuple(row.scopes)})


def _user(row: Row[Any]) -> User:
    """From a row that begins with the user's columns."""
    return User(*tuple(row)[: len(_USER)])
