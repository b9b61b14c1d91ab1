"""Writing in support rooms: the command that REST builds, under the same key."""

from typing import Annotated

import strawberry

from commerce.support import errors
from commerce.support.access import require_chat
from commerce.support.commands import SendMessage
from commerce.support.entities import MESSAGE, Message
from commerce.support.service import SupportService
from core.database import WriteSession
from graphql_api.context import Info
from graphql_api.cost_directives import WRITE
from graphql_api.fields import field
from graphql_api.once import OptionalIdempotencyKey, run_once
from graphql_api.refusals import REFUSALS, Refused, place_in_arguments, told
from graphql_api.support.types import SendSupportMessageResult, UnknownRecipient, sent_type


@strawberry.type
class SupportMutation:
    @field(
        "Writes in a support room. The first message makes the room, which belongs to the customer who comes first. "
        "For people who have signed in, and keys with `support:write`.",
        WRITE,
    )
    async def send_support_message(
        self,
        info: Info,
        room: Annotated[str, strawberry.argument(description="The room's name.")],
        text: Annotated[str, strawberry.argument(description="What is said: 1 to 4,000 characters.")],
        to: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Whom alone it is for, who is or was in the room; null: for all in it."),
        ] = None,
        idempotency_key: OptionalIdempotencyKey = None,
    ) -> SendSupportMessageResult | None:
        resources, principal = info.context.resources, info.context.principal
        require_chat(principal)
        try:
            command = SendMessage(room, text, to)

            async def action(session: WriteSession) -> Message:
                return await SupportService(session, resources.clock, principal=principal).send(command)

            message = await run_once(info, idempotency_key, command, action, MESSAGE)
        except errors.UnknownRecipient as error:
            return UnknownRecipient(**told(error, place_in_arguments))
        except REFUSALS as error:
            return Refused(**told(error, place_in_arguments))
        return sent_type(message)
