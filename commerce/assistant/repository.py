"""Every read of runs."""

from collections.abc import Collection

from sqlalchemy import select

from commerce.accounts.principal import Principal
from commerce.assistant.endings import provenance_of
from commerce.assistant.entities import Run, RunEvent
from commerce.assistant.errors import RunNotFound
from commerce.assistant.models import RunEventRow, RunRow
from commerce.catalog.text import is_storable
from core.repository import Repository

PAGE = 500  # events at a time


class RunRepository(Repository):
    async def get(self, run_id: str, principal: Principal) -> Run:
        """Raises RunNotFound, also where it is somebody else's."""
        run = await self.find(run_id)
        if run is None or not may_read(run, principal):
            raise RunNotFound(f"no run {run_id[:100]!r} of yours")
        return run

    async def find(self, run_id: str) -> Run | None:
        if not is_storable(run_id):
            return None
        row = (await self._session.scalars(select(RunRow).where(RunRow.id == run_id))).one_or_none()
        return _run(row) if row is not None else None

    async def events_after(self, run_id: str, number: int) -> list[RunEvent]:
        """The next ones, in order; no more than a page of them."""
        columns = RunEventRow.number, RunEventRow.type, RunEventRow.data
        wanted = select(*columns).where(RunEventRow.run_id == run_id, RunEventRow.number > number)
        rows = await self._session.execute(wanted.order_by(RunEventRow.number).limit(PAGE))
        return [RunEvent(*row) for row in rows]

    async def asked_to_cancel(self, runner: str) -> Collection[str]:
        """Of what the process runs."""
        alive = RunRow.runner == runner, RunRow.state.in_(("queued", "running")), RunRow.cancel_asked
        return set(await self._session.scalars(select(RunRow.id).where(*alive)))


def may_read(run: Run, principal: Principal) -> bool:
    """A run of somebody unknown is for who has its id, as nobody guesses it. Any other is for the same user or key: a
    key that may not read orders does not see what the person asked about theirs.
    """
    return run.owner is None or run.owner == principal.name


def _run(row: RunRow) -> Run:
    return Run(
        id=row.id,
        owner=row.owner,
        state=row.state,  # type: ignore[arg-type]
        events=row.events,
        provenance=provenance_of(row.provenance),
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        error_code=row.error_code,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )
