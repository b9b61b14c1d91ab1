"""Messages of a request that were taken before the application was reached."""

from collections.abc import Sequence

from starlette.types import Message, Receive


def replaying(taken: Sequence[Message], receive: Receive) -> Receive:
    """Gives them again, and then what comes."""
    left = iter(taken)

    async def again() -> Message:
        message = next(left, None)
        return message if message is not None else await receive()

    return again
