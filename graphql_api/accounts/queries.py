"""What can be asked of accounts."""

import strawberry

from commerce.accounts.repository import AccountRepository
from graphql_api.accounts.types import User, user_type
from graphql_api.context import Info
from graphql_api.fields import field


@strawberry.type
class AccountQuery:
    @field("The person who has signed in; null: nobody has. An API key is nobody.")
    async def me(self, info: Info) -> User | None:
        principal = info.context.principal
        if principal.kind != "user":
            return None
        async with info.context.resources.database.read() as session:
            found = await AccountRepository(session).user(str(principal.user_id))
        return user_type(found) if found else None
