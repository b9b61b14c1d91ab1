"""Whether what this process depends on answers."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from core.errors import AppError


@dataclass(frozen=True, slots=True)
class Check:
    """`detail` is fit for operators; outsiders are shown `name` and `ok` alone."""

    name: str
    ok: bool
    milliseconds: float
    detail: str = ""


class Health:
    """Per process. A probe raises AppError when its dependency is away."""

    def __init__(self, probes: Mapping[str, Callable[[], Awaitable[None]]]) -> None:
        self._probes = probes

    async def check(self) -> list[Check]:
        return [await self._run(name, probe) for name, probe in self._probes.items()]

    async def _run(self, name: str, probe: Callable[[], Awaitable[None]]) -> Check:
        started = time.perf_counter()
        detail = ""
        try:
            await probe()
        except AppError as error:
            detail = f"{error.detail}: {error.__cause__}" if error.__cause__ else error.detail
        return Check(name, not detail, round((time.perf_counter() - started) * 1000, 2), detail)
