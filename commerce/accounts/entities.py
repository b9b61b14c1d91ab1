"""Accounts as the rest of the program sees them. No secret and no hash is in here."""

from dataclasses import dataclass
from datetime import datetime

from commerce.accounts.principal import Role


@dataclass(frozen=True, slots=True)
class User:
    """A person. Deleted ones have no name, and an address that nobody has."""

    id: str
    email: str
    name: str
    role: Role
    created_at: datetime
    updated_at: datetime
    disabled_at: datetime | None
    deleted_at: datetime | None

    @property
    def is_active(self) -> bool:
        return self.disabled_at is None and self.deleted_at is None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """`user_id` None: the shop's own, made on the command line."""

    id: str
    user_id: str | None
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
