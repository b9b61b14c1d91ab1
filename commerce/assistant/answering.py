"""One answer: the model is asked, its tools are called, and what it says goes through the guard onto the tape."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from commerce.accounts.principal import Principal
from commerce.assistant.cards import Known, read_known
from commerce.assistant.commands import Ask
from commerce.assistant.entities import Corrections
from commerce.assistant.facts import Facts, kinds_in
from commerce.assistant.guard import Guard
from commerce.assistant.prompt import conversation
from commerce.assistant.retrieval import Nearest
from commerce.assistant.spending import Meter, tokens_of
from commerce.assistant.tape import Tape
from commerce.assistant.tools import SEARCH, Toolbox, ToolRefused
from commerce.assistant.understanding import search_of
from commerce.catalog.repository import ProductRepository
from core.database import Database
from core.inference.chat import (
    AssistantMessage,
    Began,
    ChatModel,
    Ended,
    FinishReason,
    Message,
    ModelMalformed,
    Text,
    Tool,
    ToolCall,
    ToolMessage,
)

_MOST_ROUNDS = 4  # of tools: more is a model that goes in circles
_MOST_CALLS = 4  # in one round
_MOST_REFUSED = 3  # in all: then it has to do without tools
_PREFETCHED = "search"
_BUILT_IN = "builtin"  # looks up by itself


class Answering:
    """Per run."""

    def __init__(
        self, model: ChatModel, database: Database, principal: Principal, currency: str, ask: Ask, nearest: Nearest
    ) -> None:
        self._model = model
        self._database = database
        self._principal = principal
        self._ask = ask
        asked = "\n".join(each.content for each in ask.messages if each.role == "user")
        self._facts = Facts(currency, asked)
        self._toolbox = Toolbox(database, principal, self._facts, nearest)
        self._guard = Guard(self._facts, self._read)
        self._refused = 0

    @property
    def corrections(self) -> Corrections:
        return self._guard.corrections

    async def give(self, tape: Tape, meter: Meter, *, deadline: float) -> FinishReason:
        """Raises ModelFailed, QuotaExceeded, DatabaseUnavailable. What was said until then is on the tape."""
        await self._learn_kinds()
        messages = conversation(self._ask, self._toolbox, self._facts.currency, await self._found())
        declared, said = self._toolbox.declared, ""
        for number in range(_MOST_ROUNDS + 1):
            tools = declared if number < _MOST_ROUNDS and self._refused < _MOST_REFUSED else []
            await meter.read(tokens_of(messages, tools))
            text, calls, reason = await self._round(messages, tools, tape, meter, deadline)
            said += text
            if not calls or not tools:
                break
            messages.append(AssistantMessage(text, tuple(calls)))
            messages += [await self._answered(call, place) for place, call in enumerate(calls)]
        for each in await self._guard.finish():
            tape.say(each)
        if not said.strip():
            raise ModelMalformed("the model said nothing")
        return "stop" if reason == "tool_calls" else reason

    async def _round(
        self, messages: Sequence[Message], tools: Sequence[Tool], tape: Tape, meter: Meter, deadline: float
    ) -> tuple[str, list[ToolCall], FinishReason]:
        said, calls = "", list[ToolCall]()
        ended: FinishReason | None = None
        pieces: AsyncGenerator[object, None] = self._model.stream(messages, tools, deadline=deadline)
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    match piece:
                        case Began(provenance):
                            tape.began(provenance)
                        case Text(text):
                            said += text
                            await meter.write(text)
                            for each in await self._guard.feed(text):
                                tape.say(each)
                        case ToolCall():
                            calls.append(piece)
                        case Ended(reason, usage):
                            await meter.settle(usage)
                            ended = reason
        except BaseException:
            meter.count()
            raise
        if ended is None:
            raise ModelMalformed("the model's answer has no end")
        return said, calls, ended

    async def _answered(self, call: ToolCall, place: int) -> ToolMessage:
        """A call that cannot be carried out is told to the model, which may do better."""
        try:
            if place >= _MOST_CALLS:
                raise ToolRefused(f"only {_MOST_CALLS} calls are taken at a time")
            return ToolMessage(call.id, await self._toolbox.call(call))
        except ToolRefused as refused:
            self._refused += 1
            return ToolMessage(call.id, f"error: {refused}")

    async def _found(self) -> str | None:
        """Of the shop's own search, for a model that may not know how to call a tool."""
        if self._model.provenance.model == _BUILT_IN:
            return None
        arguments = search_of([each.content for each in self._ask.messages if each.role == "user"])
        if arguments is None:
            return None
        return await self._toolbox.call(ToolCall(_PREFETCHED, SEARCH, "", arguments))

    async def _learn_kinds(self) -> None:
        async with self._database.read() as session:
            categories = await ProductRepository(session).categories(("name",))
        self._facts.kinds.update(kind for each in categories for kind in kinds_in(each.name))

    async def _read(self, ids: Sequence[str]) -> dict[str, Known]:
        async with self._database.read() as session:
            return await read_known(session, ids, self._principal)
