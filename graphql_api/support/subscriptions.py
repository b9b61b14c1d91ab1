"""What is said in support rooms, as it is said."""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from commerce.support.access import require_chat
from commerce.support.events import room_filter
from commerce.support.repository import SupportRepository
from graphql_api.context import Info
from graphql_api.fields import subscription
from graphql_api.support.types import SupportMessage, message_type
from graphql_api.updates import Cursor, updates


@strawberry.type
class SupportSubscription:
    @subscription(
        "What is said in a support room that you may enter, as far as it is for you. For people who have signed in, "
        "and keys with `support:write`."
    )
    async def support_messages(
        self,
        info: Info,
        room: Annotated[str, strawberry.argument(description="The room's name.")],
        after: Cursor = None,
    ) -> AsyncGenerator[SupportMessage, None]:
        principal = info.context.principal
        require_chat(principal)
        async with info.context.resources.database.read() as session:
            await SupportRepository(session).require_room(room, principal)
        return await updates(info, room_filter(room, principal), after, message_type)
