"""Keeps receipts in memory, so that no request waits for them, and writes them down every two seconds
(docs/adr/0024).
"""

import asyncio
from datetime import timedelta

from prometheus_client import Counter

from commerce.receipts.entities import Receipt
from commerce.receipts.repository import add_receipts
from core.clock import Clock
from core.context import Notes, RequestContext
from core.database import Database
from core.recording import Recording

SLOW_SECONDS = 0.5  # until an answer begins
URGENT = 10  # times as many receipts of failed and slow requests as of others
_FAILED = 500
_FLUSH_SECONDS = 2.0
_NOTHING = Notes()
_DROPPED = Counter(
    "portico_receipts_dropped_total",
    "Requests without a receipt, because the process had made as many as it may; `urgent` are failed and slow ones.",
    ("kind",),
)


class ReceiptRecorder(Recording):
    """`async with ReceiptRecorder(...) as receipts:` One per process. It keeps `per_second` receipts, and of failed and
    slow requests URGENT times as many; the first of each two seconds, and while the database is away no more than
    those. A process that is killed loses what it has not written.
    """

    def __init__(
        self, database: Database, clock: Clock, per_second: int, *, flush_seconds: float = _FLUSH_SECONDS
    ) -> None:
        super().__init__("receipts", flush_seconds)
        self._database = database
        self._clock = clock
        self._allowance = round(per_second * flush_seconds)
        self._pending: list[Receipt] = []
        self._writing = asyncio.Lock()
        self._dropped = {"ordinary": 0, "urgent": 0}
        self._refill()

    def record(
        self,
        context: RequestContext,
        *,
        audience: str,
        method: str,
        route: str,
        status: int,
        answered: float,
        total: float,
        cached: bool = False,
    ) -> None:
        """Of a request that is over, or a handshake. `cached`: the answer was kept, and nobody noted anything."""
        kind = "urgent" if status >= _FAILED or answered >= SLOW_SECONDS else "ordinary"
        if not self._left[kind]:
            self._dropped[kind] += 1
            return
        self._left[kind] -= 1
        notes = context.notes or _NOTHING
        self._pending.append(
            Receipt(
                request_id=context.request_id,
                trace_id=context.trace_id,
                at=self._clock.now() - timedelta(seconds=total),
                audience=audience,
                method=method,
                route=route,
                status=status,
                error_code=context.error_code,
                principal=notes.facts.get("principal"),
                cache="hit" if cached else notes.facts.get("cache"),
                answered=answered,
                total=total,
                parts={part: (int(count), seconds) for part, (count, seconds) in notes.parts.items()},
            )
        )

    async def flush(self) -> None:
        """Writes down what there is; when it returns, all that was recorded before is written. Raises
        DatabaseUnavailable, and then has it still.
        """
        async with self._writing:
            self._tell_dropped()
            taken = tuple(self._pending)
            if taken:
                async with self._database.write() as session:
                    await add_receipts(session, taken)
                del self._pending[: len(taken)]

    async def _turn(self) -> float:
        rests = await super()._turn()
        self._refill()
        return rests

    def _refill(self) -> None:
        self._left = {"ordinary": self._allowance, "urgent": URGENT * self._allowance}

    def _tell_dropped(self) -> None:
        for kind, number in self._dropped.items():
            if number:
                _DROPPED.labels(kind).inc(number)
                self._dropped[kind] = 0
