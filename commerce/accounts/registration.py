"""Registering from a door: counted by address, the password hashed before any transaction begins."""

from collections.abc import Awaitable, Callable

from commerce.accounts.commands import RegisterUser
from commerce.accounts.entities import User
from commerce.accounts.passwords import PASSWORDS, Passwords, random_password
from commerce.accounts.principal import Role
from commerce.accounts.repository import AccountRepository
from commerce.accounts.service import AccountService
from commerce.accounts.throttling import admit_registration
from commerce.audit.log import SYSTEM
from core.clock import Clock
from core.database import Database, WriteSession
from core.resources import Resources

FIRST_ADMIN = "admin@example.com"


async def registration(
    command: RegisterUser, resources: Resources, *, actor: str, address: str, passwords: Passwords = PASSWORDS
) -> Callable[[WriteSession], Awaitable[User]]:
    """The action that registers a customer, for `Idempotency.run` with `secret` and `owner_of_key`. Raises RateLimited,
    LimitsUnavailable; the action raises EmailTaken.
    """
    await admit_registration(resources.limiter, address)
    password_hash = await passwords.hash(command.password)

    async def register(session: WriteSession) -> User:
        return await AccountService(session, resources.clock, actor=actor).register(
            command, password_hash=password_hash, welcome_by=resources.jobs
        )

    return register


def owner_of_key(command: RegisterUser) -> str:
    """Whose the idempotency key of a registration is: two strangers' keys have nothing to do with each other."""
    return f"register:{command.email}"


async def add_user(database: Database, clock: Clock, command: RegisterUser, role: Role, *, actor: str) -> User:
    """Registers somebody with a role, in a transaction of its own. Raises EmailTaken."""
    password_hash = await PASSWORDS.hash(command.password)
    async with database.write() as session:
        return await AccountService(session, clock, actor=actor).register(command, role, password_hash=password_hash)


async def first_admin(database: Database, clock: Clock) -> str | None:
    """Makes FIRST_ADMIN where there is nobody yet, and returns the password; None where there is somebody."""
    async with database.read() as session:
        if await AccountRepository(session).any_user():
            return None
    password = random_password()
    await add_user(database, clock, RegisterUser(FIRST_ADMIN, password, "Admin"), "admin", actor=SYSTEM)
    return password
