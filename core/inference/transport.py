"""What a model server is sent and may send back, and the failures of its client in our words."""

from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

import httpx2

from core import tracing
from core.upstream.calls import BrokenAnswer, UpstreamFailed, failure_of

MOST_BYTES = 4 * 1024 * 1024  # of one answer: some 300 bytes for each token, and thoughts that are not shown


def credential_of(url: str, key: str | None) -> str | None:
    parts = urlsplit(url)
    if key:
        return f"Bearer {key}"
    if parts.username is None:
        return None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {b64encode(pair.encode()).decode()}"


async def own_headers(credential: str | None, request: httpx2.Request) -> None:
    """What goes out is this and no more: the client adds the organisation and headers that the environment names, and
    tells of the machine.
    """
    given = {name: request.headers[name] for name in ("Host", "Content-Length") if name in request.headers}
    traceparent = tracing.traceparent()
    request.headers = httpx2.Headers(
        given
        | {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        | {"Accept-Encoding": "identity", "User-Agent": "Portico"}
        | ({} if credential is None else {"Authorization": credential})
        | ({} if traceparent is None else {"traceparent": traceparent})
    )


async def bound(response: httpx2.Response) -> None:
    assert isinstance(response.stream, httpx2.AsyncByteStream)  # noqa: S101  of an asynchronous client
    response.stream = _Bounded(response.stream)


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream
        self._left = MOST_BYTES

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            self._left -= len(part)
            if self._left < 0:
                raise BrokenAnswer(f"more than {MOST_BYTES} bytes")
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


@contextmanager
def translated() -> Iterator[None]:
    """What the client raises, in our words: its own quote what was sent and what came."""
    import openai  # noqa: PLC0415

    try:
        yield
    except openai.APIStatusError as error:
        raise _refused(error.response) from None
    except (TimeoutError, openai.APITimeoutError):
        raise UpstreamFailed("timeout", "it was silent for too long, or not done in time") from None
    except openai.APIConnectionError as error:
        raise UpstreamFailed("failed", type(error.__cause__).__name__, repeatable=True) from None
    except BrokenAnswer as broken:
        raise UpstreamFailed("broken", str(broken)) from None
    except openai.APIError:
        raise UpstreamFailed("failed", "it sent an error in place of a chunk", repeatable=True) from None
    except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
        raise UpstreamFailed("failed", type(error).__name__, repeatable=True) from None
    except (ValueError, RecursionError, openai.OpenAIError) as error:
        raise UpstreamFailed("broken", f"what cannot be read: {type(error).__name__}") from None


def _refused(response: httpx2.Response) -> UpstreamFailed:
    """With when it may be asked again, where it says so in seconds."""
    failure = failure_of(response.status_code)
    told = response.headers.get("retry-after", "")
    if failure.outcome == "failed" and told.isdecimal() and len(told) < 6:  # noqa: PLR2004  a day is five digits
        return UpstreamFailed("failed", failure.reason, repeatable=True, after_seconds=float(told))
    return failure
