"""A chat model behind any server that speaks OpenAI's chat completions, through their own client."""

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2

from core import tracing
from core.inference.chat import (
    MOST_TOKENS,
    Began,
    Ended,
    Message,
    ModelFailed,
    ModelMalformed,
    ModelRejected,
    ModelTimeout,
    ModelUnavailable,
    Piece,
    Tool,
)
from core.inference.chat_metrics import FIRST_PIECE_SECONDS, TOKENS
from core.inference.completions import ChunkReader, body_of, models_in
from core.inference.provenance import Provenance
from core.inference.relay import relayed
from core.inference.transport import bound, credential_of, own_headers, translated
from core.settings import MODEL_SERVER
from core.threads import in_thread
from core.upstream.calls import BrokenAnswer, Outcome, UpstreamFailed
from core.upstream.kept import Kept

if TYPE_CHECKING:
    from openai import AsyncOpenAI

SILENCE_SECONDS = 20.0  # a large model on a busy server thinks that long before its first word
_CONNECT_SECONDS = 2.0
_AFTERTHOUGHT_SECONDS = 2.0  # for the count of tokens, which comes behind a whole answer
_ERRORS: dict[Outcome, type[ModelFailed]] = {
    "timeout": ModelTimeout,
    "refused": ModelRejected,
    "broken": ModelMalformed,
}


@dataclass(frozen=True, slots=True)
class Server:
    """`url` may hold a user and a password. `model`: None for the only one that the server has."""

    url: str = field(repr=False)
    key: str | None = field(default=None, repr=False)
    model: str | None = None


class OpenAIChat:
    """Per process. The first piece must come within half of the time that a question has, or `silence_seconds` where
    that is less: what is left is for somebody else to answer. One retry, before it.
    """

    def __init__(
        self,
        server: Server,
        http: httpx2.AsyncClient,
        *,
        silence_seconds: float = SILENCE_SECONDS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`http` becomes its own: it sets the headers and the bounds of all that is sent by it."""
        parts = urlsplit(server.url)
        self._host = parts.hostname or ""
        self._url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        self._model = server.model
        self._http = http
        self._silence = silence_seconds
        self._kept = Kept(MODEL_SERVER, now=now)
        self._opening = asyncio.Lock()
        self._client: AsyncOpenAI | None = None
        http.event_hooks = {
            "request": [partial(own_headers, credential_of(server.url, server.key))],
            "response": [bound],
        }

    @property
    def provenance(self) -> Provenance:
        """Of an unknown file: the hash is of where it is and what it is called."""
        model = self._model or "default"
        named = hashlib.sha256(f"{self._url} {model}".encode()).hexdigest()
        return Provenance(model, model, f"sha256:{named}")

    async def stream(
        self, messages: Sequence[Message], tools: Sequence[Tool], *, deadline: float, most_tokens: int = MOST_TOKENS
    ) -> AsyncGenerator[Piece, None]:
        # The newer name is refused by many servers, and the older one by some models of those who made both.
        limit = "max_completion_tokens" if f".{self._host}".endswith(".openai.com") else "max_tokens"
        body = body_of(messages, tools) | {limit: most_tokens}
        async with aclosing(relayed(partial(self._answer, messages, body, deadline))) as pieces:
            try:
                async for piece in pieces:
                    yield piece
            except UpstreamFailed as failure:
                raise _error(failure) from failure

    async def check(self) -> str:
        """What there is to say of the server, for operators; asks for its models alone. Raises ModelFailed."""
        until = asyncio.get_running_loop().time() + self._silence
        try:
            client = await self._connected(until)
            with translated():
                async with asyncio.timeout_at(until):
                    found = await _models(client)
        except UpstreamFailed as failure:
            raise _error(failure) from failure
        wanted = self._model or (found[0] if len(found) == 1 else None)
        if wanted not in found:
            told = f"there is no {wanted}" if wanted else "PORTICO_LLM_MODEL is to name one"
            raise ModelRejected(f"{told}; its models are {', '.join(found[:10]) or 'none'}")
        return f"{self._host} runs {wanted}"

    async def _answer(
        self, messages: Sequence[Message], body: dict[str, Any], deadline: float, put: Callable[[Piece], None]
    ) -> None:
        began = asyncio.get_running_loop().time()
        out = _Out(put, began, deadline, first_by=began + min(self._silence, (deadline - began) / 2))
        client = await self._connected(out.first_by)
        await self._kept.ask(
            lambda: self._once(client, messages, body, out), until=out.first_by, repeatable=lambda: not out.given
        )

    async def _once(
        self, client: "AsyncOpenAI", messages: Sequence[Message], body: dict[str, Any], out: "_Out"
    ) -> None:
        reader = ChunkReader()
        told = {"server__address": self._host, "portico__upstream": MODEL_SERVER, "gen_ai__operation__name": "chat"}
        with tracing.part("chat", "client", **told) as span:
            try:
                await self._read(client, reader, body, out)
            except UpstreamFailed as failure:
                if reader.reason is None:
                    span.fail(failure.outcome)
                    raise
            reason = reader.reason
            if reason is None:
                span.fail("broken")
                raise UpstreamFailed("broken", "it ended before the answer did", repeatable=True)
            usage = reader.usage(messages)
            span.tell(
                gen_ai__request__model=self.provenance.model,
                gen_ai__usage__input_tokens=usage.prompt,
                gen_ai__usage__output_tokens=usage.completion,
            )
        TOKENS.labels("prompt").inc(usage.prompt)
        TOKENS.labels("completion").inc(usage.completion)
        out.give(Ended(reason, usage), self._running(reader))

    async def _read(self, client: "AsyncOpenAI", reader: ChunkReader, body: dict[str, Any], out: "_Out") -> None:
        loop = asyncio.get_running_loop()
        with translated():
            async with asyncio.timeout_at(out.first_by) as limit:
                model = await self._named(client)
                async with aclosing(self._chunks(client, body | {"model": model})) as chunks:
                    async for chunk in chunks:
                        for piece in reader.read(chunk):
                            out.give(piece, self._running(reader))
                        if reader.reason is not None:
                            limit.reschedule(min(out.deadline, loop.time() + _AFTERTHOUGHT_SECONDS))
                        elif out.given:
                            limit.reschedule(out.deadline)

    async def _chunks(self, client: "AsyncOpenAI", body: dict[str, Any]) -> AsyncGenerator[object, None]:
        stream = await client.chat.completions.create(**body, stream=True, stream_options={"include_usage": True})
        try:
            kind = stream.response.headers.get("content-type", "")
            if not kind.lower().startswith("text/event-stream"):
                raise BrokenAnswer("no event stream")
            async for chunk in stream:
                yield chunk.to_dict(warnings=False) if hasattr(chunk, "to_dict") else chunk
        finally:
            await stream.close()

    async def _connected(self, until: float) -> "AsyncOpenAI":
        try:
            async with asyncio.timeout_at(until), self._opening:
                if self._client is None:
                    self._client = await in_thread(_client_of, self._url, self._http, self._silence)
                return self._client
        except TimeoutError:
            raise UpstreamFailed("timeout", "its client was not loaded in time") from None

    async def _named(self, client: "AsyncOpenAI") -> str:
        if self._model is None:
            found = await _models(client)
            if len(found) != 1:
                raise UpstreamFailed("refused", f"it has {len(found)} models, and PORTICO_LLM_MODEL names none")
            self._model = found[0]
        return self._model

    def _running(self, reader: ChunkReader) -> Provenance:
        return replace(self.provenance, version=reader.model or self.provenance.version)


@dataclass(slots=True)
class _Out:
    """The way of one answer to who asked. Times are of the loop."""

    put: Callable[[Piece], None]
    began: float
    deadline: float
    first_by: float
    given: bool = False

    def give(self, piece: Piece, provenance: Provenance) -> None:
        if not self.given:
            self.given = True
            FIRST_PIECE_SECONDS.observe(asyncio.get_running_loop().time() - self.began)
            self.put(Began(provenance))
        self.put(piece)


def _client_of(url: str, http: httpx2.AsyncClient, silence_seconds: float) -> "AsyncOpenAI":
    """In a thread: to load it takes half a second. It is told no key, for it would read the environment's others."""
    from openai import AsyncOpenAI  # noqa: PLC0415

    logging.getLogger("openai").setLevel(logging.WARNING)  # whatever OPENAI_LOG says
    timeout = httpx2.Timeout(silence_seconds, connect=_CONNECT_SECONDS)
    client = AsyncOpenAI(api_key="in the header", base_url=url, http_client=http, max_retries=0, timeout=timeout)
    client.chat.completions  # noqa: B018  what is behind these names is loaded when they are first looked at
    return client


async def _models(client: "AsyncOpenAI") -> list[str]:
    return models_in(await client.get("/models", cast_to=object))


def _error(failure: UpstreamFailed) -> ModelFailed:
    after = failure.after_seconds
    return _ERRORS.get(failure.outcome, ModelUnavailable)(retry_after_seconds=None if after is None else ceil(after))
