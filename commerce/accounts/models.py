"""Tables of accounts."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base, PlainOrder


class UserRow(Base):
    """A deleted user keeps the row, which orders and the audit log refer to, without a word of who it was."""

    __tablename__ = "users"
    __table_args__ = (Index("ix_users_created", "created_at", "id"),)

    id: Mapped[str] = mapped_column(PlainOrder, primary_key=True)
    email: Mapped[str] = mapped_column(String, unique=True)  # lower case
    name: Mapped[str] = mapped_column(String)
    password_hash: Mapped[str] = mapped_column(String)
    role: Mapped[str] = mapped_column(String)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]


class SignInRow(Base):
    """One sign-in at one door: the family of its refresh tokens. Revoked, none of its tokens opens anything."""

    __tablename__ = "sign_ins"

    id: Mapped[str] = mapped_column(String, primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    audience: Mapped[str] = mapped_column(String)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    revoked_at: Mapped[datetime | None]


class RefreshTokenRow(Base):
    """Good once. A token that was used and comes again was stolen from one of two: its family is revoked."""

    __tablename__ = "refresh_tokens"

    secret_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    sign_in_id: Mapped[str] = mapped_column(ForeignKey("sign_ins.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class TicketRow(Base):
    """Stands for the credential that asked for it, where no header can be sent. Only a hash of it is here."""

    __tablename__ = "tickets"

    secret_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    use: Mapped[str] = mapped_column(String)
    # The one or the other; of a key also which of its secrets.
    sign_in_id: Mapped[str | None] = mapped_column(ForeignKey("sign_ins.id", ondelete="CASCADE"), index=True)
    key_id: Mapped[str | None] = mapped_column(ForeignKey("api_keys.id", ondelete="CASCADE"), index=True)
    key_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    # Of the access token that asked for it.
    token_expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    uses: Mapped[int]


class ApiKeyRow(Base):
    """A key's secret is not here, only its SHA-256: the secret has 190 bits, so that no slow hash is needed."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String, primary_key=True)
    # None: the shop's own, made on the command line.
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    # While a rotation overlaps, the secret before is good too.
    previous_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_expires_at: Mapped[datetime | None]
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
