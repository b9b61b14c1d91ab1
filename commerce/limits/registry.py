"""Overrides as requests ask for them: in the budget of each process."""

from collections.abc import Sequence
from math import inf

from commerce.limits.entities import Override
from commerce.limits.plans import plans
from commerce.limits.repository import LimitRepository
from commerce.limits.service import LIMITS
from commerce.limits.subjects import subject_named
from core.budget import Budget, Own, points_limit
from core.clock import Clock
from core.database import Database
from core.hub import Hub
from core.looking import Looking

_LOOK_SECONDS = 2.0


class LimitRegistry(Looking):
    """`async with LimitRegistry(...) as registry:` One per process. It looks for changes when it is told of one, and
    every few seconds. While the database is away what it knows goes on, and ends when it was to end.
    """

    def __init__(
        self, budget: Budget, database: Database, clock: Clock, hub: Hub, *, look_seconds: float = _LOOK_SECONDS
    ) -> None:
        super().__init__("rate-limits", hub, LIMITS, look_seconds)
        self._budget = budget
        self._database = database
        self._clock = clock
        self._revision = -1

    async def look(self) -> None:
        """Afterwards this process obeys what was committed before. Raises DatabaseUnavailable."""
        async with self._database.read() as session:
            limits = LimitRepository(session)
            revision = await limits.revision()
            if revision <= self._revision:
                return
            found = await limits.all(self._clock.now())
        if revision > self._revision:  # another look may have been faster
            self._revision = revision
            self._budget.own = self._owned(found)

    def _owned(self, overrides: Sequence[Override]) -> dict[str, Own]:
        points_of = plans(self._budget.limit.amount)
        return {
            subject_named(each.subject).caller: Own(
                points_limit(each.points(points_of)),
                each.terms.expires_at.timestamp() if each.terms.expires_at is not None else inf,
            )
            for each in overrides
        }
