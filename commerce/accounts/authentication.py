"""From a credential to a principal, the same on every door that takes API keys."""

from datetime import datetime

from commerce.accounts.api_keys import authenticate, looks_like_key
from commerce.accounts.principal import ANONYMOUS, Principal
from core.database import Database
from core.errors import Unauthenticated


async def principal_for(token: str | None, database: Database, now: datetime) -> Principal:
    """Whose bearer token it is; anonymous without one. Reads in a session of its own.

    Raises Unauthenticated for what is no API key, InvalidApiKey for one that is not good: bad credentials are refused
    also where anonymous callers are welcome.
    """
    if token is None:
        return ANONYMOUS
    if not looks_like_key(token):
        raise Unauthenticated("the bearer token is not an API key of this door")
    async with database.read() as session:
        return await authenticate(session, token, now)
