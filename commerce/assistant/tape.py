"""What a run says, on its way to the database: a few words at a time, so that an answer is few transactions."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from pydantic import TypeAdapter

from commerce.assistant import storage
from commerce.assistant.endings import End, NewEvent, Spent
from commerce.assistant.entities import Card
from commerce.assistant.guard import Said
from commerce.assistant.storage import LostRun
from core.clock import Clock
from core.database import Database
from core.errors import Unavailable
from core.inference.provenance import Provenance

_FLUSH_SECONDS = 0.2  # from one transaction to the next: faster than anybody reads, and 50 in ten seconds
_AGAIN_SECONDS = 0.5
_TRIES = 10  # to write the end
_CARD: TypeAdapter[Card] = TypeAdapter(Card)


class Tape:
    """Per run: `async with Tape(...) as tape:`, and `close` inside. `on_lost` is called where the run is not ours any
    more; nothing is written then.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        run_id: str,
        runner: str,
        *,
        spent: Callable[[], Spent],
        on_lost: Callable[[], None],
        flush_seconds: float = _FLUSH_SECONDS,
    ) -> None:
        self._database = database
        self._clock = clock
        self._run_id = run_id
        self._runner = runner
        self._spent = spent
        self._on_lost = on_lost
        self._flush_seconds = flush_seconds
        self._pending: list[NewEvent] = []
        self._woken = asyncio.Event()
        self._closing = asyncio.Event()
        self.provenance: Provenance | None = None

    async def __aenter__(self) -> Self:
        self._writing = asyncio.create_task(self._write_on(), name="portico-assistant-tape")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    def began(self, provenance: Provenance) -> None:
        """The last that answers counts: a model that stands in says more than one that failed."""
        self.provenance = provenance

    def say(self, said: Said) -> None:
        if isinstance(said, Card):
            self._pending.append(("card", card_json(said)))
        elif self._pending and self._pending[-1][0] == "token":
            self._pending[-1] = ("token", {"text": self._pending[-1][1]["text"] + said})
        else:
            self._pending.append(("token", {"text": said}))
        self._woken.set()

    async def close(self, end: End) -> None:
        """The rest, and the end, together. Raises DatabaseUnavailable where it stays away: others end the run then."""
        await self._stop()
        for tries in range(1, _TRIES + 1):
            try:
                await self._write(end)
            except LostRun:
                return
            except Unavailable:
                if tries == _TRIES:
                    raise
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                return

    async def _stop(self) -> None:
        """What is being written is written first."""
        self._closing.set()
        self._woken.set()
        await asyncio.wait([self._writing])

    async def _write_on(self) -> None:
        while not self._closing.is_set():
            await self._woken.wait()
            self._woken.clear()
            seconds = self._flush_seconds
            try:
                if self._pending and not self._closing.is_set():
                    await self._write(None)
            except LostRun:
                self._on_lost()
                return
            except Unavailable:
                seconds = _AGAIN_SECONDS
                self._woken.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._closing.wait()

    async def _write(self, end: End | None) -> None:
        taken, self._pending = self._pending, []
        try:
            async with self._database.write() as session:
                await storage.append(
                    session,
                    self._run_id,
                    self._runner,
                    taken,
                    spent=self._spent(),
                    provenance=self.provenance,
                    end=end,
                    now=self._clock.now(),
                )
        except BaseException:
            self._pending = [*taken, *self._pending]
            raise


def card_json(card: Card) -> dict[str, Any]:
    """As every door shows it."""
    found: dict[str, Any] = _CARD.dump_python(card, mode="json")
    lowest, highest, url, alt = (found.pop(name) for name in ("lowest", "highest", "image_url", "image_alt"))
    return {
        **found,
        "price_range": {"min": lowest, "max": highest},
        "image": {"url": url, "alt": alt} if url is not None else None,
    }
