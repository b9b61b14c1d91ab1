"""The one place that knows DBOS. It keeps the lines of jobs: order, delay, limits, and who has claimed what.

DBOS polls each queue once a second in a thread of its own, under one executor id for the life of the process. Here one
call claims from the queues that are asked for, at the moment and under the name that the worker chooses: a job starts
when it is committed, idling costs little, and a worker that lost its slot goes on under a new name. This takes the few
internals of DBOS that `Lines` calls; tests hold them.

Everything here blocks, and must not run in the event loop: on SQLite a transaction that waits for the loop may hold the
lock that DBOS waits for.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from importlib.metadata import version
from typing import Any

from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions
from dbos._core import execute_dequeued_workflow
from dbos._queue import Queue as Line
from dbos._serialization import DBOSPortableJSON
from dbos._utils import INTERNAL_QUEUE_NAME, generate_uuid
from sqlalchemy import URL, exists, literal_column, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from core.jobs.registry import Queue
from core.postgresql import libpq_options

_APPLICATION = "portico"
_VERSION = "1"  # of the one workflow below; DBOS's own, a hash of the code, strands what waits at a deploy
_WORKFLOW = "job"
_MIDDLE = 1_000_000  # DBOS runs the lower number first and knows no negative ones
RunJob = Callable[[str, int], Awaitable[None]]


def sync_url(url: URL) -> str:
    """DBOS's driver is another: SQLite's own, and psycopg."""
    if url.get_backend_name() == "sqlite":
        plain = url.set(drivername="sqlite")
    else:
        plain = url.set(drivername="postgresql", query=libpq_options(url.query))
    return plain.render_as_string(hide_password=False)


def workflow_id(job_id: str, dispatch: int) -> str:
    return job_id if dispatch == 1 else f"{job_id}.{dispatch}"


def _quiet() -> None:
    """DBOS logs to its own console unless its logger has a handler; then what it says goes our way, warnings only."""
    logger = logging.getLogger("dbos")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    logger.setLevel(logging.WARNING)


class Door:
    """Per process: puts jobs in line and takes them out of the books. Connects only for what needs a connection."""

    def __init__(self, url: URL) -> None:
        _quiet()
        self._client = DBOSClient(
            system_database_url=sync_url(url),
            serializer=DBOSPortableJSON,
            application_name=_APPLICATION,
            system_database_pool_size=2,  # migrations take two: one holds a lock
            lazy=True,
            retry_connection_errors=False,
        )

    def migrate(self) -> str:
        """Makes or renews DBOS's tables; returns the version that they are of."""
        self._client._sys_db.run_migrations()  # noqa: SLF001
        return version("dbos")

    def enqueue(
        self, session: Session, queue: str, job_id: str, dispatch: int, *, priority: int, delay_seconds: float
    ) -> None:
        """In the session's transaction. A higher priority runs first."""
        options = EnqueueOptions(
            workflow_name=_WORKFLOW,
            queue_name=queue,
            workflow_id=workflow_id(job_id, dispatch),
            app_version=_VERSION,
            priority=_MIDDLE - priority,
        )
        if delay_seconds > 0:
            options["delay_seconds"] = delay_seconds
        self._client.enqueue_in_transaction(session, options, job_id, dispatch)

    def forget(self, workflow_ids: list[str]) -> None:
        self._client.delete_workflows(workflow_ids)

    def close(self) -> None:
        self._client.destroy()


class Lines:
    """Per process of a worker: DBOS itself. It is a singleton, so there is one at a time."""

    def __init__(self, url: URL, queues: Iterable[Queue], run: RunJob) -> None:
        _quiet()
        config = DBOSConfig(
            name=_APPLICATION,
            system_database_url=sync_url(url),
            application_version=_VERSION,
            executor_id="launcher",  # claims nothing: `claim` names the slot
            serializer=DBOSPortableJSON,
            use_listen_notify=False,  # we send no messages, and its sender wakes a hundred times a second
            notification_listener_polling_interval_sec=0.2,
            sys_db_pool_size=4,
            sys_db_idle_transaction_timeout_sec=15,
            max_executor_threads=4,
            log_level="WARNING",
        )
        self._dbos = DBOS(config=config)

        async def job(job_id: str, dispatch: int) -> None:
            await run(job_id, dispatch)

        DBOS.workflow(name=_WORKFLOW, max_recovery_attempts=None)(job)  # we count ourselves
        DBOS.listen_queues([])
        self._queues = list(queues)
        self._lines: dict[str, Line] = {}
        self._unsure = False  # whether the last claim was heard of: its answer may be lost with the connection

    def launch(self) -> None:
        DBOS.launch()
        for queue in self._queues:
            rate = {"limit": queue.rate[0], "period": queue.rate[1]} if queue.rate else None
            self._lines[queue.name] = DBOS.register_queue(
                queue.name,
                worker_concurrency=queue.per_process,
                global_concurrency=queue.overall,
                limiter=rate,  # type: ignore[arg-type]
                on_conflict="always_update",
            )

    def run_in_this_loop(self) -> None:
        """Call it in the loop that jobs shall run in; the exception to this module's rule. DBOS would run in a loop of
        its own what it starts while this one rests, as it does between a fixture and its test.
        """
        loop = asyncio.get_running_loop()
        self._dbos._background_event_loop.target_loop = lambda: loop  # type: ignore[method-assign]  # noqa: SLF001

    def claim(self, names: Collection[str] | None, executor_id: str) -> int:
        """Claims what may run now from these queues, or from all, and starts it; returns how many. Where a call raised,
        the next first puts back what was claimed and not started.
        """
        if self._unsure:
            self.hand_back(self._stranded(executor_id))
        self._unsure = True
        started = self._claim(names, executor_id)
        self._unsure = False
        return started

    def _claim(self, names: Collection[str] | None, executor_id: str) -> int:
        started = 0
        for name in self._waiting() if names is None else names:
            line = self._lines[name]
            token = generate_uuid()
            running = self._dbos._active_workflows_set.count_for_queue(name)  # noqa: SLF001
            try:
                claimed, _ = self._system.start_queued_workflows(
                    line, executor_id, _VERSION, None, running, owner_xid=token
                )
            except DBAPIError as error:
                # Another process claims from this queue at this moment: what it leaves is there at the next look.
                if self._system.is_lock_conflict(error) or self._system.is_serialization_conflict(error):
                    continue
                raise
            for status in self._system.get_workflow_statuses(claimed):
                execute_dequeued_workflow(self._dbos, status, token)
            started += len(claimed)
        return started

    def _waiting(self) -> list[str]:
        """The queues with anything in line, asked at once: an idle worker asks nothing else."""
        jobs = self._system.tables.workflow_status.c
        ready = jobs.status == literal_column("'ENQUEUED'")  # literal, and with this, for DBOS's partial indexes
        ready &= self._system._in_flight_status_prover()  # noqa: SLF001
        questions = [exists().where(jobs.queue_name == name, ready).label(name) for name in self._lines]
        with self._system.engine.connect() as connection:
            answers = connection.execute(select(*questions)).one()
        return [name for name, any_ready in zip(self._lines, answers, strict=True) if any_ready]

    def claimed(self) -> list[tuple[str, str]]:
        """Workflow id and executor id of all that is claimed and not done, by any worker."""
        found = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        return [(each.workflow_id, each.executor_id or "") for each in found]

    def _stranded(self, executor_id: str) -> list[tuple[str, str]]:
        """What is claimed under this name and does not run here. Nothing may be claimed meanwhile."""
        running = set(self._dbos._active_workflows_set.activeList())  # noqa: SLF001
        return [each for each in self.claimed() if each[1] == executor_id and each[0] not in running]

    def hand_back(self, orphans: Sequence[tuple[str, str]]) -> None:
        """Puts what those executors had claimed back in line; what changed hands meanwhile is left alone."""
        for each, executor_id in orphans:
            self._system.reenqueue_for_recovery(each, [executor_id], INTERNAL_QUEUE_NAME)

    def close(self) -> None:
        DBOS.destroy(destroy_registry=True)

    @property
    def _system(self) -> Any:
        return self._dbos._sys_db  # noqa: SLF001
