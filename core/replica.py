"""A copy of the database that follows it, for reports: whether it is there, and near enough."""

import asyncio

import structlog
from prometheus_client import Counter
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

log = structlog.get_logger("portico.replica")
LAG_SECONDS = 30.0  # more, and the primary is read
_ASK_SECONDS = 2.0  # for its answer
_ASKED = Counter("portico_replica_reads_total", "Reports, by why they read the replica or not.", ("outcome",))
# 0 for what is no standby: somebody else keeps it. A standby that streams and has replayed all that it got is as new as
# the primary, however long nothing was written; one that does not stream is as old as what it last replayed.
_LAG = text(
    "SELECT CASE WHEN NOT pg_is_in_recovery() THEN 0"
    " WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() AND EXISTS (SELECT FROM pg_stat_wal_receiver) THEN 0"
    " ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8 END"
)


class Replica:
    """Per process."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._left_out = ""  # why, the last time

    async def keeps_up(self) -> bool:
        """Never raises. Why it is left out is logged once, until that changes."""
        outcome, reason = await self.look()
        _ASKED.labels(outcome).inc()
        if outcome != self._left_out:
            self._left_out = outcome
            if reason:
                log.warning("replica_left_out", outcome=outcome, reason=reason)
        return not reason

    async def look(self) -> tuple[str, str]:
        """`replica`, or `away` or `behind` and why. Never raises."""
        try:
            async with asyncio.timeout(_ASK_SECONDS), self.engine.connect() as connection:
                lag = await connection.scalar(_LAG)
        except (SQLAlchemyError, OSError) as error:
            return "away", f"{type(error).__name__}: {error}"
        if lag is None or lag > LAG_SECONDS:
            return "behind", f"it is {lag} seconds behind, and {LAG_SECONDS:.0f} are allowed"
        return "replica", ""
