"""The worker's side: limits on itself, then one request after another. Imports nothing but the standard library."""

import os
import resource
import warnings
from collections.abc import Callable

from core.workers import frames

Answer = tuple[frames.Fields, bytes]


class Refused(Exception):
    """What the caller is to be told: a code of its own, and why."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def serve(answer: Callable[[frames.Fields, bytes], Answer], *, memory_bytes: int) -> None:
    """Until the pipe is closed, which it also is when the server dies."""
    source = os.fdopen(os.dup(0), "rb")
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    warnings.simplefilter("ignore")
    _limit(memory_bytes)
    while (request := frames.read(source)) is not None:
        fields, body = _safely(answer, *request)
        del request
        sink.write(frames.encode(fields, body))
        sink.write(body)
        sink.flush()
        del body


def _safely(answer: Callable[[frames.Fields, bytes], Answer], fields: frames.Fields, body: bytes) -> Answer:
    try:
        return answer(fields, body)
    except Refused as refusal:
        return {"refused": refusal.code, "detail": str(refusal)}, b""
    except MemoryError:
        return {"refused": "memory", "detail": "the work needs more memory than a worker may use"}, b""
    except Exception as error:  # noqa: BLE001  the server logs it
        return {"failed": f"{type(error).__name__}: {error}"}, b""


def _limit(memory_bytes: int) -> None:
    os.nice(10)  # requests come first
    for what, limit in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, 0),  # it writes no file
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        most = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(what, (most, most))
