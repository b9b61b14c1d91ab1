"""The circuit breaker of one upstream: who fails too often is left alone for a while (M. Nygard, Release It!).

closed -> open where too many of the last calls failed; open -> half_open after a rest, for one call; then closed again
if that one succeeds, else open.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["closed", "half_open", "open"]


@dataclass(frozen=True, slots=True)
class Rules:
    """Opens where at least `least` calls ended within the window and this share of them failed."""

    window_seconds: float = 30.0
    least: int = 5
    failing: float = 0.5
    rest_seconds: float = 10.0
    most_seen: int = 200


@dataclass(frozen=True, slots=True)
class Permit:
    """For one call. What it ends with counts only while the breaker is in the state in which it was given."""

    turn: int


class Breaker:
    """Per process and upstream. `now` is in seconds and never goes back."""

    def __init__(
        self,
        now: Callable[[], float],
        rules: Rules = Rules(),
        *,
        changed: Callable[[State], None] = lambda _state: None,
    ) -> None:
        self.state: State = "closed"
        self._now = now
        self._rules = rules
        self._changed = changed
        self._turn = 0
        self._rests_until = 0.0
        self._seen: deque[tuple[float, bool]] = deque(maxlen=rules.most_seen)  # when it ended, and whether it failed

    def admit(self) -> Permit | None:
        """None: not now. Every permit is handed back by one of the other calls."""
        if self.state == "open" and self._now() >= self._rests_until:
            self._become("half_open")
        elif self.state != "closed":
            return None
        return Permit(self._turn)

    def succeeded(self, permit: Permit) -> None:
        if permit.turn == self._turn:
            if self.state == "half_open":
                self._become("closed")
            else:
                self._saw(failed=False)

    def failed(self, permit: Permit) -> None:
        if permit.turn == self._turn and (self.state == "half_open" or self._saw(failed=True)):
            self._rests_until = self._now() + self._rules.rest_seconds
            self._become("open")

    def released(self, permit: Permit) -> None:
        """The call ended without saying anything of the upstream; another may try in its place."""
        if permit.turn == self._turn and self.state == "half_open":
            self._become("open")

    def _saw(self, *, failed: bool) -> bool:
        """Whether that is too much."""
        now, rules = self._now(), self._rules
        self._seen.append((now, failed))
        while self._seen[0][0] <= now - rules.window_seconds:
            self._seen.popleft()
        failures = sum(each for _, each in self._seen)
        return failed and len(self._seen) >= rules.least and failures >= rules.failing * len(self._seen)

    def _become(self, state: State) -> None:
        self.state = state
        self._turn += 1
        self._seen.clear()
        self._changed(state)
