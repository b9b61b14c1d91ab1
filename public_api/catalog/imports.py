"""The catalogue from a file, as a job; and what in the file could not be imported."""

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from commerce.accounts.errors import MissingScope
from commerce.accounts.principal import Principal
from commerce.catalog.jobs import ImportFile, ask_for_import, fault_lines, import_file, upload_key
from commerce.catalog.transfer.records import Format, UnreadableFile
from commerce.jobs.service import visible_job
from core import ids
from core.background import attempt
from core.database import WriteSession
from core.drafts import keep
from core.errors import Conflict, Invalid, NotFound, Unauthenticated
from core.idempotency import IdempotencyInProgress, IdempotencyKeyReused
from core.jobs import entities
from core.jobs.entities import JobNotFound
from core.objects import Objects, ObjectsUnavailable
from core.spreadsheet import csv_bytes, neutralised
from core.web.dependencies import ResourcesDep
from core.web.errors import ContentTooLarge, UnsupportedMediaType
from core.web.idempotency import InvalidIdempotencyKey
from core.web.streaming import attachment, content_of
from core.web.uploads import Upload, spooled
from public_api.auth import CatalogWriter, SomebodyDep
from public_api.catalog.export import MEDIA_TYPES
from public_api.errors import problems
from public_api.jobs.responses import ACCEPTED, JOB, accepted
from public_api.jobs.schemas import Job
from public_api.once import Once, OnceDep
from public_api.routing import MAX_IMPORT_BYTES, UploadRoute, public_router

router = APIRouter(tags=["Catalogue"], route_class=UploadRoute)
errors_router = public_router(tags=["Jobs"])
_FORMATS: dict[str, Format] = {
    "text/csv": "csv",
    "application/csv": "csv",
    "application/jsonl": "jsonl",
    "application/x-ndjson": "jsonl",
    "application/ndjson": "jsonl",
    "application/jsonlines": "jsonl",
}
_SUFFIXES: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_LONGEST_NAME = 200
_FILE = {"schema": {"type": "string", "format": "binary"}}
_BODY = {
    "required": True,
    "description": f"At most {MAX_IMPORT_BYTES // 2**20} MiB, also when it is inflated.",
    "content": {
        "text/csv": _FILE,
        "application/x-ndjson": _FILE,
        "application/gzip": _FILE,
        "multipart/form-data": {
            "schema": {"type": "object", "required": ["file"], "properties": {"file": _FILE["schema"]}}
        },
    },
}


class NoErrorReport(NotFound):
    """Only imports have a report of what was not imported."""

    code = "no_error_report"
    title = "No error report"


class JobNotFinished(Conflict):
    """The job has not ended yet. Follow it, and come back when it has."""

    code = "job_not_finished"
    title = "Job not finished"


@dataclass(frozen=True, slots=True)
class ImportProducts:
    """What tells one import from another: what is in the file, and not where it was put."""

    sha256: str
    format: Format
    name: str


class ImportQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Annotated[Format | None, Field(description="Told by the file's name or Content-Type if not given.")] = None


@router.post(
    "/products/import",
    status_code=202,
    summary="Import products",
    responses={
        **ACCEPTED,
        **problems(
            Unauthenticated,
            MissingScope,
            InvalidIdempotencyKey,
            IdempotencyKeyReused,
            IdempotencyInProgress,
            ContentTooLarge,
            UnsupportedMediaType,
            Invalid,
            UnreadableFile,
            ObjectsUnavailable,
        ),
    },
    openapi_extra={"requestBody": _BODY},
)
async def import_catalogue(
    request: Request,
    response: Response,
    query: Annotated[ImportQuery, Query()],
    principal: CatalogWriter,
    once: OnceDep,
) -> Job:
    """Shopify product CSV or JSON Lines, as the body or as the part `file` of a form; either may be gzip.

    Creates or replaces products by handle, as `portico products import` does: of each product all or nothing. The job's
    `result` is `{created, updated, unchanged, failed}`; `GET /jobs/{id}/errors` says why products failed.
    """
    folder = once.resources.settings.data.data_dir
    async with spooled(request, folder, limit=MAX_IMPORT_BYTES) as upload:
        job = await _asked(once, upload, query.format or _format_of(upload), principal)
    return accepted(request, response, job, once.resources.clock.now())


async def _asked(once: Once, upload: Upload, kind: Format, principal: Principal) -> entities.Job:
    """The object comes first: no job waits for a file that is not there. One that no job asks for is removed here, or
    where it is not known whether there is a job, one day by upkeep.
    """
    if not upload.size:
        raise UnreadableFile("the file is empty")
    resources, wanted = once.resources, False
    name = PurePath(upload.name).name.replace("\0", "")[:_LONGEST_NAME] or "import"
    key = upload_key(ids.new_id("upl"))

    async def action(session: WriteSession) -> entities.Job:
        nonlocal wanted
        wanted = True
        file = ImportFile(upload=key, format=kind, name=name, size=upload.size, actor=principal.name)
        return await ask_for_import(session, resources.jobs, file, principal.owner)

    await keep(resources.objects, key, upload.file)
    try:
        return await once.run(ImportProducts(upload.sha256, kind, name), action, JOB)
    finally:
        if not wanted:
            await attempt("discard_upload", lambda: resources.objects.delete(key))


def _format_of(upload: Upload) -> Format:
    """Raises UnsupportedMediaType."""
    suffixes = [suffix for suffix in PurePath(upload.name.lower()).suffixes if suffix != ".gz"]
    found = _FORMATS.get(upload.media_type) or _SUFFIXES.get(suffixes[-1] if suffixes else "")
    if found is None:
        raise UnsupportedMediaType("say whether it is CSV or JSON Lines: ?format=csv or ?format=jsonl")
    return found


class ErrorsQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Annotated[Format, Field(description="csv: line,message; jsonl: the same as objects.")] = "csv"


@errors_router.get(
    "/jobs/{job_id}/errors",
    response_class=StreamingResponse,
    summary="Download an import's errors",
    operation_id="get_job_errors",
    responses={
        200: {"description": "The file", "content": content_of(MEDIA_TYPES.values())},
        **problems(Unauthenticated, JobNotFound, NoErrorReport, JobNotFinished, ObjectsUnavailable),
    },
)
async def download_errors(
    request: Request,
    job_id: str,
    query: Annotated[ErrorsQuery, Query()],
    principal: SomebodyDep,
    resources: ResourcesDep,
) -> StreamingResponse:
    """Each fault with the line of the file where it stands; nothing but the heading where there is none."""
    # A session of its own: none is held while the store is asked.
    async with resources.database.read() as session:
        job = await visible_job(session, job_id, principal)
    if job.name != import_file.name:
        raise NoErrorReport
    if not job.finished:
        raise JobNotFinished
    pieces = _pieces(resources.objects, job.id, query.format)
    filename = f"errors-{job.id}.{query.format}"
    return await attachment(request.scope, pieces, filename=filename, media_type=MEDIA_TYPES[query.format])


async def _pieces(objects: Objects, job_id: str, kind: Format) -> AsyncGenerator[bytes, None]:
    if kind == "csv":
        yield csv_bytes([("line", "message")])
    async for lines in fault_lines(objects, job_id):
        if kind == "jsonl":
            yield lines
        else:
            faults = map(json.loads, lines.splitlines())
            yield csv_bytes((fault["line"], neutralised(fault["message"])) for fault in faults)
