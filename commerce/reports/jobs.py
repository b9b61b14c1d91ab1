"""The job that makes a report."""

from datetime import timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel

from commerce.reports.commands import Format, GroupBy, SalesReport
from commerce.reports.files import ReportWriter, report_key
from commerce.reports.sales import sales
from core import eventlog
from core.database import WriteSession
from core.drafts import draft, keep
from core.errors import NotFound
from core.eventlog import NewEvent
from core.jobs.entities import Job
from core.jobs.jobs import Jobs
from core.jobs.registry import job, queue
from core.jobs.run import JobRun

REPORTS = queue("reports", per_process=1).name
KEPT = timedelta(days=30)


class ReportNotFound(NotFound):
    """There is no such report, it is not ready yet, or it was made more than 30 days ago."""

    code = "report_not_found"
    title = "Report not found"


class SalesArgs(BaseModel):
    start: AwareDatetime
    end: AwareDatetime
    group_by: GroupBy
    format: Format
    owner: str | None


async def ask_for_sales(session: WriteSession, jobs: Jobs, report: SalesReport, owner: str | None) -> Job:
    args = SalesArgs(start=report.start, end=report.end, group_by=report.group_by, format=report.format, owner=owner)
    return await jobs.enqueue(session, make_sales_report, args, owner=owner)


@job("reports.sales", queue=REPORTS, max_attempts=5, timeout_seconds=3600)
async def make_sales_report(run: JobRun, args: SalesArgs) -> dict[str, Any]:
    """Reads one moment of the database. Made anew where it was broken off; that it is ready is told once."""
    if run.checkpoint is not None:  # all was done but saying so
        return run.checkpoint
    report, resources = SalesReport(args.start, args.end, args.group_by, args.format), run.resources
    async with draft(resources.settings.data.data_dir) as file:
        writer = ReportWriter(file, report)
        async with resources.database.read_report() as session:
            async for rows in sales(session, report):
                await writer.write(rows)
                await run.progress(0.5, f"{writer.rows} rows")
        size = await writer.finish()
        await keep(resources.objects, report_key(run.id), file)
    result = {"id": run.id, "format": args.format, "group_by": args.group_by, "rows": writer.rows, "bytes": size}
    async with run.transaction() as session:
        await run.save(session, result)
        ready = NewEvent("report.ready", run.id, result, "owner", args.owner)
        await eventlog.append(session, [ready], resources.clock.now())
    return result
