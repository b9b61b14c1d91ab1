"""People with an account, signed in at a door: by the product's own way, but for the work of hashing a password, and
the tries, which nobody counts.
"""

from dataclasses import replace

from commerce.accounts.commands import RegisterUser
from commerce.accounts.entities import User
from commerce.accounts.passwords import Passwords
from commerce.accounts.principal import Role
from commerce.accounts.service import AccountService
from commerce.accounts.sign_in import SignIn
from commerce.accounts.tokens import Audience
from core.ids import new_id
from core.ratelimit.memory import MemoryLimiter
from core.resources import Resources

PASSWORD = "correct horse battery"


class PlainHasher:
    """Keeps passwords as they are."""

    def hash(self, password: str | bytes) -> str:
        return password.decode() if isinstance(password, bytes) else password

    def verify_and_update(self, password: str | bytes, stored: str | bytes) -> tuple[bool, str | None]:
        return self.hash(password) == stored, None


async def a_user(resources: Resources, role: Role = "customer", email: str = "") -> User:
    """Registered; only `signed_in` can sign them in."""
    command = RegisterUser(email or f"{new_id(role).replace('_', '-')}@example.com", PASSWORD, role.title())
    async with resources.database.write() as session:
        accounts = AccountService(session, resources.clock, actor="test")
        return await accounts.register(command, role, password_hash=PASSWORD)


async def signed_in(resources: Resources, user: User, audience: Audience = "public") -> dict[str, str]:
    """The headers of a new sign-in of theirs."""
    door = SignIn(replace(resources, limiter=MemoryLimiter()), Passwords(PlainHasher()))
    tokens = await door.sign_in(user.email, PASSWORD, audience=audience, address="127.0.0.1")
    return {"Authorization": f"Bearer {tokens.access_token}"}


async def staff(resources: Resources, role: Role = "admin") -> dict[str, str]:
    """The headers of somebody new who may enter /internal."""
    return await signed_in(resources, await a_user(resources, role), "internal")
