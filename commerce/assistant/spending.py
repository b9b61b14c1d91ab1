"""What a run costs: tokens, in points of the caller's budget."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from commerce.assistant.endings import Spent
from core.budget import Budget, QuotaExceeded
from core.inference.chat import AssistantMessage, Message, Tool, Usage

POINTS_PER_TOKEN = 1
_CHARACTERS_PER_TOKEN = 4  # of English; the model's own count is settled in the end
_AT_ONCE = 64  # tokens of an answer that are paid for together: a look at the budget may be one at Redis


def tokens_in(text: str) -> int:
    return -(-len(text) // _CHARACTERS_PER_TOKEN)


def tokens_of(messages: Sequence[Message], tools: Sequence[Tool]) -> int:
    text = sum(tokens_in(each.text) for each in messages)
    calls = (call for each in messages if isinstance(each, AssistantMessage) for call in each.calls)
    declared = (json.dumps(asdict(tool)) for tool in tools)
    return text + sum(tokens_in(call.arguments_json) for call in calls) + sum(map(tokens_in, declared))


class Meter:
    """Per run. Pays before the model reads, and while it writes. `caller` is who pays."""

    def __init__(self, budget: Budget, caller: str) -> None:
        self._budget = budget
        self._caller = caller
        self._prepaid = 0
        self._unpaid = 0
        self._round = Spent()  # of the answer that is being given, as estimated
        self.spent = Spent()

    async def prepay(self, tokens: int) -> None:
        """What the first prompt is at least. Raises QuotaExceeded."""
        await self._pay(tokens)
        self._prepaid = tokens

    async def read(self, tokens: int) -> None:
        """A prompt, before it is sent. Raises QuotaExceeded."""
        await self._pay(max(0, tokens - self._prepaid))
        self._prepaid = 0
        self._round = Spent(tokens, 0)

    async def write(self, text: str) -> None:
        """Some of the answer. Raises QuotaExceeded."""
        tokens = tokens_in(text)
        self._round = Spent(self._round.prompt, self._round.completion + tokens)
        self._unpaid += tokens
        if self._unpaid >= _AT_ONCE:
            due, self._unpaid = self._unpaid, 0
            await self._pay(due)

    async def settle(self, usage: Usage) -> None:
        """The answer is whole, and the model has counted. What it cost more is taken if it is there."""
        used = Spent(usage.prompt or self._round.prompt, usage.completion)
        more = used.prompt - self._round.prompt + used.completion - self._round.completion + self._unpaid
        self.count(used)
        if more > 0:
            await self._budget.spend(self._caller, more * POINTS_PER_TOKEN)

    def count(self, used: Spent | None = None) -> None:
        """An answer is over; without `used` it broke off, and the estimate counts."""
        used = used or self._round
        self.spent = Spent(self.spent.prompt + used.prompt, self.spent.completion + used.completion)
        self._round, self._unpaid = Spent(), 0

    async def _pay(self, tokens: int) -> None:
        points = tokens * POINTS_PER_TOKEN
        verdict = await self._budget.spend(self._caller, points)
        if not verdict.allowed:
            raise QuotaExceeded(points, verdict)
