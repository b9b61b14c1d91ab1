"""The tables of support chat."""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base, PlainOrder


class RoomRow(Base):
    """A room is known by its name. Whoever writes in it, or makes it somebody's, holds its lock."""

    __tablename__ = "support_rooms"
    __table_args__ = (
        Index("ix_support_rooms_active", "active_at", "name"),
        Index("ix_support_rooms_owner", "owner_id", "active_at", "name"),
    )

    name: Mapped[str] = mapped_column(PlainOrder, primary_key=True)
    owner_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))  # None: no customer has come yet
    created_at: Mapped[datetime]
    active_at: Mapped[datetime]  # of the last message that is for all in it


class MemberRow(Base):
    """Who is or was in a room: whom a message there may be for."""

    __tablename__ = "support_members"

    room: Mapped[str] = mapped_column(ForeignKey("support_rooms.name"), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)


class MessageRow(Base):
    """Never changed, but that the name of an author whose account is deleted is taken out."""

    __tablename__ = "support_messages"
    __table_args__ = (Index("ix_support_messages_room", "room", "position"),)

    id: Mapped[str] = mapped_column(PlainOrder, primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, unique=True)  # of its event in the log, which forgets it sooner
    room: Mapped[str] = mapped_column(ForeignKey("support_rooms.name"))
    author_id: Mapped[str] = mapped_column(String, index=True)  # `Principal.owner`
    author_name: Mapped[str] = mapped_column(String)
    author_is_staff: Mapped[bool] = mapped_column(Boolean)
    recipient_id: Mapped[str | None] = mapped_column(String)  # a user; None: all in the room
    text: Mapped[str] = mapped_column(String)
    created_at: Mapped[datetime]


class PresenceRow(Base):
    """An open connection. The process that has it renews it; one that is not renewed is of a process that died."""

    __tablename__ = "support_presence"

    id: Mapped[str] = mapped_column(String, primary_key=True)
    process: Mapped[str] = mapped_column(String, index=True)
    room: Mapped[str] = mapped_column(String, index=True)
    person_id: Mapped[str] = mapped_column(String)  # `Principal.owner`
    name: Mapped[str] = mapped_column(String)
    is_staff: Mapped[bool] = mapped_column(Boolean)
    since: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(index=True)
