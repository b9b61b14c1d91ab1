"""Making a snapshot of all that the page shows: read once, drawn once, for everybody who looks."""

import asyncio
import json
import os
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from anyio import to_thread
from fastapi.sse import format_sse_event

from commerce.flags.board import FlagBoard
from core.health import Check, Health
from core.resources import Resources
from core.tailer import Tailer
from core.telemetry import collected, live_processes
from core.web.pages import Pages
from internal_api.dashboard import book_panels, metric_panels
from internal_api.dashboard.book_panels import State
from internal_api.dashboard.books import Books, read_books
from internal_api.dashboard.metric_panels import Requests
from internal_api.dashboard.readings import Change, Reading
from internal_api.dashboard.view import Panel, Tile

pages = Pages(Path(__file__).parents[1] / "templates")
HISTORY_SECONDS = 300
_CHECK_SECONDS = 1.5
_started = time.monotonic()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`point` is what the charts show of it. `seconds`: the time that its rates are of; 0 where they have none."""

    at: datetime
    seconds: float
    word: str
    tiles: Sequence[Tile]
    panels: Sequence[Panel]
    point: dict[str, Any]

    def frame(self) -> bytes:
        """As a server-sent event: the very HTML that the page itself has."""
        parts = {panel.name: pages.fragment("dashboard/panel.html", panel=panel) for panel in self.panels}
        parts["tiles"] = pages.fragment("dashboard/tiles.html", tiles=self.tiles)
        parts["moment"] = pages.fragment("dashboard/moment.html", snapshot=self)
        data = {"state": self.word, "point": self.point, "parts": parts}
        return format_sse_event(data_str=json.dumps(data), event="snapshot")


class Snapshots:
    """Per process."""

    def __init__(
        self, resources: Resources, health: Health, tailer: Tailer, draining: asyncio.Event, flags: FlagBoard
    ) -> None:
        self._resources = resources
        self._health = health
        self._tailer = tailer
        self._draining = draining
        self._flags = flags
        self._before: Reading | None = None
        self._points: deque[dict[str, Any]] = deque()

    async def make(self) -> Snapshot:
        metrics = await to_thread.run_sync(collected)
        reading = Reading(time.monotonic(), metrics)
        change = Change(self._before, reading)
        self._before = reading
        books = await read_books(self._resources, self._tailer)
        made = snapshot_of(change, await self._state(), books)
        self._points.append(made.point)
        while self._points[0]["at"] < made.point["at"] - HISTORY_SECONDS:
            self._points.popleft()
        return made

    def history(self) -> bytes:
        """The points of the last minutes, as a server-sent event."""
        return format_sse_event(data_str=json.dumps(list(self._points)), event="history")

    async def _state(self) -> State:
        return State(
            now=self._resources.clock.now(),
            checks=await self._checks(),
            draining=self._draining.is_set(),
            process=os.getpid(),
            uptime_seconds=time.monotonic() - _started,
            mode="embedded" if self._resources.settings.embedded else "scale-out",
            web_processes=await to_thread.run_sync(live_processes),
            off=await self._flags.off(),
        )

    async def _checks(self) -> Sequence[Check] | None:
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                return await self._health.check()
        except TimeoutError:
            return None


def snapshot_of(change: Change, state: State, books: Books | None) -> Snapshot:
    requests = Requests(change)
    word, dead = book_panels.figures(state, books)
    return Snapshot(
        at=state.now,
        seconds=change.seconds,
        word=word.value.text,
        tiles=(word, *metric_panels.figures(change, requests), dead),
        panels=(
            metric_panels.request_panel(requests),
            book_panels.flag_panel(state),
            book_panels.state_panel(state, books),
            metric_panels.wall_panel(change),
            metric_panels.process_panel(change),
            metric_panels.limit_panel(change, requests),
            metric_panels.stream_panel(change),
            metric_panels.cache_panel(change),
            metric_panels.upstream_panel(change),
            book_panels.event_panel(books),
            book_panels.webhook_panel(books, state.now),
            book_panels.invariant_panel(books),
            book_panels.job_panel(books),
            book_panels.change_panel(books),
        ),
        point={"at": state.now.timestamp(), **metric_panels.points(change, requests)},
    )
