"""REST of reports: asked for, made by a job, downloaded."""

from typing import Annotated

from fastapi import Depends, Request, Response

from commerce.accounts.errors import MissingScope
from commerce.accounts.principal import Principal
from commerce.jobs.service import visible_job
from commerce.reports.commands import InvalidReport
from commerce.reports.files import report_key
from commerce.reports.jobs import ReportNotFound, ask_for_sales
from core.database import WriteSession
from core.errors import Invalid, Unauthenticated
from core.idempotency import IdempotencyInProgress, IdempotencyKeyReused
from core.jobs import entities
from core.jobs.entities import JobNotFound
from core.objects import ObjectsUnavailable
from core.web.dependencies import ResourcesDep
from core.web.errors import RangeNotSatisfiable
from core.web.idempotency import InvalidIdempotencyKey
from core.web.ranges import StoredFile, file_response, wanted_range
from core.web.streaming import content_of
from public_api.auth import RequireScope
from public_api.errors import problems
from public_api.jobs.responses import ACCEPTED, JOB, accepted
from public_api.jobs.schemas import Job
from public_api.once import OnceDep
from public_api.reports.schemas import SalesCreate, sales_report
from public_api.routing import public_router

router = public_router(tags=["Reports"])
ReportsReader = Annotated[Principal, Depends(RequireScope("reports:read"))]
_MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


@router.post(
    "/reports/sales",
    status_code=202,
    response_model=Job,
    summary="Ask for a sales report",
    responses={
        **ACCEPTED,
        **problems(
            Unauthenticated,
            MissingScope,
            Invalid,
            InvalidReport,
            InvalidIdempotencyKey,
            IdempotencyKeyReused,
            IdempotencyInProgress,
        ),
    },
)
async def ask_for_sales_report(
    request: Request, response: Response, body: SalesCreate, principal: ReportsReader, once: OnceDep
) -> Job:
    """What was ordered and not cancelled from `from` until just before `to`, at most 366 days, in UTC.

    By day with discounts and shipping; by product and by category what their lines came to. When the job has succeeded,
    and `report.ready` is in the event log, `GET /reports/{id}/download` with the job's id has the file.
    """
    report, resources = sales_report(body), once.resources

    async def action(session: WriteSession) -> entities.Job:
        return await ask_for_sales(session, resources.jobs, report, principal.owner)

    return accepted(request, response, await once.run(report, action, JOB), resources.clock.now())


@router.get(
    "/reports/{report_id}/download",
    response_class=Response,
    summary="Download a report",
    operation_id="download_report",
    responses={
        200: {"description": "The file", "content": content_of(_MEDIA_TYPES.values())},
        206: {"description": "The range that was asked for", "content": content_of(_MEDIA_TYPES.values())},
        **problems(Unauthenticated, MissingScope, ReportNotFound, RangeNotSatisfiable, ObjectsUnavailable),
    },
)
async def download_report(
    request: Request, report_id: str, principal: ReportsReader, resources: ResourcesDep
) -> Response:
    """One that you asked for. Ranges are answered (RFC 9110), so that a download can be gone on with."""
    # A session of its own: none is held while the store is asked.
    try:
        async with resources.database.read() as session:
            job = await visible_job(session, report_id, principal)
    except JobNotFound:
        raise ReportNotFound(f"no report {report_id[:100]!r}") from None
    key = report_key(job.id)
    found = await resources.objects.head(key) if job.state == "succeeded" else None
    if found is None:
        raise ReportNotFound(f"no report {job.id!r} that is ready")
    kind, tag = job.args["format"], f'"{job.id}"'
    headers = {
        "Content-Disposition": f'attachment; filename="sales-{job.id}.{kind}"',
        "Cache-Control": "private, no-cache",
        "ETag": tag,
    }
    bounds = wanted_range(request.scope, found.size, tag)
    file = StoredFile(resources.objects, key, found.size)
    return file_response(request.scope, file, bounds, media_type=_MEDIA_TYPES[kind], headers=headers)
