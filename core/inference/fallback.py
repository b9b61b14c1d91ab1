"""A simpler model that answers where another fails."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

import structlog

from core.inference.chat import MOST_TOKENS, Began, ChatModel, Message, ModelFailed, Piece, Tool
from core.inference.chat_metrics import FALLBACKS
from core.inference.provenance import Provenance

log = structlog.get_logger("portico.inference")


class FallbackChat:
    """Asks the first, and the second where the first fails before its first piece; `Began` then says why, by the code
    of the failure. What fails later stays failed: two models do not share a sentence, and what was said cannot be
    taken back.
    """

    def __init__(self, first: ChatModel, second: ChatModel) -> None:
        self._first = first
        self._second = second

    @property
    def provenance(self) -> Provenance:
        return self._first.provenance

    async def stream(
        self, messages: Sequence[Message], tools: Sequence[Tool], *, deadline: float, most_tokens: int = MOST_TOKENS
    ) -> AsyncGenerator[Piece, None]:
        began = False
        try:
            async with aclosing(
                self._first.stream(messages, tools, deadline=deadline, most_tokens=most_tokens)
            ) as pieces:
                async for piece in pieces:
                    began = True
                    yield piece
                return
        except ModelFailed as failure:
            if began:
                raise
            reason = failure.code
        FALLBACKS.labels(reason).inc()
        log.warning("model_fallback", model=self._first.provenance.model, reason=reason)
        async with aclosing(self._second.stream(messages, tools, deadline=deadline, most_tokens=most_tokens)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Began):
                    yield Began(replace(piece.provenance, fallback_reason=reason))
                else:
                    yield piece
