"""A question under an Idempotency-Key: asked once, and once more where the answer failed and may do better."""

from collections.abc import Awaitable, Callable

from commerce.assistant.commands import Ask
from commerce.assistant.entities import RUN_ID
from commerce.assistant.repository import RunRepository
from core.database import WriteSession
from core.errors import error_classes
from core.idempotency import Answer, OnceKey
from core.resources import Resources

_MOST = 20  # tries under one key; the last is what it answers from then on


async def tried(
    resources: Resources, key: OnceKey | None, create: Callable[[WriteSession], Awaitable[str]], ask: Ask
) -> Answer[str]:
    """The id of the run that `create` makes, or that was made under the key before. As with a 5xx, which no key keeps,
    a run that failed and may be retried is followed by another: its key is the first one and the id of what failed, so
    that two who retry at once get the same.
    """
    tried_key = key
    for _ in range(_MOST):
        answer = await resources.idempotency.run(tried_key, ask, create, RUN_ID)
        if not answer.replayed or key is None or not await _may_do_better(resources, answer.value):
            break
        tried_key = OnceKey(key.principal, f"{key.key} {answer.value}")  # a key of a client has no blank
    return answer


async def _may_do_better(resources: Resources, run_id: str) -> bool:
    async with resources.database.read() as session:
        run = await RunRepository(session).find(run_id)
    if run is None or run.state != "error" or run.error_code is None:
        return False
    return error_classes()[run.error_code].retryable
